"""Phone labels for real English speech by pocketsphinx: aligned with the text, or with its own hearing of it.

    python -m training.speech_labels --data ../shared/data --out training/runs/speech/corpus

Utterances whose alignment fails are dropped, and so are those it aligns badly (mean phone score). GRID sentences take
their text from the file name.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import pocketsphinx
import soundfile as sf

from training.speech_corpus import CorpusWriter, Utterance
from training.speech_phones import from_arpabet

FRAME_S = 0.01
ENGLISH = ("sampledata_audiofiles", "en_US", "en_GB", "Us_English", "english", "mfa_", "jfk", "LJ00", "spk")
DIGITS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "zero"]
GRID_WORDS = [
    dict(b="bin", l="lay", p="place", s="set"), dict(b="blue", g="green", r="red", w="white"),
    dict(a="at", b="by", i="in", w="with"), None,
    dict(zip("123456789z", DIGITS, strict=True)),
    dict(a="again", n="now", p="please", s="soon"),
]  # fmt: skip


def grid_text(name: str) -> str:
    """The sentence a GRID file name stands for."""
    return " ".join(table[c] if table else c for table, c in zip(GRID_WORDS, name, strict=True))


def run_decoder(decoder: pocketsphinx.Decoder, sound: bytes) -> None:
    """One pass of the recogniser over a whole utterance."""
    decoder.start_utt()
    decoder.process_raw(sound, full_utt=True)
    decoder.end_utt()


def align(aligner: pocketsphinx.Decoder, samples: np.ndarray, text: str) -> tuple[np.ndarray, float] | None:
    """Phone segments (M, 3) of a spoken text, and the mean score per frame; None when it cannot be aligned."""
    sound = samples.tobytes()
    rows, score = [], 0.0
    try:
        aligner.set_align_text(text)
        run_decoder(aligner, sound)
        aligner.set_alignment()
        run_decoder(aligner, sound)
        alignment = aligner.get_alignment()
    except (RuntimeError, ValueError, TypeError):
        return None
    for word in alignment or ():  # the items die with the iteration: keep no list of them
        for phone in word:
            start_s = phone.start * FRAME_S
            rows.append((start_s, start_s + phone.duration * FRAME_S, from_arpabet(phone.name)))
            score += phone.score
    if len(rows) < 3:
        return None
    return np.array(rows, np.float32), score / (len(samples) / 160)


def hear(listener: pocketsphinx.Decoder, samples: np.ndarray) -> str:
    """The recogniser's own hearing of an utterance, as plain words."""
    run_decoder(listener, samples.tobytes())
    found = listener.hyp()
    return found.hypstr if found else ""


def known_words(decoder: pocketsphinx.Decoder, text: str) -> str | None:
    """The text in the dictionary's spelling; None when a word is missing from it."""
    words = text.lower().replace("-", " ").split()
    return " ".join(words) if words and all(decoder.lookup_word(w) for w in words) else None


def sources(data: Path) -> dict[str, list[tuple[Path, str, str]]]:
    """Per corpus: (file, speaker, text or ""), English only."""
    found: dict[str, list[tuple[Path, str, str]]] = {}
    for folder in sorted((data / "speech").iterdir()):
        if folder.name == "kerstin_de":
            continue
        with (folder / "utterances.csv").open() as rows:
            for row in csv.DictReader(rows):
                path = folder / row["file"]
                if path.exists() and (
                    row["text"] or folder.name == "librispeech" or any(k in path.name for k in ENGLISH)
                ):
                    speaker = f"{folder.name}/{row['speaker'] or path.stem}"
                    found.setdefault(folder.name, []).append((path, speaker, row["text"]))
    for path in sorted((data / "grid_s1").glob("*.ogg")):
        if not path.stem.startswith("x_"):
            found.setdefault("grid_s1", []).append((path, "grid/s1", grid_text(path.stem)))
    return found


def label(name: str, files: list[tuple[Path, str, str]], out: Path) -> None:
    """Align every file of one corpus and write the corpus file."""
    aligner = pocketsphinx.Decoder(samprate=16000, loglevel="FATAL", lm=None)
    listener = pocketsphinx.Decoder(samprate=16000, loglevel="FATAL")
    writer, scores = CorpusWriter(out / f"{name}.npz"), []
    for path, speaker, text in files:
        samples, rate = sf.read(path, dtype="int16")
        if rate != 16000 or samples.ndim != 1 or len(samples) > 16000 * 90:
            continue
        words = known_words(aligner, text) if text else hear(listener, samples)
        result = align(aligner, samples, words) if words else None
        if result is not None:
            writer.add(Utterance(path.stem, speaker, samples, result[0]))
            scores.append(result[1])
    keep = np.array(scores) > np.percentile(scores, 4) if len(scores) > 20 else np.ones(len(scores), bool)
    writer.utterances = [u for u, good in zip(writer.utterances, keep, strict=True) if good]
    if writer.utterances:
        writer.save()
    print(f"{name}: {len(files)} files, {len(writer.utterances)} kept, score {np.mean(scores):.1f}", flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="*", help="corpora; all when absent")
    parser.add_argument("--speakers", default="", help="only speakers that begin so, such as librispeech/12")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name, files in sources(args.data).items():
        if not args.only or name in args.only:
            label(name, [file for file in files if file[1].startswith(args.speakers)], args.out)


if __name__ == "__main__":
    main()
