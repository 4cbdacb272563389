"""Measure from pixels that one motion moves different faces alike: the curves of every pair of faces, correlated.

Usage
    python -m benchmarks.transfer --speech SPEECH --score SCORE.PY --score-python PYTHON [--out DIR] [--size 384]
                                  [--seconds 8] [--seed 0] [--readme benchmarks/README.md] PORTRAIT PORTRAIT ...

The motion is written to OUT/motion.npz once, read back, and drawn on every portrait; the independent tracker of the
scoring script follows lips, head and brows in the frames.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.cases import FPS, Scorer, add_arguments
from benchmarks.controls import INNER_BROWS, INNER_EYES, LIP_CORNERS, Look, write_video
from benchmarks.publish import publish
from talkface.types import MotionSequence
from training.life_statistics import take_out_pose


@dataclass(frozen=True)
class Curves:
    """What a face does over time, (T,) each by name."""

    by_name: dict[str, np.ndarray]

    @classmethod
    def of(cls, marks: np.ndarray) -> Curves:
        """From landmarks (T, 478, 3) in pixels."""
        look, (_, turns) = Look.of(marks), take_out_pose(marks)
        corners = look.flat[:, LIP_CORNERS[0]] - look.flat[:, LIP_CORNERS[1]]
        brows = look.flat[:, INNER_EYES, 1].mean(1) - look.flat[:, INNER_BROWS, 1].mean(1)
        named = {"lip opening": look.opening(), "mouth width": np.linalg.norm(corners, axis=1), "brows": brows}
        return cls(named | dict(zip(("head pitch", "head yaw", "head roll"), turns.T, strict=True)))


def draw_all(portraits: list[Path], motion: MotionSequence, folder: Path, size: int) -> list[Path]:
    """Draw the motion on every portrait; the videos."""
    from talkface.analysis import analyse
    from talkface.device import pick_device
    from talkface.media.image import read_portrait
    from talkface.options import RenderOptions
    from talkface.pipeline import draw

    options, device, videos = RenderOptions(size=size), pick_device("cpu"), []
    for portrait in portraits:
        videos.append(folder / f"{portrait.stem}.mp4")
        if not videos[-1].exists():
            analysis = analyse(read_portrait(portrait), options, device)
            write_video(draw(analysis, motion, options, device), videos[-1], size)
            print(videos[-1], file=sys.stderr, flush=True)
    return videos


def make_motion(speech: Path, path: Path, seconds: float, seed: int) -> MotionSequence:
    """The motion of `talkface motion`, through its file."""
    from talkface.export import export_motion
    from talkface.media.motion_file import read_motion, resample
    from talkface.options import RenderOptions

    if not path.exists():
        export_motion(speech, path, RenderOptions(seed=seed))
    motion = read_motion(path)
    return resample(motion, FPS, min(len(motion.values), round(seconds * FPS)))


def report(curves: list[Curves]) -> str:
    """One row per curve: correlation over the pairs of faces, and how far its size differs between faces."""
    lines = ["| curve | r, median of the pairs | r, lowest | spread, smallest to largest face |", "|---" * 4 + "|"]
    for name in curves[0].by_name:
        tracks = [curve.by_name[name] for curve in curves]
        r = [np.corrcoef(a, b)[0, 1] for a, b in itertools.combinations(tracks, 2)]
        spreads = [float(np.std(track)) for track in tracks]
        lines.append(f"| {name} | {np.median(r):.3f} | {min(r):.3f} | {min(spreads):.3g} to {max(spreads):.3g} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Make the motion, draw it on every face, track, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("portraits", type=Path, nargs="+")
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--seconds", type=float, default=8.0)
    add_arguments(parser, "transfer")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    motion = make_motion(args.speech, args.out / "motion.npz", args.seconds, args.seed)
    videos = draw_all(args.portraits, motion, args.out, args.size)
    text = report([Curves.of(marks) for marks in Scorer(args.score, args.score_python).track(videos)])
    (args.out / "transfer.md").write_text(text, encoding="utf-8")
    if args.readme:
        publish(args.readme, text, "transfer")
    print(text)


if __name__ == "__main__":
    main()
