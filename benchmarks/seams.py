"""Whether the borders of the motion model's windows show, without drawing.

Usage
    python -m benchmarks.seams SPEECH SPEECH ... [--seeds 4] [--readme benchmarks/README.md]

The speeches are joined to one performance and made under several seeds. A change is what a group of axes moves between
two frames, each axis over its own spread. Those at a border - from the last frame of a window to the first of the next,
or, of the lips, to the first in which the next of the averaged windows counts - are compared with the 99th percentile
of all others of the same performance; and so are bends, what a change differs from the one before, there and a frame
later. Frames with a blink do not count for the eyes.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.cases import FPS
from benchmarks.performances import chained
from benchmarks.performers import hear
from benchmarks.publish import publish
from talkface.motion.generate import OVERLAP, Departures, MotionModel
from talkface.motion.guidance import LIPS
from talkface.motion.windows import starts
from talkface.options import DEFAULT_STEPS
from talkface.space import ANGLE_AXES, MotionSpace
from talkface.types import FEATURE_RATE_HZ, Controls, ControlTracks, SpeechFeatures

LIDS = MotionSpace.columns("eyeBlinkLeft", "eyeBlinkRight")
DRIVEN = [name for name in MotionSpace.names if name not in (*LIPS, "speaking")]
GROUPS = {
    "head": MotionSpace.columns(*ANGLE_AXES),
    "eyes": MotionSpace.columns(*(name for name in DRIVEN if name.startswith(("gaze", "eye")))),
    "brows": MotionSpace.columns(*(name for name in DRIVEN if name.startswith("brow"))),
    "all but the lips": MotionSpace.columns(*DRIVEN),
    "lips": MotionSpace.columns(*LIPS),
}
PERCENTILE = 99
BLINKING, BLINK_FRAMES = 0.3, 2
LEAST_SPREAD = 1e-3


@dataclass(frozen=True)
class Performance:
    """A performance (T, D) and the frames at which windows take over, of the lips and of the rest."""

    values: np.ndarray
    joins: list[int]
    lip_joins: list[int]


class Noting(MotionModel):
    """A motion model that keeps what it made last, with its borders."""

    made: Departures

    def departures(self, *args) -> Departures:
        """As those of any motion model."""
        self.made = super().departures(*args)
        return self.made


def perform(model: Noting, features: SpeechFeatures, seed: int) -> Performance:
    """One performance of a whole speech, and its borders."""
    frames = round(len(features.level_db) / FEATURE_RATE_HZ * FPS)
    tracks = ControlTracks.constant(Controls(), frames, FPS)
    values = model.perform(features, tracks, float(FPS), frames, seed, DEFAULT_STEPS).values
    borders = ([join for join in joins if join < frames] for joins in (model.made.joins, model.made.lip_joins))
    return Performance(values, *borders)


def changes(values: np.ndarray, group: str, order: int = 1) -> np.ndarray:
    """What a group of axes of (T, D) changes (`order` 1) or bends (2) on the way to every frame (T,).

    NaN in the first frames, and where a blink hides what the eyes do.
    """
    columns = GROUPS[group]
    unit = values[:, columns].std(0) + LEAST_SPREAD
    step = (np.abs(np.diff(values[:, columns], order, axis=0)) / unit).mean(1)
    step = np.concatenate([np.full(order, np.nan), step])
    if group == "eyes":
        shut = values[:, LIDS].max(1) > BLINKING
        step[np.convolve(shut, np.ones(2 * BLINK_FRAMES + 1), mode="same") > 0] = np.nan
    return step


def above(step: np.ndarray, frames: list[int]) -> tuple[int, int]:
    """How many changes (T,) at these frames are above the `PERCENTILE` of the others, and of how many."""
    at, known = np.isin(np.arange(len(step)), frames), np.isfinite(step)
    limit = np.percentile(step[~at & known], PERCENTILE)
    return int((step[at & known] > limit).sum()), int((at & known).sum())


def shared(frames: int, window: int) -> list[int]:
    """Frames that two windows have made."""
    return [start + i for start in starts(frames, window, OVERLAP)[1:] for i in range(OVERLAP + 1)]


def report(performances: list[Performance], window: int) -> str:
    """The Markdown report."""
    lines = [
        "| axes | borders | above the others' 99th percentile | change, of the others' mean | bends above it "
        "| above it of all changes where windows overlap |"
    ]
    lines.append("|---" * 6 + "|")
    for group in GROUPS:
        rows, ratios = [], []
        for made in performances:
            step, joins = changes(made.values, group), made.lip_joins if group == "lips" else made.joins
            both = joins if group == "lips" else shared(len(made.values), window)
            bent = above(changes(made.values, group, 2), [join + late for join in joins for late in (0, 1)])
            rows.append([*above(step, joins), *bent, *above(step, both)])
            at = np.isin(np.arange(len(step)), joins)
            ratios.append(np.nanmean(step[at]) / np.nanmean(step[~at]))
        over, borders, bent, bends, over_shared, changed = np.sum(rows, axis=0)
        overlap = "" if group == "lips" else f"{100 * over_shared / changed:.2f} %"
        cells = (group, borders, over, f"{np.mean(ratios):.2f}", f"{bent} of {bends}", overlap)
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Perform, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("speech", type=Path, nargs="+")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--readme", type=Path, help="publish the report between its markers in this file")
    args = parser.parse_args()
    model, features = Noting.load(), chained([hear(path) for path in args.speech])
    text = report([perform(model, features, seed) for seed in range(args.seeds)], model.net.config.window)
    if args.readme:
        publish(args.readme, text, "seams")
    print(text)


if __name__ == "__main__":
    main()
