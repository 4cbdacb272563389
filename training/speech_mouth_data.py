"""Tracked mouths of real speakers, to learn from and to measure on: lip opening and mouth width over time.

Opening and width are in inter-ocular distances, as `tools/score.py` measures them: landmarks 13-14 and 61-291 after
head pose, position and scale are removed per frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf

RIGID = (33, 133, 362, 263, 168, 6, 197, 195, 4, 1, 10, 151, 9, 8, 234, 454, 127, 356, 93, 323)
GRID_FPS = 25.0
FACEGOOD_FPS = 30.0


@dataclass(frozen=True)
class MouthClip:
    """One recording: sound (N,) float32 at 16 kHz and curves (T,) at `fps`, frame t at t / fps seconds."""

    name: str
    speaker: str
    samples: np.ndarray
    fps: float
    opening: np.ndarray
    width: np.ndarray


def without_pose(marks: np.ndarray, rigid: list[int], eyes: list[int]) -> np.ndarray:
    """Landmarks (T, K, 3) with rotation, position and scale of each frame removed, in inter-ocular distances.

    `eyes` are the four eye corners: outer and inner of the right eye, inner and outer of the left.
    """
    template = np.median(marks[:, rigid] - marks[:, rigid].mean(1, keepdims=True), axis=0)
    out = np.empty_like(marks)
    for t, points in enumerate(marks):
        centre = points[rigid].mean(0)
        left, stretch, right = np.linalg.svd(template.T @ (points[rigid] - centre))
        mirror = np.diag([1, 1, np.sign(np.linalg.det(right.T @ left.T))])
        scale = np.trace(np.diag(stretch) @ mirror) / (template**2).sum()
        out[t] = (points - centre) @ (right.T @ mirror @ left.T) / scale
    a, b, c, d = (out[:, e] for e in eyes)
    return out / np.linalg.norm(np.median((a + b) / 2 - (c + d) / 2, axis=0))


def grid_clips(folder: Path) -> list[MouthClip]:
    """All GRID clips; those of other speakers are named x_*."""
    index = {int(k): i for i, k in enumerate(np.load(folder / "landmark_index.npy"))}
    rigid, eyes = [index[k] for k in RIGID], [index[k] for k in (33, 133, 362, 263)]
    clips = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as data:
            marks = np.cumsum(data["marks"], 0, dtype=np.int32) / 8
        points = without_pose(marks.astype(np.float64), rigid, eyes)
        opening = np.linalg.norm(points[:, index[13]] - points[:, index[14]], axis=1)
        width = np.linalg.norm(points[:, index[61]] - points[:, index[291]], axis=1)
        samples, _ = sf.read(path.with_suffix(".ogg"), dtype="float32")
        speaker = path.stem if path.stem.startswith("x_") else "grid_s1"
        clips.append(MouthClip(path.stem, speaker, samples, GRID_FPS, opening, width))
    return clips


def facegood_clips(folder: Path) -> list[MouthClip]:
    """The Mandarin recordings; opening and width are sums of its blendshapes weighted by what such shapes do."""
    opens = {"mouth_stretch_c": 0.40, "tooth_d_d": 0.15, "mouth_lowerLipDepress": 0.06, "mouth_upperLipRaise": 0.06,
             "mouth_funnel": 0.04, "mouth_oh_c": 0.05}  # fmt: skip
    widens = {"mouth_pucker": -0.10, "mouth_oh_c": -0.10, "mouth_oo_c": -0.15, "mouth_funnel": -0.03,
              "mouth_lipStretch": 0.11, "mouth_lipCornerPull": 0.14, "mouth_stretch_c": -0.07}  # fmt: skip
    clips = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as data:
            weights, names = data["weights"].astype(np.float64), [str(n) for n in data["names"]]
        curves = []
        for table in (opens, widens):
            factors = [sum(v for key, v in table.items() if name.startswith(key)) for name in names]
            curves.append(weights @ np.array(factors))
        samples, _ = sf.read(path.with_suffix(".ogg"), dtype="float32")
        clips.append(MouthClip(path.stem, "facegood", samples, FACEGOOD_FPS, curves[0], 0.8 + curves[1]))
    return clips
