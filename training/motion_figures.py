"""Measure the motion model against the rules on held-out clips, nothing drawn, and write the figures as JSON.

    python -m training.motion_figures --data training/runs/motion/data --run RUN --out figures.json

The truth of a clip was performed from what is really said; the model and the rules both hear the (perhaps spoiled)
sound. Lips: correlation of opening and width with the truth. Head, brows, blinks: how alive, and how different for
another seed. Seams: the change at the borders of windows against all other changes.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from talkface.motion.denoiser import Denoiser, DenoiserConfig
from talkface.motion.generate import OVERLAP, MotionModel
from talkface.motion.mouth import measure
from talkface.motion.windows import starts
from talkface.options import DEFAULT_STEPS
from talkface.space import ANGLE_AXES, MotionSpace
from talkface.types import ControlTracks
from training.motion_data import FPS, MotionClip, read_folder
from training.motion_losses import ROLLED
from training.motion_train import blended
from training.teacher.perform import perform

ANGLES = MotionSpace.columns(*ANGLE_AXES)
BROWS = MotionSpace.columns("browInnerUp", "browOuterUpLeft", "browDownLeft")
LIDS = MotionSpace.columns("eyeBlinkLeft", "eyeBlinkRight")
CLOSED_OPENING = 0.02
LONGEST_CLIPS = 60


def network_of(run: Path, *, lips: bool = False) -> Denoiser:
    """The network of a run as it would be stored."""
    state = torch.load(run / "last.pt", weights_only=True)
    net = Denoiser(DenoiserConfig.from_record(state["config"]))
    net.load_state_dict(blended(state["early"], state["average"]) if lips else state["average"])
    return net


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Mean correlation of the columns of (T, C) or of (T,); nan where nothing moves."""
    a, b = (x.reshape(len(x), -1) - x.reshape(len(x), -1).mean(0) for x in (a, b))
    size = np.sqrt((a**2).sum(0) * (b**2).sum(0))
    return float(np.mean((a * b).sum(0)[size > 1e-6] / size[size > 1e-6])) if (size > 1e-6).any() else np.nan


def lips(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Opening and width (T,) in inter-ocular distances."""
    return measure(values[:, MotionSpace.dynamics].astype(np.float64))


def closures(truth: np.ndarray, made: np.ndarray) -> tuple[int, int]:
    """How many lip closures the truth has, and during how many of them the made lips meet, give or take a frame."""
    pressed = (lips(truth)[0] < CLOSED_OPENING) & (truth[:, MotionSpace.index("mouthPressLeft")] > 0.2)
    pressed &= (truth[:, MotionSpace.index("mouthRollLower")] < ROLLED / 2) & (truth[:, MotionSpace.speaking] > 0.9)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], pressed.astype(np.int8), [0]])))
    opening = lips(made)[0]
    met = [opening[max(0, a - 1) : b + 1].min() < CLOSED_OPENING for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return len(met), sum(met)


def blinks(values: np.ndarray) -> int:
    """How many times the lids close at least halfway."""
    shut = values[:, LIDS].mean(1) > 0.5
    return int((shut[1:] & ~shut[:-1]).sum())


def figures_of(clip: MotionClip, made: np.ndarray) -> dict[str, float]:
    """Figures of one performance (T, D) of a clip."""
    truth = clip.motion.astype(np.float64)
    (opening, width), (true_opening, true_width) = lips(made), lips(truth)
    count, met = closures(truth, made)
    return {
        "opening_r": correlation(opening, true_opening),
        "width_r": correlation(width, true_width),
        "closures_met": met / count if count else np.nan,
        "head_step_deg": float(np.abs(np.diff(made[:, ANGLES], axis=0)).mean()),
        "head_spread_deg": float(made[:, ANGLES].std(0).mean()),
        "brow_spread": float(made[:, BROWS].std(0).mean()),
        "blinks_per_minute": blinks(made) / clip.duration_s * 60,
        "opening_p95": float(np.percentile(opening, 95)),
    }


def seam_percentile(values: np.ndarray, config: DenoiserConfig) -> float:
    """Where the largest mean change at window borders lies among all other changes between frames, 0-100.

    Changes are those of all axes, each over its own spread.
    """
    change = np.abs(np.diff(values, axis=0)) / (values.std(0) + 1e-3)
    step = change.mean(1)
    borders = [s + i for s in starts(len(values), config.window, OVERLAP)[1:] for i in range(OVERLAP + 1)]
    at = np.isin(np.arange(len(step)) + 1, borders)
    return float(100 * (step[~at] < step[at].mean()).mean()) if at.any() else np.nan


def measure_run(model: MotionModel, clips: list[MotionClip], steps: int) -> dict[str, dict[str, float]]:
    """Medians over clips: the truth itself, the rules, the model, and what two seeds share."""
    rows: dict[str, list[dict[str, float]]] = {"truth": [], "rules": [], "model": [], "seeds": []}
    spent_s = 0.0
    for index, clip in enumerate(clips):
        count = len(clip.motion)
        tracks = ControlTracks.constant(clip.controls, count, FPS)
        clock = time.process_time()
        made = model.perform(clip.features, tracks, FPS, count, index, steps).values
        spent_s += time.process_time() - clock
        other = model.perform(clip.features, tracks, FPS, count, index + 1000, steps).values
        rules = perform(clip.features, clip.controls, FPS, count, index).values
        for name, values in (("truth", clip.motion.astype(np.float64)), ("rules", rules), ("model", made)):
            rows[name].append(figures_of(clip, values))
        rows["model"][-1]["seam_percentile"] = seam_percentile(made, model.net.config)
        shared = {"lips_r": correlation(lips(made)[0], lips(other)[0])}
        shared |= {name: correlation(made[:, c], other[:, c]) for name, c in (("head_r", ANGLES), ("brows_r", BROWS))}
        rows["seeds"].append(shared)
    found = {
        name: {key: round(float(np.nanmedian([row.get(key, np.nan) for row in group])), 4) for key in group[0]}
        for name, group in rows.items()
    }
    found["model"]["cpu_s_per_minute"] = round(60 * spent_s / sum(clip.duration_s for clip in clips), 2)
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--lips-run", type=Path, help="the run that the weights for the lips are from; --run if absent")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=DEFAULT_STEPS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    clips = [clip for clip in read_folder(args.data, held_out=True) if clip.source == "teacher"]
    clips = sorted(clips, key=lambda clip: -clip.duration_s)[:LONGEST_CLIPS]
    model = MotionModel(network_of(args.run), network_of(args.lips_run or args.run, lips=True))
    found = measure_run(model, clips, args.steps) | {"clips": len(clips), "steps": args.steps}
    args.out.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
