r"""Label real speech that has no text, in any language, with what a half-trained encoder hears clearly (self-training).

    python -m training.speech_hear --data ../shared/data --run training/runs/speech/run1 \
        --out training/runs/speech/corpus

The teacher hears the clean sound; frames it is unsure of are left unknown; the student then learns them under noise.
Without --run the package's own encoder listens; with --apart it writes a file for each folder. Both together are enough
for the motion model's teacher, which does without alignments.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import soundfile as sf
import torch

from talkface.speech.encoder import PhoneNet, PhoneNetConfig, SpeechEncoder
from talkface.types import FEATURE_RATE_HZ, Speech
from training.speech_corpus import CorpusWriter, Utterance, read_corpus
from training.speech_phones import PHONES, UNKNOWN

FOLDERS = (
    "kerstin_de",
    "azure_9_languages",
    "ten_languages",
    "mfa_styles",
    "emotional_lines",
    "libri_samples",
    "librispeech",
    "speechocean762",
)
SURE = 0.55


def segments_heard(phones: np.ndarray) -> np.ndarray:
    """Rows (M, 3) of start_s, end_s, phone from posteriors (T, P); UNKNOWN where the best is below `SURE`."""
    labels = np.where(phones.max(1) >= SURE, phones.argmax(1), UNKNOWN)
    edges = np.concatenate([[0], np.flatnonzero(np.diff(labels)) + 1, [len(labels)]])
    rows = [(a / FEATURE_RATE_HZ, b / FEATURE_RATE_HZ, labels[a]) for a, b in zip(edges[:-1], edges[1:], strict=True)]
    return np.array(rows, np.float32)


def speaker_of(path: Path) -> str:
    """Who speaks: the first part of the name; where names are bare numbers as in speechocean762, four digits of it."""
    speaker = path.stem.split("_")[0]
    return f"{path.parent.name}/{speaker[1:5] if path.parent.name == 'speechocean762' else speaker}"


def encoder_of(run: Path | None) -> SpeechEncoder:
    """The averaged encoder of a training run, or the package's."""
    if run is None:
        return SpeechEncoder.load()
    net = PhoneNet(PhoneNetConfig(PHONES))
    net.load_state_dict(torch.load(run / "last.pt", weights_only=True)["average"])
    return SpeechEncoder(net)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--data", "--out"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--run", type=Path, help="a training run; the package's encoder when absent")
    parser.add_argument("--apart", action="store_true", help="a file for each folder instead of heard.npz")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    encoder = encoder_of(args.run)
    writers: dict[str, CorpusWriter] = {}
    known = {u.name for path in args.out.glob("*.npz") if path.stem != "heard" for u in read_corpus(path)}
    paths = [p for folder in FOLDERS for p in sorted((args.data / "speech" / folder).glob("*.ogg"))]
    for path in [*paths, *sorted((args.data / "facegood").glob("*.ogg"))]:
        if path.stem in known:
            continue
        samples, _ = sf.read(path, dtype="int16")
        heard = encoder.encode(Speech(samples.astype(np.float32) / 32768, len(samples) / 16000, path))
        name = path.parent.name if args.apart else "heard"
        writer = writers.setdefault(name, CorpusWriter(args.out / f"{name}.npz"))
        writer.add(Utterance(path.stem, speaker_of(path), samples, segments_heard(heard.phones)))
    utterances = []
    for writer in writers.values():
        writer.save()
        utterances += writer.utterances
    rows = np.concatenate([u.segments for u in utterances])
    sure = (rows[:, 1] - rows[:, 0])[rows[:, 2] != UNKNOWN].sum() / (rows[:, 1] - rows[:, 0]).sum()
    print(f"{len(utterances)} utterances, {sure:.0%} of the time sure")


if __name__ == "__main__":
    main()
