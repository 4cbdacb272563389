"""Smooth fields on a pixel grid: filling unknown regions, blurring, distances. Numpy, once per portrait."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage


def push_pull(values: np.ndarray, known: np.ndarray, smooth: int = 4) -> np.ndarray:
    """Fill the unknown cells of a field smoothly from the known ones (pull-push pyramid, then relaxation).

    Args:
        values: (C, H, W) float.
        known: (H, W) bool; at least one cell must be True.
        smooth: rounds of relaxation of the unknown cells.

    Returns:
        (C, H, W) float32, unchanged where known.
    """
    field = torch.from_numpy(np.ascontiguousarray(values, np.float32))[None]
    weight = torch.from_numpy(known.astype(np.float32))[None, None]
    filled = _pull_push(field * weight, weight)
    keep = weight > 0
    kernel = torch.tensor([[0.0, 0.25, 0.0], [0.25, 0.0, 0.25], [0.0, 0.25, 0.0]]).expand(field.shape[1], 1, 3, 3)
    for _ in range(smooth):
        blurred = F.conv2d(F.pad(filled, (1, 1, 1, 1), mode="replicate"), kernel, groups=field.shape[1])
        filled = torch.where(keep, field, blurred)
    return filled[0].numpy()


def _pull_push(weighted: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    here = weighted / weight.clamp_min(1e-6)
    if min(weight.shape[-2:]) < 2 or bool((weight > 0).all()):
        return here
    coarse = _pull_push(
        F.avg_pool2d(weighted, 2, ceil_mode=True, count_include_pad=False),
        F.avg_pool2d(weight, 2, ceil_mode=True, count_include_pad=False),
    )
    below = F.interpolate(coarse, size=weight.shape[-2:], mode="bilinear", align_corners=False)
    trust = weight.clamp(0, 1)
    return here * trust + below * (1 - trust)


def nearest_fill(values: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Copy each unknown cell from the nearest known one: the field (..., H, W), and distances (H, W) in cells."""
    distance, (rows, columns) = ndimage.distance_transform_edt(~known, return_indices=True)
    return values[..., rows, columns], distance.astype(np.float32)


def blur(values: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of the last two axes."""
    sigmas = (0,) * (values.ndim - 2) + (sigma, sigma)
    return ndimage.gaussian_filter(np.asarray(values, np.float32), sigmas, mode="nearest", truncate=3.0)


def smoothstep(x: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, smooth between."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)
