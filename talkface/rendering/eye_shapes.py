"""Where a portrait's eyes are: lid edges, corners, irises, measured from the landmarks. Numpy, once per portrait."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import PchipInterpolator

from talkface.landmarks import (
    LEFT_IRIS,
    LEFT_LID_LOWER,
    LEFT_LID_UPPER,
    RIGHT_IRIS,
    RIGHT_LID_LOWER,
    RIGHT_LID_UPPER,
)
from talkface.rendering.fields import smoothstep

TABLE = 129
CLOSED_ASPECT = 0.09
BROW_FROM = 0.1  # of the eye's width above the lid's edge: lashes, which no brow pulls along
BROW_USUAL, BROW_LEAST = 0.45, 0.2  # of the eye's width from lid to brow: as in half of the faces, and at least
DARK_GLASS, GLASS_AROUND = 0.4, 0.12
"""Of the skin's brightness, and of the eye's width: an eye with what lies so far above and below it is brighter
somewhere (.45 and more in all but two of 3,900 pictures, whose eyes are lost in black), dark glasses are not (.25)."""
BRIGHTEST_PERCENT = 90  # of these pixels
CLOSED_BESIDE_CLOSED = 0.22  # eyes shut together: where one is shut, so is one that is read as hardly open


@dataclass(frozen=True)
class EyeLandmarks:
    """Numbers of the landmarks around one eye, image left to right, and its iris; `name` is the subject's side."""

    name: str
    upper: tuple[int, ...]
    lower: tuple[int, ...]
    brow: tuple[int, ...]
    iris: tuple[int, ...]


EYES = (
    EyeLandmarks("Right", RIGHT_LID_UPPER, RIGHT_LID_LOWER, (46, 53, 52, 65, 55), RIGHT_IRIS),
    EyeLandmarks("Left", LEFT_LID_UPPER, LEFT_LID_LOWER, (285, 295, 282, 283, 276), LEFT_IRIS),
)


@dataclass(frozen=True)
class EyeShape:
    """One eye of the portrait: u along the corners (0-1, image left to right), v downwards in pixels.

    Attributes:
        corner, along, down: (2,) origin and unit axes, canvas pixels.
        width: distance of the corners.
        upper, lower: (TABLE,) v of the lid edges.
        lid_skin, cheek_skin: pixels of skin above and below that stretch with the lids.
        brow: (TABLE,) pixels from the upper lid's edge to the brow's lower one.
        iris: (2,) centre, canvas pixels; iris_radius in pixels.
        outer_first: u = 0 is the outer corner.
        is_closed: the portrait shows this eye shut, or dark glasses hide it, so it stays as it is.
    """

    corner: np.ndarray
    along: np.ndarray
    down: np.ndarray
    width: float
    upper: np.ndarray
    lower: np.ndarray
    lid_skin: float
    cheek_skin: float
    brow: np.ndarray
    iris: np.ndarray
    iris_radius: float
    outer_first: bool
    is_closed: bool

    @property
    def aperture(self) -> float:
        """Largest height of the opening, of the eye's width."""
        return float((self.lower - self.upper).max()) / self.width

    @property
    def iris_covered_px(self) -> float:
        """How much of the iris's height the upper lid hides, pixels."""
        u, v = self.coordinates(self.iris)
        return max(0.0, float(np.interp(u, np.linspace(0, 1, TABLE), self.upper) - (v - self.iris_radius)))

    def coordinates(self, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """u and v of canvas positions (..., 2)."""
        offset = xy - self.corner
        return offset @ self.along / self.width, offset @ self.down

    @property
    def brow_room(self) -> float:
        """How far the brow may rise, of what it does where it lies at the usual height: skin stretches only so far."""
        return float(np.clip(self.brow.mean() / (BROW_USUAL * self.width), 0, 1))

    def brow_share(self, xy: np.ndarray) -> np.ndarray:
        """How far positions (..., 2) may follow the brows: 0 at the eye and its lashes, 1 at the brow and beside it.

        All the skin between lashes and brow shares the stretch: what is drawn there is smeared the less.
        """
        u, v = self.coordinates(xy)
        at = np.linspace(0, 1, TABLE)
        over, brow = np.interp(u, at, self.upper) - v, np.interp(u, at, self.brow)
        lashes = np.minimum(BROW_FROM * self.width, 0.5 * brow)
        up = np.clip((over - lashes) / (brow - lashes), 0, 1)
        return np.maximum((up + smoothstep(up)) / 2, smoothstep((np.abs(u - 0.5) - 0.5) / 0.35))

    def inside(self, xy: np.ndarray) -> np.ndarray:
        """Signed distance (pixels, positive inside) of positions (..., 2) to the lid edges."""
        u, v = self.coordinates(xy)
        at = np.linspace(0, 1, TABLE)
        distance = np.minimum(v - np.interp(u, at, self.upper), np.interp(u, at, self.lower) - v)
        return np.where((u > 0) & (u < 1), distance, -9.0)


def eye_shapes(landmarks: np.ndarray) -> list[EyeShape]:
    """Both eyes in the order of EYES, from the landmarks (478, 2) in canvas pixels."""
    shapes = [eye_shape(landmarks, marks) for marks in EYES]
    if not any(shape.is_closed for shape in shapes):
        return shapes
    return [replace(shape, is_closed=shape.aperture < CLOSED_BESIDE_CLOSED) for shape in shapes]


def eye_shape(landmarks: np.ndarray, marks: EyeLandmarks) -> EyeShape:
    """Measure an eye from the landmarks (478, 2) in canvas pixels."""
    first, last = landmarks[marks.upper[0]], landmarks[marks.upper[-1]]
    width = float(np.linalg.norm(last - first))
    along = (last - first) / width
    down = np.array([-along[1], along[0]], np.float32)
    edges = []
    for ring in (marks.upper, marks.lower):
        offset = landmarks[list(ring)] - first
        u, v = offset @ along / width, offset @ down
        # An eye seen from the side turns back at its corner.
        u = np.maximum.accumulate(u.astype(np.float64)) + np.arange(len(u)) * 1e-4
        edges.append(PchipInterpolator(u, v)(np.linspace(0, 1, TABLE)).astype(np.float32))
    upper, lower = np.minimum(*edges), np.maximum(*edges)
    height = float(-(((landmarks[list(marks.brow)] - first) @ down).mean() - upper.min()))
    iris = landmarks[marks.iris[0]]
    radius = float(np.linalg.norm(landmarks[list(marks.iris[1:])] - iris, axis=1).mean())
    return EyeShape(
        corner=first, along=along, down=down, width=width, upper=upper, lower=lower,
        lid_skin=float(np.clip(0.8 * height, 0.22 * width, 0.6 * width)), cheek_skin=0.4 * width,
        brow=_brow(landmarks[list(marks.brow)] - first, along, down, width, upper),
        iris=iris, iris_radius=float(np.clip(radius, 0.15 * width, 0.28 * width)),
        outer_first=marks.name == "Right",
        is_closed=float((lower - upper).max()) < CLOSED_ASPECT * width,
    )  # fmt: skip


def _brow(marks: np.ndarray, along: np.ndarray, down: np.ndarray, width: float, upper: np.ndarray) -> np.ndarray:
    """Height (TABLE,) of the brow's lower edge above the upper lid's, from its landmarks (n, 2) about the corner."""
    at = np.linspace(0, 1, TABLE)
    u, v = marks @ along / width, marks @ down
    order = np.argsort(u)
    return np.maximum(upper - np.interp(at, u[order], v[order]), BROW_LEAST * width).astype(np.float32)


def shut_if_hidden(still: np.ndarray, shapes: list[EyeShape], skin: np.ndarray) -> list[EyeShape]:
    """The same eyes, none of which moves if all are much darker than the `skin` (3,) 0-1: a blink would paint skin on
    dark glasses."""
    grid = _pixel_centres(still)
    inside = [still[shape.inside(grid) > -GLASS_AROUND * shape.width].mean(-1) for shape in shapes]
    brightest = [np.percentile(light, BRIGHTEST_PERCENT) for light in inside if len(light)]
    hidden = bool(brightest) and max(brightest) < DARK_GLASS * 255 * skin.mean()
    return [replace(shape, is_closed=shape.is_closed or hidden) for shape in shapes]


def _pixel_centres(still: np.ndarray) -> np.ndarray:
    """Positions (S, S, 2) of a picture's pixels."""
    return np.stack(np.meshgrid(*(np.arange(n) for n in still.shape[1::-1])), -1).astype(np.float32)


def sclera_colour(still: np.ndarray, shapes: list[EyeShape]) -> np.ndarray | None:
    """Colour (3,) 0-1 of the lit white of the eyes, None where hardly any is visible."""
    grid = _pixel_centres(still)
    pixels = []
    for shape in shapes:
        seen = (shape.inside(grid) > 1.5) & (np.linalg.norm(grid - shape.iris, axis=-1) > 1.25 * shape.iris_radius)
        pixels.append(still[seen])
    found = np.concatenate(pixels).astype(np.float32) / 255
    if len(found) < 8:
        return None
    bright = found[found.mean(1) >= np.percentile(found.mean(1), 60)]
    return bright.mean(0)
