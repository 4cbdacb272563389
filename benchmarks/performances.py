"""What many performances of the same voices look like, without drawing: head, blinks, how far seeds differ.

Usage
    python -m benchmarks.performances SPEECH SPEECH ... [--lengths 3 5 8 15 60] [--seeds 8] [--only model|rules]

Stretches of the recordings, one after the other, are performed by the motion model and by the rules under several
seeds. Prints Markdown with median (10-90 %) per length in seconds: mean change of pitch, yaw and roll per frame and
their spread, as the scoring script defines them (its tracker sees about .87 of the spread and .03 degrees more change),
largest angles, blinks; and the correlation of lips, head and brows between two seeds.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.cases import FPS
from benchmarks.performers import Performer, add_argument, hear, performers
from talkface.motion.mouth import measure
from talkface.space import MotionSpace
from talkface.types import FEATURE_RATE_HZ, Controls, SpeechFeatures

HEAD = MotionSpace.columns("headPitch", "headYaw", "headRoll")
LIDS = MotionSpace.columns("eyeBlinkLeft", "eyeBlinkRight")
BROWS = MotionSpace.columns("browInnerUp", "browOuterUpLeft", "browDownLeft")
SHUT, CLOSING = 0.95, 0.3
FIGURES = ("change, deg/frame", "spread, deg", "largest pitch, deg", "largest yaw, deg", "largest roll, deg",
           "blinks a minute", "first blink, s", "blink, ms")  # fmt: skip


def cut(features: SpeechFeatures, start_s: float, length_s: float) -> SpeechFeatures:
    """A stretch of a speech."""
    part = slice(round(start_s * FEATURE_RATE_HZ), round((start_s + length_s) * FEATURE_RATE_HZ))
    names = ("phones", "level_db", "voiced", "pitch_hz")
    return replace(features, **{name: getattr(features, name)[part] for name in names})


def chained(parts: list[SpeechFeatures]) -> SpeechFeatures:
    """Speeches one after the other."""
    names = ("phones", "level_db", "voiced", "pitch_hz")
    return replace(parts[0], **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def figures(values: np.ndarray) -> list[float]:
    """FIGURES of one performance (T, D); NaN where it has no blink."""
    angles, lids = values[:, HEAD], values[:, LIDS].mean(1)
    shut = np.flatnonzero(np.diff(np.concatenate([[0], lids > SHUT]).astype(int)) == 1)
    frames = (lids > CLOSING).sum() / max(len(shut), 1)
    blinks = [shut[0] / FPS, frames * 1000 / FPS] if len(shut) else [np.nan, np.nan]
    change = np.abs(np.diff(angles, axis=0)).mean()
    return [change, angles.std(0).mean(), *np.abs(angles).max(0), len(shut) * 60 * FPS / len(values), *blinks]


def likeness(first: np.ndarray, second: np.ndarray) -> list[float]:
    """Correlation of lips, head (mean of three axes) and brows between two performances (T, D)."""
    lips = [measure(values[:, MotionSpace.dynamics])[0] for values in (first, second)]
    heads = [correlation(first[:, axis], second[:, axis]) for axis in HEAD]
    return [correlation(*lips), float(np.nanmean(heads)), correlation(first[:, BROWS].sum(1), second[:, BROWS].sum(1))]


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's r, NaN where one does not move."""
    return float(np.corrcoef(a, b)[0, 1]) if min(a.std(), b.std()) > 1e-6 else np.nan


def report(features: SpeechFeatures, lengths_s: list[float], seeds: int, perform: Performer) -> str:
    """The Markdown report."""
    whole_s = len(features.level_db) / FEATURE_RATE_HZ
    lines = ["| seconds | performances | " + " | ".join(FIGURES) + " | lips, head, brows of two seeds |"]
    lines.append("|---" * (len(FIGURES) + 3) + "|")
    for length_s in lengths_s:
        rows, alike = [], []
        for start_s in np.arange(0, max(whole_s - length_s, 0) + 0.01, length_s):
            part = cut(features, start_s, length_s)
            made = [perform(part, Controls(), float(FPS), round(length_s * FPS), seed).values for seed in range(seeds)]
            rows += [figures(values) for values in made]
            alike += [likeness(a, b) for a, b in zip(made, made[1:], strict=False)]
        low, middle, high = np.nanpercentile(rows, [10, 50, 90], axis=0)
        cells = [f"{m:.2f} ({a:.2f}-{b:.2f})" for a, m, b in zip(low, middle, high, strict=True)]
        both = ", ".join(f"{value:.2f}" for value in np.nanmedian(alike, axis=0)) if alike else ""
        lines.append(f"| {length_s:g} | {len(rows)} | {' | '.join(cells)} | {both} |")
    return "\n".join(lines)


def main() -> None:
    """Perform and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("speech", type=Path, nargs="+")
    parser.add_argument("--lengths", type=float, nargs="+", default=[3, 5, 8, 15, 60])
    parser.add_argument("--seeds", type=int, default=8)
    add_argument(parser)
    args = parser.parse_args()
    features = chained([hear(path) for path in args.speech])
    for name, perform in performers(args.only).items():
        print(f"{name}:\n\n{report(features, args.lengths, args.seeds, perform)}\n", flush=True)


if __name__ == "__main__":
    main()
