"""A smooth warp of the picture plane given by control points, used to take up what a face model cannot explain.

The displacement is a sum of Wendland's C2 bumps, one per control point: smooth, exactly zero beyond `reach`, and with
the control points' own displacements reproduced. Coordinates are pixels, x right and y down.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from talkface.types import FaceFit

REACH = 0.55  # of the control points' extent: how far from a control point the warp is felt
_RIDGE = 1e-4
_CHUNK = 4096


@dataclass(frozen=True)
class Warp:
    """centres (R, 2) float64 pixels, coefficients (R, 2), reach in pixels: see `fit_warp`."""

    centres: np.ndarray
    coefficients: np.ndarray
    reach_px: float

    def displacement(self, points: np.ndarray) -> np.ndarray:
        """How far each of points (..., 2) moves, (..., 2) in points' dtype."""
        points, middle = np.asarray(points), self.centres.mean(0)
        flat = (points.reshape(-1, 2) - middle).astype(np.float32)  # near zero, where float32 is fine enough
        result = np.zeros_like(flat)
        centres, coefficients = (self.centres - middle).astype(np.float32), self.coefficients.astype(np.float32)
        low, high = centres.min(0) - self.reach_px, centres.max(0) + self.reach_px
        near = np.flatnonzero(((flat > low) & (flat < high)).all(1))
        for first in range(0, len(near), _CHUNK):
            chosen = near[first : first + _CHUNK]
            result[chosen] = _bump(_distances(flat[chosen], centres) / np.float32(self.reach_px)) @ coefficients
        return result.reshape(points.shape).astype(points.dtype if points.dtype.kind == "f" else np.float64)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """points (..., 2) after the warp."""
        points = np.asarray(points)
        return points + self.displacement(points)


def fit_warp(source: np.ndarray, target: np.ndarray, softness: np.ndarray | float = 0.0) -> Warp:
    """The warp that takes source (R, 2) to target (R, 2); `softness` (R,) >= 0 lets a point miss its target for the
    sake of smoothness (0 = exact, 1 = hardly pulls)."""
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    reach = REACH * float(np.linalg.norm(np.ptp(source, axis=0))) + 1e-6
    kernel = _bump(_distances(source, source) / reach)
    kernel[np.diag_indices(len(source))] += _RIDGE + softness
    return Warp(source, np.linalg.solve(kernel, target - source), reach)


def residual_warp(fit: FaceFit, points: np.ndarray) -> np.ndarray:
    """Model points projected to the portrait (..., 2) -> where they really are in the portrait, pixels (..., 2)."""
    return residual(fit)(points)


def residual(fit: FaceFit) -> Warp:
    """The residual warp of a fit, for repeated use."""
    return fit_warp(fit.residual_from, fit.residual_to)


def _distances(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    square = (points**2).sum(1)[:, None] + (centres**2).sum(1)[None] - 2 * points @ centres.T
    return np.sqrt(np.maximum(square, 0.0))


def _bump(r: np.ndarray) -> np.ndarray:
    """Wendland's C2 function: 1 at 0, 0 from 1 on."""
    inside = np.maximum(1 - r, 0.0)
    square = inside * inside
    return square * square * (4 * r + 1)
