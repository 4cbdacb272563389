"""Where a face is, and how to cut it out upright: the geometry between pictures and the tracker's crops.

A face frame is the similarity that takes the mean face (inter-ocular distance 1, upright) to a face in the picture.
Pixels have x right and y down, pixel (0, 0) has its centre at (0, 0); roll is clockwise in the picture, in radians.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

FINEST_SCALE = 0.6  # a picture is reduced first where a crop would show it at less than this scale


@dataclass(frozen=True)
class FaceFrame:
    """Centre in pixels, size (mean inter-ocular distance) in pixels, roll in radians."""

    x: float
    y: float
    size: float
    roll: float

    def enlarged(self, factor: float) -> FaceFrame:
        """The same face in the picture enlarged by `factor` about its corner."""
        return FaceFrame((self.x + 0.5) * factor - 0.5, (self.y + 0.5) * factor - 0.5, self.size * factor, self.roll)

    def moved(self, dx: float = 0.0, dy: float = 0.0, scale: float = 1.0, turn: float = 0.0) -> FaceFrame:
        """Shifted by a share of its size along the picture's axes, scaled and turned."""
        return FaceFrame(self.x + dx * self.size, self.y + dy * self.size, self.size * scale, self.roll + turn)


def frame_of(points: np.ndarray, mean_shape: np.ndarray) -> FaceFrame:
    """The least-squares similarity that takes `mean_shape` (P, 2 or 3) to `points` (P, 2 or 3); depth is ignored."""
    p, q = points[:, :2].astype(np.float64), mean_shape[:, :2].astype(np.float64)
    p_mean, q_mean = p.mean(0), q.mean(0)
    a, b = p - p_mean, q - q_mean
    norm = (b**2).sum()
    real = (a * b).sum() / norm
    imaginary = (a[:, 1] * b[:, 0] - a[:, 0] * b[:, 1]).sum() / norm
    turn = np.array([[real, -imaginary], [imaginary, real]])
    x, y = p_mean - turn @ q_mean
    return FaceFrame(float(x), float(y), math.hypot(real, imaginary), math.atan2(imaginary, real))


def crop_to_image(frame: FaceFrame, side: int, units: float) -> np.ndarray:
    """Affine map (2, 3) from an upright crop of `side` pixels, which shows `units` face sizes, to the picture."""
    scale = units * frame.size / side
    c, s = math.cos(frame.roll) * scale, math.sin(frame.roll) * scale
    turn = np.array([[c, -s], [s, c]])
    middle = (side - 1) / 2
    return np.c_[turn, np.array([frame.x, frame.y]) - turn @ [middle, middle]]


def cut(image: np.ndarray, frames: list[FaceFrame], side: int, units: float) -> Tensor:
    """Upright crops (B, 3, side, side), float RGB in -1..1, of a picture (H, W, 3) uint8; its edge pixels continue."""
    return torch.cat([_cut_one(image, frame, side, units) for frame in frames])


def _cut_one(image: np.ndarray, frame: FaceFrame, side: int, units: float) -> Tensor:
    matrix = crop_to_image(frame, side, units)
    reach = units * frame.size * 0.75 + 4
    height, width = image.shape[:2]
    left, top = (int(np.clip(v, 0, limit - 1)) for v, limit in ((frame.x - reach, width), (frame.y - reach, height)))
    right, bottom = int(np.clip(frame.x + reach, left + 1, width)), int(np.clip(frame.y + reach, top + 1, height))
    part = image[top:bottom, left:right]
    offset, factor = np.array([left, top], np.float64), 1
    scale = side / (units * frame.size)
    if scale < FINEST_SCALE:
        factor = min(math.ceil(FINEST_SCALE / scale), *part.shape[:2])
        part = reduced(np.ascontiguousarray(part), factor)
        offset = offset + (factor - 1) / 2
    y, x = np.mgrid[:side, :side].astype(np.float64)
    seen = np.stack([x, y], -1) @ matrix[:, :2].T + matrix[:, 2]
    limits = np.maximum(np.array(part.shape[1::-1]) - 1, 1)
    grid = torch.from_numpy(((seen - offset) / factor * 2 / limits - 1).astype(np.float32))[None]
    pixels = torch.from_numpy(np.array(part)).permute(2, 0, 1)[None].float() / 127.5 - 1
    return torch.nn.functional.grid_sample(pixels, grid, padding_mode="border", align_corners=True)


def to_image(points: np.ndarray, frame: FaceFrame, side: int, units: float) -> np.ndarray:
    """Points (P, 3) in half sides of a crop -> pixels of the picture; depth in the same scale."""
    matrix = crop_to_image(frame, side, units)
    flat = (points[:, :2] * side / 2 + (side - 1) / 2) @ matrix[:, :2].T + matrix[:, 2]
    return np.c_[flat, points[:, 2:] * units * frame.size / 2].astype(np.float32)


def reduced(image: np.ndarray, factor: int) -> np.ndarray:
    """The picture at one `factor`-th of its size, by averaging."""
    return np.asarray(Image.fromarray(image).reduce(factor)) if factor > 1 else image


def letterbox(image: np.ndarray, longest: int, multiple: int) -> tuple[Tensor, float]:
    """The whole picture with its longer side at `longest` pixels, padded to a multiple of `multiple` with its edges.

    Returns (1, 3, h, w) float RGB in -1..1 and the scale (small pixels per pixel of the picture).
    """
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0))
    pixels = torch.from_numpy(small.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    padding = (0, -size[0] % multiple, 0, -size[1] % multiple)
    return torch.nn.functional.pad(pixels, padding, mode="replicate"), scale
