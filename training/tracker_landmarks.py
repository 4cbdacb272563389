"""Train the landmark network on aligned crops. Resumable: `python -m training.tracker_landmarks`."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from talkface.face.tracker_nets import LandmarkConfig, LandmarkNet
from talkface.landmarks import IRISES, LIDS, LIPS
from training import tracker_augment as augment
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
from training.tracker_expressions import expressive
from training.tracker_learner import arguments, batches, train
from training.tracker_textures import texture

CROP_UNITS = 3.5
BATCH = 64
NEGATIVE_SHARE = 0.15
EXPRESSIVE_SHARE = 0.3
SET_WEIGHT = {"generated": 1.0, "official": 2.5, "congress": 1.2, REENACTED: 1.2}


def point_weights() -> np.ndarray:
    """(478, 1): lips, lids and irises count double."""
    weights = np.ones((478, 1), np.float32)
    weights[[*LIPS, *LIDS, *IRISES]] = 2
    return weights / weights.mean()


def aligned(sample: Sample, frame: tuple, side: int, rng: np.random.Generator, mirror: np.ndarray) -> tuple:
    """An augmented crop (side, side, 3) and its points (478, 3) in half sides; half of the crops are mirrored."""
    centre, size, roll = frame
    wide = rng.random() < 0.3
    roll = roll + (rng.uniform(-0.6, 0.6) if wide else rng.normal(0, 0.1))
    size = size * np.exp(rng.normal(0, 0.16 if wide else 0.07))
    centre = centre + rng.normal(0, 0.16 if wide else 0.06, 2) * frame[1]
    matrix = augment.similarity(centre, size, roll, side, CROP_UNITS)
    middle = (side - 1) / 2
    shear = np.eye(2) + rng.normal(0, 0.035, (2, 2)) * [[1, 1], [1, 1]]
    matrix = augment.compose(matrix, np.c_[shear, middle - shear @ [middle, middle]])
    marks = sample.marks
    if rng.random() < EXPRESSIVE_SHARE:
        crop, marks = changed(sample, frame, matrix, side, rng)
    else:
        crop = augment.warp(sample.image, matrix, side, rng)
    points = np.c_[marks[:, :2] @ matrix[:, :2].T + matrix[:, 2], marks[:, 2:] * side / (CROP_UNITS * size)]
    points = (points - [middle, middle, 0]) * 2 / side
    if rng.random() < 0.5:
        crop = np.ascontiguousarray(crop[:, ::-1])
        points = (points * [-1, 1, 1])[mirror]
    return augment.damage(crop, rng), points.astype(np.float32)


def changed(sample: Sample, frame: tuple, matrix: np.ndarray, side: int, rng: np.random.Generator) -> tuple:
    """The crop that `matrix` cuts out, with another expression, and the landmarks in the picture it would come from."""
    centre, size, roll = frame
    c, s = np.cos(roll) * size, np.sin(roll) * size
    turn = np.array([[c, -s], [s, c]])
    image_from_upright, upright_from_image = np.c_[turn, centre], np.linalg.inv(turn)
    upright = (sample.marks[:, :2] - centre) @ upright_from_image.T
    image_from_crop = cv2.invertAffineTransform(matrix)
    upright_from_crop = np.c_[
        upright_from_image @ image_from_crop[:, :2], upright_from_image @ (image_from_crop[:, 2] - centre)
    ]
    image = sample.image
    if np.sqrt(abs(np.linalg.det(matrix[:, :2]))) < 0.6:
        image = cv2.GaussianBlur(image, (0, 0), 0.8)
    crop, upright = expressive(image, upright_from_crop, image_from_upright, upright, side, rng)
    return crop, np.c_[upright @ turn.T + centre, sample.marks[:, 2]]


def faceless(sample: Sample, frame: tuple, side: int, rng: np.random.Generator) -> np.ndarray:
    """A crop that holds no whole face: beside it, far too near, far too small, upside down, or mere texture."""
    centre, size, roll = frame
    draw = rng.random()
    if draw < 0.45:
        angle = rng.uniform(0, 2 * np.pi)
        size = size * np.exp(rng.uniform(-1.2, 0.3))
        centre = centre + np.array([np.cos(angle), np.sin(angle)]) * (frame[1] * rng.uniform(1.0, 2.2) + size * 0.7)
    elif draw < 0.6:
        size, centre = size * rng.uniform(0.12, 0.38), centre + rng.normal(0, 0.5, 2) * size
    elif draw < 0.7:
        size = size * rng.uniform(2.8, 6)
    elif draw < 0.78:
        roll = roll + np.pi * rng.uniform(0.7, 1.3)
    else:
        return texture(side, rng)
    matrix = augment.similarity(centre, size, roll + rng.normal(0, 0.5), side, CROP_UNITS)
    return augment.damage(augment.warp(sample.image, matrix, side, rng), rng)


def produce(queue, samples: list[Sample], frames: list, side: int, mirror: np.ndarray, seed: int) -> None:
    """Worker: batches of crops (B, S, S, 3) uint8, points (B, 478, 3) float32 and face flags (B,), for ever."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng(seed)
    share = shares(samples, SET_WEIGHT)
    while True:
        crops, points, faces = [], [], []
        for i in rng.choice(len(samples), BATCH, p=share):
            has_face = rng.random() >= NEGATIVE_SHARE
            if has_face:
                crop, marks = aligned(samples[i], frames[i], side, rng, mirror)
            else:
                crop, marks = faceless(samples[i], frames[i], side, rng), np.zeros((478, 3), np.float32)
            crops.append(crop), points.append(marks), faces.append(has_face)
        queue.put((np.array(crops), np.array(points), np.array(faces, np.float32)))


def as_input(crops: np.ndarray) -> Tensor:
    """(B, S, S, 3) uint8 -> (B, 3, S, S) float in -1..1, channels last in memory."""
    return torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 127.5 - 1


def losses(net: LandmarkNet, crops: np.ndarray, points: np.ndarray, faces: np.ndarray) -> dict[str, Tensor]:
    """Weighted L1 over the faces (z counts 0.3) and the face / no face cross entropy."""
    target, flags = torch.from_numpy(points), torch.from_numpy(faces)
    weights = torch.from_numpy(point_weights()) * torch.tensor([1.0, 1.0, 0.3])
    with torch.autocast("cpu", torch.bfloat16):
        predicted, logits = net(as_input(crops))
    error = ((predicted - target).abs() * weights).mean((1, 2))
    face = F.binary_cross_entropy_with_logits(logits, flags)
    return {"points": 10 * (error * flags).sum() / flags.sum(), "face": 0.1 * face}


@torch.no_grad()
def measure(net: LandmarkNet, samples: list[Sample], frames: list, side: int) -> dict[str, tuple[float, float, float]]:
    """Per set: mean error, lips, lids and irises in per cent of the inter-ocular distance, on aligned crops."""
    net.eval()
    rng = np.random.default_rng(0)
    rows: dict[str, list] = {}
    for start in range(0, len(samples), 32):
        part, crops, matrices = samples[start : start + 32], [], []
        for sample, frame in zip(part, frames[start : start + 32], strict=True):
            matrix = augment.similarity(*frame, side, CROP_UNITS)
            matrices.append(matrix)
            crops.append(augment.warp(sample.image, matrix, side, rng))
        points = net(as_input(np.array(crops)))[0].numpy()
        for sample, matrix, q in zip(part, matrices, points, strict=True):
            q = (q[:, :2] * side / 2 + (side - 1) / 2 - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
            error = np.linalg.norm(q - sample.marks[:, :2], axis=1) / interocular(sample.marks) * 100
            rows.setdefault(sample.set_name, []).append(
                (error.mean(), error[list(LIPS)].mean(), error[[*LIDS, *IRISES]].mean())
            )
    net.train()
    return {name: tuple(np.round(np.mean(values, 0), 2).tolist()) for name, values in rows.items()}


def new_net(config: LandmarkConfig, mean: np.ndarray) -> LandmarkNet:
    """A fresh network whose first answer is the mean face."""
    net = LandmarkNet(config)
    torch.nn.init.normal_(net.decode.weight, 0, 0.01)
    net.decode.bias.data[:] = torch.from_numpy(mean * 2 / CROP_UNITS).reshape(-1)
    return net


def main() -> None:
    """Train it, measured on the held-out pictures."""
    args = arguments(__doc__, samples=320_000).parse_args()
    config, samples = LandmarkConfig(), read_sets((*SETS, REENACTED))
    mean, mirror = mean_shape(samples)
    kept, held = ([s for s in samples if s.held_out == out] for out in (False, True))
    frames, held_frames = ([frame_of(s.marks, mean) for s in part] for part in (kept, held))
    train(
        "landmarks",
        new_net(config, mean),
        args,
        partial(batches, produce, kept, frames, config.side, mirror),
        losses,
        lambda net: measure(net, held, held_frames, config.side),
    )


if __name__ == "__main__":
    main()
