"""Train a part network (right eye or mouth) on upright patches. Resumable: `python -m training.tracker_refine mouth`.

The left eye is the right eye of the mirror image. Patches are placed by the true landmarks with some error, as the
landmark network would make it.
"""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
import torch
from torch import Tensor

from talkface.face.tracker_nets import RefineConfig, RefineNet
from talkface.landmarks import IRISES, LIDS, LIPS
from training import tracker_augment as augment
from training import tracker_landmarks as whole
from training.tracker_data import (
    REENACTED,
    SETS,
    Sample,
    frame_of,
    interocular,
    mean_shape,
    read_sets,
    shares,
)
from training.tracker_learner import arguments, batches, train

BATCH = 64
EXPRESSIVE_SHARE = 0.4
REENACTED_WEIGHT = {"eye": 0.0, "mouth": 2.2}
EYE = dict(side=64, units=1.2, corners=(33, 133), below=0.0, box=(0.46, -0.3, 0.3))
MOUTH = dict(side=80, units=1.7, corners=(61, 291), below=0.12, box=(0.5, -0.26, 0.42))
PARTS = {"eye": EYE, "mouth": MOUTH}


def part_points(part: dict, mean: np.ndarray) -> tuple[int, ...]:
    """The landmarks that the part's network reads: those of the mean face within its box around the corners' middle."""
    offset = mean[:, :2] - mean[list(part["corners"]), :2].mean(0)
    half, top, bottom = part["box"]
    return tuple(np.nonzero((np.abs(offset[:, 0]) < half) & (offset[:, 1] > top) & (offset[:, 1] < bottom))[0].tolist())


def config_of(name: str, mean: np.ndarray) -> RefineConfig:
    """The configuration of a part's network."""
    part = PARTS[name]
    points = part_points(part, mean)
    core = tuple(p for p in points if p in {*LIDS, *IRISES, *LIPS})
    return RefineConfig(part["side"], part["units"], part["corners"], part["below"], points, core)


def place(marks: np.ndarray, roll: float, size: float, part: dict) -> np.ndarray:
    """Centre (2,) of the part's patch: the middle of its corners, a little further down the face for the mouth."""
    down = np.array([-np.sin(roll), np.cos(roll)])
    return marks[list(part["corners"]), :2].mean(0) + down * part["below"] * size


def patch(sample: Sample, frame: tuple, part: dict, points: tuple[int, ...], mirror: np.ndarray, rng) -> tuple:
    """An augmented patch (S, S, 3) and its landmarks (P, 2) in half sides; half of them come from the mirror image."""
    centre, size, roll = frame
    flip = rng.random() < 0.5
    side, units = part["side"], part["units"]
    source = mirror[list(part["corners"])] if flip else list(part["corners"])
    middle_px = place(sample.marks, roll, size, {**part, "corners": source})
    wide = rng.random() < 0.25
    size = size * np.exp(rng.normal(0, 0.12 if wide else 0.05))
    middle_px = middle_px + rng.normal(0, 0.07 if wide else 0.03, 2) * frame[1]
    roll = roll + rng.normal(0, 0.2 if wide else 0.06)
    matrix = augment.similarity(middle_px, size, roll, side, units)
    middle = (side - 1) / 2
    shear = np.eye(2) + rng.normal(0, 0.04, (2, 2))
    matrix = augment.compose(matrix, np.c_[shear, middle - shear @ [middle, middle]])
    marks = sample.marks
    if rng.random() < EXPRESSIVE_SHARE:
        crop, marks = whole.changed(sample, frame, matrix, side, rng)
    else:
        crop = augment.warp(sample.image, matrix, side, rng)
    wanted = mirror[list(points)] if flip else list(points)
    found = (marks[wanted, :2] @ matrix[:, :2].T + matrix[:, 2] - middle) * 2 / side
    if flip:
        crop, found = np.ascontiguousarray(crop[:, ::-1]), found * [-1, 1]
    return augment.damage(crop, rng), found.astype(np.float32)


def produce(queue, samples: list[Sample], frames: list, name: str, points: tuple, mirror: np.ndarray, seed) -> None:
    """Worker: batches of patches (B, S, S, 3) uint8 and their landmarks (B, P, 2) float32, for ever."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng(seed)
    share = shares(samples, whole.SET_WEIGHT | {REENACTED: REENACTED_WEIGHT[name]})
    while True:
        chosen = rng.choice(len(samples), BATCH, p=share)
        made = [patch(samples[i], frames[i], PARTS[name], points, mirror, rng) for i in chosen]
        queue.put((np.array([crop for crop, _ in made]), np.array([found for _, found in made])))


@torch.no_grad()
def measure(net: RefineNet, part: dict, samples: list[Sample], frames: list) -> dict[str, float]:
    """Per set: error of the lids and irises, or of the lips, in per cent of the inter-ocular distance."""
    net.eval()
    rng, rows = np.random.default_rng(0), {}
    points = list(net.config.points)
    chosen = [points.index(p) for p in net.config.core]
    side, units = part["side"], part["units"]
    for sample, frame in zip(samples, frames, strict=True):
        centre = place(sample.marks, frame[2], frame[1], part)
        matrix = augment.similarity(centre, frame[1], frame[2], side, units)
        crop = augment.warp(sample.image, matrix, side, rng)
        found = net(whole.as_input(crop[None]))[0].numpy()
        found = (found * side / 2 + (side - 1) / 2 - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
        error = np.linalg.norm(found - sample.marks[points, :2], axis=1)[chosen].mean() / interocular(sample.marks)
        rows.setdefault(sample.set_name, []).append(100 * error)
    net.train()
    return {name: round(float(np.mean(values)), 2) for name, values in rows.items()}


def new_net(config: RefineConfig, mean: np.ndarray) -> RefineNet:
    """A fresh network whose first answer is the part of the mean face."""
    net = RefineNet(config)
    centre = place(mean, 0.0, 1.0, {"corners": config.corners, "below": config.below})
    start = (mean[list(config.points), :2] - centre) * 2 / config.units
    torch.nn.init.normal_(net.decode.weight, 0, 0.01)
    net.decode.bias.data[:] = torch.from_numpy(start.astype(np.float32)).reshape(-1)
    return net


def losses(net: RefineNet, crops: np.ndarray, points: np.ndarray) -> dict[str, Tensor]:
    """L1 of the points in half sides; the core counts double."""
    config = net.config
    weights = torch.tensor([2.0 if point in config.core else 1.0 for point in config.points])[:, None]
    with torch.autocast("cpu", torch.bfloat16):
        found = net(whole.as_input(crops))
    return {"points": 10 * ((found - torch.from_numpy(points)).abs() * weights).mean()}


def main() -> None:
    """Train one of them, measured on the held-out pictures."""
    parser = arguments(__doc__, samples=330_000)
    parser.add_argument("part", choices=PARTS)
    args = parser.parse_args()
    samples = read_sets((*SETS, REENACTED))
    mean, mirror = mean_shape(samples)
    kept, held = ([s for s in samples if s.held_out == out] for out in (False, True))
    frames, held_frames = ([frame_of(s.marks, mean) for s in part] for part in (kept, held))
    config = config_of(args.part, mean)
    train(
        args.part,
        new_net(config, mean),
        args,
        partial(batches, produce, kept, frames, args.part, config.points, mirror),
        losses,
        lambda net: measure(net, PARTS[args.part], held, held_frames),
    )


if __name__ == "__main__":
    main()
