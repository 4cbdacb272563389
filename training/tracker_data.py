"""Pictures and labels for the tracker: reading, the fixed split, the face frame, the mirror permutation.

`data/faces` is read from TALKFACE_DATA (default ../shared/data). Held out for measuring: every tenth file of
`generated`, `official` and `congress` (index % 10 == 0), and all of `portraits`. `reenacted` is what
`tracker_reenact` made of the training half.
"""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from talkface.face.tracker_crops import frame_of as face_frame
from talkface.landmarks import LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS
from training.tracker_learner import RUNS

DATA = Path(os.environ.get("TALKFACE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
SETS = ("generated", "official", "congress", "portraits")
REENACTED = "reenacted"
HELD_OUT_EVERY = 10
LABEL_SCALE = 8
OPEN_MOUTH_BONUS = 3.0


@dataclass(frozen=True)
class Sample:
    """One labelled picture: image (H, W, 3) uint8 RGB, marks (478, 3) float32 pixels, its set and place in it."""

    image: np.ndarray
    marks: np.ndarray
    set_name: str
    index: int

    @property
    def held_out(self) -> bool:
        """Whether it is for measuring only."""
        every_tenth = self.set_name != REENACTED and self.index % HELD_OUT_EVERY == 0
        return self.set_name == "portraits" or every_tenth


def read_sets(names: tuple[str, ...] = SETS) -> list[Sample]:
    """All samples of the named sets, decoded."""
    samples = []
    for name in names:
        folder = RUNS if name == REENACTED else DATA / "faces"
        archive = zipfile.ZipFile(folder / f"{name}.zip")
        marks = np.load(folder / f"{name}_landmarks.npz")["marks"].astype(np.float32) / LABEL_SCALE
        for index, (entry, points) in enumerate(zip(archive.namelist(), marks, strict=True)):
            picture = cv2.imdecode(np.frombuffer(archive.read(entry), np.uint8), cv2.IMREAD_COLOR)
            samples.append(Sample(picture[:, :, ::-1].copy(), points, name, index))
    return samples


def lip_gap(points: np.ndarray) -> np.ndarray:
    """How far the inner lips are apart in the middle, in inter-ocular distances, (..., 478, 2 or 3) -> (...)."""
    return np.linalg.norm(points[..., 13, :2] - points[..., 14, :2], axis=-1) / interocular(points)


def shares(samples: list[Sample], set_weight: dict[str, float]) -> np.ndarray:
    """(n,) how often to draw each sample: by its set, and open mouths, which are rare, more often."""
    gaps = lip_gap(np.array([sample.marks for sample in samples]))
    weights = np.array([set_weight[sample.set_name] for sample in samples])
    rare = np.array([sample.set_name != REENACTED for sample in samples])
    weights = weights * (1 + rare * OPEN_MOUTH_BONUS * np.clip((gaps - 0.15) / 0.15, 0, 1))
    return weights / weights.sum()


def interocular(points: np.ndarray) -> np.ndarray:
    """Distance between the eye centres, (..., 478, 2 or 3) -> (...)."""
    right = points[..., RIGHT_EYE_CORNERS, :2].mean(-2)
    left = points[..., LEFT_EYE_CORNERS, :2].mean(-2)
    return np.linalg.norm(left - right, axis=-1)


def frame_of(points: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, float, float]:
    """The face frame of `points` as centre (2,), size in pixels and roll in radians."""
    frame = face_frame(points, mean)
    return np.array([frame.x, frame.y], np.float32), frame.size, frame.roll


def mean_shape(samples: list[Sample]) -> tuple[np.ndarray, np.ndarray]:
    """The symmetric mean face (478, 3), inter-ocular distance 1, origin at its centre, and the mirror permutation.

    Taken from the training half of `generated`, whose faces look straight ahead.
    """
    chosen = np.array([s.marks for s in samples if s.set_name == "generated" and not s.held_out])
    chosen = chosen / interocular(chosen)[:, None, None]
    mean = (chosen - chosen.mean(1, keepdims=True)).mean(0)
    for _ in range(3):  # turn each face onto the mean, then average again
        aligned = []
        for face in chosen:
            centre, size, roll = frame_of(face, mean)
            c, s = np.cos(roll) / size, np.sin(roll) / size
            turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1 / size]])
            aligned.append((face - [*centre, face[:, 2].mean()]) @ turn.T)
        mean = np.mean(aligned, 0)
        mean = mean / interocular(mean)
    mirrored = mean * [-1, 1, 1]
    distance = np.linalg.norm(mean[:, None] - mirrored[None], axis=-1)
    mirror = linear_sum_assignment(distance)[1]
    mean = (mean + mirrored[mirror]) / 2
    return (mean - [0, *mean[:468, 1:].mean(0)]).astype(np.float32), mirror.astype(np.int64)
