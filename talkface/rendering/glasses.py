"""Whether a portrait wears glasses: a rim that crosses the bridge of the nose, darker than the skin above and below."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d, map_coordinates

from talkface.landmarks import LEFT_LID_UPPER, RIGHT_LID_UPPER

BRIDGE = 168  # on the nose, between the eyes
ACROSS, DOWN = np.linspace(-0.07, 0.07, 9), np.linspace(-0.22, 0.38, 61)  # what is looked at, in inter-ocular distances
THIN, BROAD = 1.0, 8.0  # of the steps down: a rim is wider than the first and narrower than the second
EVEN = 3.0  # times as dark as it varies across: from there on it is one line, and no shadow of a brow
SEEN, SURE = 0.05, 0.12
"""Darkness, in square roots of brightness: of 226 portraits none without glasses passed .062, of 23 with some 19 had
.078 and more, and rimless ones less."""


def glasses(still: np.ndarray, landmarks: np.ndarray) -> float:
    """0 (none) to 1 (sure) for a picture (S, S, 3) uint8 with landmarks (478, 2)."""
    right, left = (landmarks[[lid[0], lid[-1]]].mean(0) for lid in (RIGHT_LID_UPPER, LEFT_LID_UPPER))
    along = left - right
    down = np.array([-along[1], along[0]])
    x, y = np.moveaxis(landmarks[BRIDGE] + ACROSS[None, :, None] * along + DOWN[:, None, None] * down, -1, 0)
    light = np.sqrt(map_coordinates(still.mean(-1) / 255, [y, x], order=1, mode="nearest"))
    darker = gaussian_filter1d(light, BROAD, axis=0) - gaussian_filter1d(light, THIN, axis=0)
    line = darker.mean(1)
    even = np.clip(np.abs(line) / (darker.std(1) + 0.02) / EVEN, 0, 1)
    score = float((line * even)[6:-6].max())
    return float(np.clip((score - SEEN) / (SURE - SEEN), 0, 1))
