"""How far blendshapes open and widen the mouth, in inter-ocular distances of the face model's mean face."""

from __future__ import annotations

import numpy as np

from talkface.space import DYNAMICS_AXES

OPENING_PER_UNIT = {
    "jawOpen": 0.563,
    "mouthClose": -0.563,
    "mouthFunnel": 0.236,
    "mouthLowerDown": 0.116,
    "mouthUpperUp": 0.122,
}
WIDTH_PER_UNIT = {
    "jawOpen": -0.103,
    "mouthPucker": -0.160,
    "mouthFunnel": -0.120,
    "mouthStretch": 0.240,
    "mouthSmile": 0.294,
}
"""What one unit of an axis adds; a name without a side means both sides together."""

PRESSED, JAW_RISES = 0.35, 0.6
"""`mouthPress` of lips that are closed for p, b or m, and how far the jaw rises for them."""


def measure(dynamics: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lip opening and change of mouth width (T,) that dynamics (T, K) make."""
    results = []
    for table in (OPENING_PER_UNIT, WIDTH_PER_UNIT):
        total = np.zeros(len(dynamics))
        for name, factor in table.items():
            sided = name if name in DYNAMICS_AXES else name + "Left"
            total += factor * dynamics[:, DYNAMICS_AXES.index(sided)]
        results.append(total)
    return np.maximum(results[0], 0), results[1]
