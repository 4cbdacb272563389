"""How well the package's speech encoder hears voices it never learned from, by class of phone.

    python -m training.speech_report --corpus training/runs/speech/corpus [--labels FOLDER] [--readme weights/README.md]

The labels are pocketsphinx's alignments for real speech and the synthesiser's own times for synthetic speech (see
`speech_labels`, `speech_synthesis`). A frame counts where one phone fills it; it is heard right if the likeliest phone
is its own, or at least one of its class. Every recording is heard clean and in the surroundings of the training.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from benchmarks.publish import publish
from talkface.speech.encoder import SpeechEncoder
from talkface.types import FEATURE_RATE_HZ, Speech
from training.motion_teacher import stock_of_surroundings
from training.speech_augment import Surroundings
from training.speech_corpus import RATE_HZ, Utterance, read_corpus
from training.speech_phones import INDEX, PHONES
from training.speech_train import HELD_OUT

CLASSES = {
    "silence": "sil",
    "open vowels": "AA AE AH AO AW AY EH",
    "close vowels": "ER EY IH IY",
    "rounded": "OW OY UH UW YX OE W",
    "lips closed": "P B M",
    "lip on teeth": "F V",
    "sibilants": "S Z SH ZH CH JH",
    "other stops": "T D K G",
    "other nasals": "N NG",
    "glides, h": "L R RX Y HH XX TH DH",
}
LONGEST_S = 16.0
MOST_RECORDINGS = 150
_SURE = 0.9


def class_table() -> np.ndarray:
    """(P,) which class each phone of `PHONES` belongs to."""
    of = {phone: k for k, members in enumerate(CLASSES.values()) for phone in members.split()}
    return np.array([of[phone] for phone in PHONES])


def frame_labels(segments: np.ndarray, frames: int) -> np.ndarray:
    """(F,) the phone of every 20 ms of segments (M, 3), -1 where none fills at least `_SURE` of it."""
    edges_s = np.arange(frames + 1) / FEATURE_RATE_HZ
    labels = np.full(frames, -1)
    for start_s, end_s, phone in segments:
        share = (np.minimum(edges_s[1:], end_s) - np.maximum(edges_s[:-1], start_s)) * FEATURE_RATE_HZ
        labels[share > _SURE] = int(phone)
    return labels


def hear(encoder: SpeechEncoder, samples: np.ndarray) -> np.ndarray:
    """(F,) the likeliest phones of a sound (N,)."""
    return encoder.encode(Speech(samples, len(samples) / RATE_HZ, Path("recording"))).phones.argmax(1)


def heard_right(encoder: SpeechEncoder, found: list[Utterance], noise: Surroundings | None) -> np.ndarray:
    """(3, classes): frames of every class, how many were heard as their phone, and how many as their class."""
    of, counts, rng = class_table(), np.zeros((3, len(CLASSES))), np.random.default_rng(0)
    for utterance in found:
        samples = utterance.samples[: int(LONGEST_S * RATE_HZ)].astype(np.float32) / 32768
        if noise is not None:
            padded = np.pad(samples, (0, int(LONGEST_S * RATE_HZ) - len(samples)))
            samples = (0.05 * noise.augment(padded, rng)[: len(samples)]).clip(-1, 1)
        heard = hear(encoder, samples)
        labels = frame_labels(utterance.segments, len(heard))
        heard, labels = heard[labels >= 0], labels[labels >= 0]
        for row, hits in enumerate((labels >= 0, heard == labels, of[heard] == of[labels])):
            counts[row] += np.bincount(of[labels[hits]], minlength=len(CLASSES))
    return counts


def table(rows: dict[str, tuple[int, np.ndarray, np.ndarray]]) -> str:
    """Markdown of {corpus: (recordings, clean counts, noisy counts)}: per class, right phone / right class."""
    lines = ["| voices | recordings | sound | all but silence | " + " | ".join(CLASSES) + " |"]
    lines.append("|---" * (4 + len(CLASSES)) + "|")
    silence = INDEX["sil"]
    for name, (recordings, *sounds) in rows.items():
        for label, counts in zip(("clean", "spoiled"), sounds, strict=True):
            spoken = np.delete(counts, class_table()[silence], axis=1).sum(1, keepdims=True)
            cells = []
            for total, phone, kind in np.concatenate([spoken, counts], 1).T:
                cells.append(f"{100 * phone / total:.0f} / {100 * kind / total:.0f}" if total > 50 else "")
            lines.append(f"| {name} | {recordings} | {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, nargs="+", required=True, help="folders of corpus files")
    parser.add_argument("--readme", type=Path, help="Markdown file in which to replace the table")
    args = parser.parse_args()
    torch.set_num_threads(1)
    encoder, rows = SpeechEncoder.load(), {}
    noise = stock_of_surroundings(None)
    for path in (p for folder in args.corpus for p in sorted(folder.glob("*.npz"))):
        found = [u for u in read_corpus(path) if u.speaker.startswith(HELD_OUT)][:MOST_RECORDINGS]
        if found:
            counts = (heard_right(encoder, found, surroundings) for surroundings in (None, noise))
            rows[path.stem] = (len(found), *counts)
    text = table(rows)
    if args.readme:
        publish(args.readme, text, "phones")
    print(text)


if __name__ == "__main__":
    main()
