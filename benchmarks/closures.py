"""Do the lips meet on every p, b and m? Counted per phone and per frame, in speech whose phone times are known.

Usage
    python -m benchmarks.closures CORPUS.npz [CORPUS.npz ...] [--utterances 25] [--speakers NAME ...]
                                  [--seed 0] [--only model|rules]

CORPUS comes from training.speech_labels (real speech, aligned with its text by pocketsphinx) or from
training.speech_synthesis (exact times). The mouths that the motion model and the rules make are measured on the mean
face, nothing is drawn; benchmarks.controls counts the same on rendered pixels. A phone counts as closed when the lips
touch in a frame within `MARGIN_S` of it: the alignment is no better, and a stop's label goes on after its release.
Frames are counted inside the label alone.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from benchmarks.cases import FPS
from benchmarks.performers import Performer, add_argument, performers
from talkface.face.model import FaceModel
from talkface.landmarks import LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS
from talkface.motion.voice import CLOSING
from talkface.options import EMOTIONS
from talkface.space import MotionSpace
from talkface.types import FEATURE_RATE_HZ, Controls, SpeechFeatures

MARGIN_S = 0.04
TOUCHING = 0.02
"""Gap of the mean face's lips, in inter-ocular distances, below which they touch."""


@dataclass(frozen=True)
class Phone:
    """One labelled phone."""

    start_s: float
    end_s: float
    name: str


@dataclass(frozen=True)
class Closures:
    """What happened on p, b and m: closed frames near each of them, (M,), and each frame inside them, (F,) bool."""

    frames_near: np.ndarray
    inside: np.ndarray

    @classmethod
    def of(cls, opening: np.ndarray, phones: list[Phone], touching: float) -> Closures:
        """Judge an opening (T,) at 25 frames/s; phones that begin after its end are left out."""
        times_s = np.arange(len(opening)) / FPS
        closed, near, inside = opening < touching, [], []
        for phone in phones:
            if phone.name.upper() in CLOSING and phone.end_s <= times_s[-1]:
                from_s, to_s = phone.start_s, phone.end_s
                near.append(closed[(times_s >= from_s - MARGIN_S) & (times_s <= to_s + MARGIN_S)].sum())
                inside.append(closed[(times_s >= from_s) & (times_s <= to_s)])
        return cls(np.array(near, int), np.concatenate([np.zeros(0, bool), *inside]))

    @classmethod
    def together(cls, parts: list[Closures]) -> Closures:
        """All of them as one."""
        return cls(np.concatenate([p.frames_near for p in parts]), np.concatenate([p.inside for p in parts]))

    def cells(self) -> str:
        """Markdown cells: phones, closed, closed for two frames and more, frames closed inside the label."""
        near = self.frames_near
        return f"{len(near)} | {np.mean(near > 0):.1%} | {np.mean(near > 1):.1%} | {np.mean(self.inside):.1%}"


def read_phones(path: Path) -> list[Phone]:
    """What `flite -psdur` prints: NAME:END_S, one after the other."""
    phones, start_s = [], 0.0
    for item in path.read_text(encoding="utf-8").split():
        name, end = item.rsplit(":", 1)
        phones.append(Phone(start_s, float(end), name))
        start_s = float(end)
    return phones


@lru_cache(maxsize=1)
def _lips() -> tuple[float, np.ndarray]:
    """Gap of the mean face's inner lips at rest, and what each dynamics axis adds (K,), in inter-ocular distances."""
    mean, _, moves = FaceModel.load().landmark_basis()
    apart = np.linalg.norm(mean[list(RIGHT_EYE_CORNERS)].mean(0) - mean[list(LEFT_EYE_CORNERS)].mean(0))
    return (mean[13, 1] - mean[14, 1]) / apart, (moves[:, 13, 1] - moves[:, 14, 1]) / apart


def lip_gap(dynamics: np.ndarray) -> np.ndarray:
    """Gap (T,) of the mean face's lips under dynamics (T, K), in inter-ocular distances, 0 when they touch."""
    rest, moves = _lips()
    return np.maximum(rest + dynamics @ moves, 0)


def closures(
    features: SpeechFeatures, phones: list[Phone], emotion: str, perform: Performer, seed: int = 0
) -> Closures:
    """How a performance of one speech closes the lips under a full emotion."""
    frames = max(1, round(len(features.level_db) / FEATURE_RATE_HZ * FPS))
    motion = perform(features, Controls(emotions=((emotion, 1.0),)), float(FPS), frames, seed).values
    return Closures.of(lip_gap(motion[:, MotionSpace.dynamics]), phones, TOUCHING)


def main() -> None:
    """Measure and print."""
    from talkface.speech.encoder import SpeechEncoder
    from talkface.types import Speech
    from training.speech_corpus import read_corpus
    from training.speech_phones import PHONES

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path, nargs="+")
    parser.add_argument("--utterances", type=int, default=25)
    parser.add_argument("--speakers", nargs="*", default=[""], help="beginnings of the speakers' names")
    parser.add_argument("--seed", type=int, default=0)
    add_argument(parser)
    args = parser.parse_args()
    encoder, by_name = SpeechEncoder.load(), performers(args.only)
    print("| by, speech, emotion | p b m | closed | for 2 frames | frames closed |\n|---|---|---|---|---|")
    for path in args.corpora:
        spoken = []
        for said in [u for u in read_corpus(path) if u.speaker.startswith(tuple(args.speakers))][: args.utterances]:
            samples = (said.samples / 32768).astype(np.float32)
            phones = [Phone(a, b, PHONES[int(k)]) for a, b, k in said.segments if k >= 0]
            spoken.append((encoder.encode(Speech(samples, len(samples) / 16000, path)), phones))
        for emotion, (name, perform) in itertools.product(EMOTIONS, by_name.items()):
            parts = [closures(features, phones, emotion, perform, args.seed) for features, phones in spoken]
            print(f"| {name}, {path.stem}, {emotion} | {Closures.together(parts).cells()} |", flush=True)


if __name__ == "__main__":
    main()
