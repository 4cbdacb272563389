"""The training corpus of the speech encoder on disk: sound and phone segments of many utterances in one .npz."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

RATE_HZ = 16_000


@dataclass(frozen=True)
class Utterance:
    """One labelled recording.

    Attributes:
        name, speaker: where it comes from; speakers decide the held-out split.
        samples: (N,) int16 at 16 kHz.
        segments: (M, 3) float32 rows of start_s, end_s, phone class (-1: not to be learned from).
    """

    name: str
    speaker: str
    samples: np.ndarray
    segments: np.ndarray


@dataclass
class CorpusWriter:
    """Collects utterances and writes them as one file."""

    path: Path
    utterances: list[Utterance] = field(default_factory=list)

    def add(self, utterance: Utterance) -> None:
        """Keep one utterance for the file."""
        self.utterances.append(utterance)

    def save(self) -> None:
        """Write everything collected so far to `path`, whole or not at all."""
        keep = self.utterances
        part = self.path.with_suffix(".part.npz")
        np.savez(
            part,
            names=np.array([u.name for u in keep]),
            speakers=np.array([u.speaker for u in keep]),
            samples=np.concatenate([u.samples for u in keep]).astype(np.int16),
            sample_counts=np.array([len(u.samples) for u in keep]),
            segments=np.concatenate([u.segments for u in keep]).astype(np.float32),
            segment_counts=np.array([len(u.segments) for u in keep]),
        )
        part.rename(self.path)


def read_corpus(path: Path) -> list[Utterance]:
    """All utterances of one file."""
    with np.load(path) as data:
        samples = np.split(data["samples"], np.cumsum(data["sample_counts"])[:-1])
        segments = np.split(data["segments"], np.cumsum(data["segment_counts"])[:-1])
        names, speakers = data["names"].tolist(), data["speakers"].tolist()
    return [Utterance(*row) for row in zip(names, speakers, samples, segments, strict=True)]
