"""How far a portrait's head can move: a turned one's far side is narrow, and bears neither squeezing nor spreading; and
of one that the picture cuts off, what is above the border was never seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from talkface.landmarks import LEFT_LID_UPPER, RIGHT_LID_UPPER
from talkface.pose import rotation
from talkface.rendering.canvas import Canvas
from talkface.rendering.sheet import Fields
from talkface.space import LARGEST_TURN_DEG, MotionSpace

EYE_WIDTH = (0.75, 1.2)  # of the portrait's: what a turn may make of an eye's width; frontal faces stay within
LEAST_DEG = 4.0  # that every head may turn
MOST_SUNK = 0.1  # inter-ocular distances: how far down what the border cuts may come
BENDS_FROM = 0.6  # of the limit: smaller turns are drawn as they are


@dataclass(frozen=True)
class Reach:
    """Where a portrait's head can go.

    Attributes:
        left_deg, right_deg: degrees that it can turn from its own pose to the image's left and right.
        cut: (N, 3) positions where the picture's upper border cuts the head, in the camera's space relative to `pivot`.
        pivot: (3,) about which the head turns, in the camera's space.
        unit_cm: inter-ocular distance, the unit in which heads move.
    """

    left_deg: float
    right_deg: float
    cut: np.ndarray
    pivot: np.ndarray
    unit_cm: float

    def within(self, values: np.ndarray) -> np.ndarray:
        """Motion vectors (B, D) whose heads stay in reach, softly; the eyes go on looking where they looked."""
        yaw, gaze = MotionSpace.columns("headYaw", "gazeYaw")
        asked = values[:, yaw]
        drawn = np.where(asked < 0, -_bent(-asked, self.left_deg), _bent(asked, self.right_deg))
        values = values.copy()
        values[:, yaw] = drawn
        values[:, gaze] += asked - drawn
        values[:, MotionSpace.index("headY")] -= self._sunk_too_far(values)
        return values

    def _sunk_too_far(self, values: np.ndarray) -> np.ndarray:
        """How far above their asked place (B,) heads are held, in inter-ocular distances: a nod takes a crown down from
        the border that cuts it, and the sheet would have to stretch what is seen of it."""
        if not len(self.cut):
            return np.zeros(len(values), values.dtype)
        poses = np.asarray(values, np.float64)[:, MotionSpace.pose]
        placed = self.cut @ np.swapaxes(rotation(*poses[:, :3].T), 1, 2) + self.pivot
        here = self.cut + self.pivot
        rise = placed[..., 1] * (here[:, 2] / placed[..., 2]) - here[:, 1]
        sunk = np.maximum(poses[:, 4] - rise.min(1) / self.unit_cm, 0)
        return (sunk - MOST_SUNK * np.tanh(sunk / MOST_SUNK)).astype(values.dtype)


def head_reach(fields: Fields, canvas: Canvas, pivot: np.ndarray, unit_cm: float) -> Reach:
    """The reach of a portrait's sheet, whose head turns about `pivot` (3,) in camera space and moves in `unit_cm`.

    The eye on the side the head turns to gets narrower, the other one wider. On a portrait that is turned already the
    far one soon is a slit, or a smear.
    """
    cells = len(fields.rigidity)
    corners = canvas.landmarks[[(lid[0], lid[-1]) for lid in (RIGHT_LID_UPPER, LEFT_LID_UPPER)]]
    column, row = np.moveaxis((corners + 0.5) * cells / canvas.size - 0.5, -1, 0)
    maps = (*np.moveaxis(fields.positions, -1, 0), fields.rigidity[..., 0])
    x, y, z, share = (map_coordinates(values, (row, column), order=1, mode="nearest") for values in maps)
    places = np.stack([x, y, z], -1)
    turns = np.arange(0.0, LARGEST_TURN_DEG[0] + 1)
    limits = []
    for sign in (-1.0, 1.0):
        turned = np.einsum("tij,ecj->teci", rotation(sign * turns, 0, 0), places - pivot) + pivot
        placed = places + share[..., None] * (turned - places)
        seen = placed[..., 0] / placed[..., 2]
        width = np.abs(seen[..., 1] - seen[..., 0])
        kept = width / width[0]
        beyond = ((kept < EYE_WIDTH[0]) | (kept > EYE_WIDTH[1])).any(1)
        limits.append(max(LEAST_DEG, float(turns[beyond.argmax()])) if beyond.any() else np.inf)
    return Reach(*limits, fields.cut - pivot, pivot, unit_cm)


def _bent(turn_deg: np.ndarray, limit_deg: float) -> np.ndarray:
    """Turns of at least 0, bent so that the limit is never passed; without a limit they stay as they are."""
    if not np.isfinite(limit_deg):
        return turn_deg
    knee = BENDS_FROM * limit_deg
    room = limit_deg - knee
    return np.minimum(turn_deg, knee) + room * np.tanh(np.maximum(turn_deg - knee, 0) / room)
