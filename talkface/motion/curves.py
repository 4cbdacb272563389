"""Curves over time: smoothing, easing, limiting, and stretches of true values. Pure functions of arrays."""

from __future__ import annotations

import numpy as np

from talkface.types import FEATURE_RATE_HZ


def ease(x: np.ndarray) -> np.ndarray:
    """Smooth step from 0 to 1 over x in 0-1, with zero velocity and acceleration at both ends."""
    x = np.clip(x, 0.0, 1.0)
    return x**3 * (10 - 15 * x + 6 * x * x)


def soft_limit(angles_deg: np.ndarray, largest_deg: tuple[float, ...]) -> np.ndarray:
    """Leave the lower 60 % of the range as it is and bend the rest so that `largest_deg` is never passed."""
    largest_deg = np.asarray(largest_deg)
    knee = 0.6 * largest_deg
    over = np.maximum(np.abs(angles_deg) - knee, 0.0)
    room = largest_deg - knee
    return np.sign(angles_deg) * (np.minimum(np.abs(angles_deg), knee) + room * np.tanh(over / room))


def reaching_kernel(before_ms: float, after_ms: float) -> np.ndarray:
    """Kernel (odd,) at `FEATURE_RATE_HZ`, sum 1: a moment acts `before_ms` ahead of itself and lingers `after_ms`."""
    step_ms = 1000 / FEATURE_RATE_HZ
    reach = int(np.ceil(max(before_ms, after_ms) * 2.5 / step_ms))
    offset_ms = np.arange(-reach, reach + 1) * step_ms
    width_ms = np.where(offset_ms < 0, before_ms, after_ms)
    kernel = np.exp(-0.5 * (offset_ms / np.maximum(width_ms, 1e-3)) ** 2)
    return kernel / kernel.sum()


def smooth(curve: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve (T,) with a kernel, the ends held."""
    reach = len(kernel) // 2
    return np.convolve(np.pad(curve, reach, mode="edge"), kernel, mode="valid")


def runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """(start, stop) of every stretch of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def read_smoothly(curve: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Value (T, M) of a curve (N, M) at fractional rows (T,), by Catmull and Rom's cubic; whole rows are unchanged."""
    row = np.minimum(np.floor(places + 1e-6).astype(int), len(curve) - 1)
    part = np.maximum(places - row, 0.0)[:, None]
    before, here, after, later = (curve[np.clip(row + i, 0, len(curve) - 1)] for i in (-1, 0, 1, 2))
    slope, slope_after = (after - before) / 2, (later - here) / 2
    bend = 3 * (after - here) - 2 * slope - slope_after
    twist = 2 * (here - after) + slope + slope_after
    return here + part * (slope + part * (bend + part * twist))
