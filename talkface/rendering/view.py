"""Head distance: which part of the canvas a frame shows, nearer or farther than the portrait.

The view scales about the face. Nearer than the portrait it simply shows less of the picture. Farther it shows more, as
far as the picture reaches; beyond that the head alone goes on shrinking, and what lies between it and the border is
stretched smoothly, so that nothing beyond the picture is ever invented.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from talkface.types import Crop

KNEE = 0.05  # of the frame's reach: how softly the stretched part begins
MOST_ABOVE = 4.0  # times its height in the picture: how far the room above the head is stretched
HAIR_SHARE, HAIR_RUN = 0.3, 0.02  # of a row's middle, of the canvas: so much in a hair's colour is the head
HAIR_BANDS = (0.1, 0.2, 0.3)  # upper ends of the bands above the face that tell the hair's colour, in face heights
TOLD_APART = 0.1  # difference of (square-rooted) colour by which hair and what is beside it can be told apart


def widen(crop: Crop, image_size: tuple[int, int], factor: float) -> Crop:
    """The crop enlarged by at most `factor` (>= 1) about its centre, shifted and limited to stay inside the picture."""
    height, width = image_size
    size = min(crop.size * factor, height, width)
    start = [
        float(np.clip(low - (size - crop.size) / 2, -0.5, limit - 0.5 - size))
        for low, limit in ((crop.x0, width), (crop.y0, height))
    ]
    return Crop(start[0], start[1], size)


def hair_top(still: np.ndarray, low: np.ndarray, high: np.ndarray, guess: float) -> float:
    """Row of a picture (S, S, 3) uint8 in which the head with its hair, or hat, begins.

    `low` and `high` (2,) bound the face's landmarks. In every row above them the middle is compared with the colours
    just above the face and with what is to either side. Where hardly any of these differ, `guess` counts, too.
    """
    size, (width, height), middle_x = len(still), high - low, (low[0] + high[0]) / 2
    left, right = (int(np.clip(x, 0, size)) for x in (low[0] - 0.3 * width, high[0] + 0.3 * width))
    middle = slice(max(int(middle_x - 0.2 * width), 0), int(middle_x + 0.2 * width))
    beside = [side for side in (slice(0, left), slice(right, size)) if side.stop - side.start >= 4]
    face_top = int(np.clip(low[1], 0, size))
    bands = [(max(int(low[1] - up * height), 0), int(low[1] - (up - 0.1) * height)) for up in HAIR_BANDS]
    colour = np.sqrt(still[:face_top].astype(np.float32) / 255)
    seen, grounds = colour[:, middle], [np.median(colour[:, side], 1) for side in beside]
    off_head = []
    for first, last in bands:
        if last - first < 3 or not beside:
            continue
        hair = np.median(seen[first:last].reshape(-1, 3), 0)
        if min(np.linalg.norm(ground[first:last] - hair, axis=1).mean() for ground in grounds) > TOLD_APART:
            off_head.append(np.linalg.norm(seen - hair, axis=2))
    if not off_head:
        return guess
    off_ground = np.min([np.linalg.norm(seen - ground[:, None], axis=2) for ground in grounds], 0)
    is_head = (np.min(off_head, 0) < off_ground).mean(1) > HAIR_SHARE
    run = max(1, round(HAIR_RUN * size))
    inside = np.convolve(is_head, np.ones(run), "valid") == run
    found = float(np.argmax(inside)) if inside.any() else guess
    return found if len(off_head) > 1 else min(found, guess)


@dataclass(frozen=True)
class View:
    """Maps between frame pixels and canvas pixels, the same for x and y apart from their centres.

    Attributes:
        frame_px, canvas_px: sides of the frames and of the canvas.
        focus: (2,) canvas position of the face.
        origin: (2,) canvas position of the frame's first pixel at distance 1.
        head: canvas left, top, right, bottom of the head with its hair, which keeps its shape at every distance.
    """

    frame_px: int
    canvas_px: int
    focus: tuple[float, float]
    origin: tuple[float, float]
    head: tuple[float, float, float, float]

    def is_plain(self, distance: np.ndarray) -> bool:
        """Frames at these head distances (B,) show the canvas pixel by pixel."""
        return self.frame_px == self.canvas_px and bool(np.all(np.abs(distance - 1) < 1e-6))

    def to_canvas(self, along: torch.Tensor, distance: float, axis: int) -> torch.Tensor:
        """Canvas coordinates of frame coordinates (n,) along an axis (0 = x) at a head distance."""
        first, last, focus, middle = self._extent(distance, axis)
        before, after = focus - self.head[axis], self.head[axis + 2] - focus
        below = _half(middle - along, middle + 0.5, focus - first, before, distance)
        above = _half(along - middle, self.frame_px - 0.5 - middle, last - focus, after, distance)
        return torch.where(along < middle, focus - below, focus + above)

    def to_frame(self, place: torch.Tensor, distance: np.ndarray) -> torch.Tensor:
        """Frame positions (B, 2) of canvas positions (B, 2) near the face at head distances (B,)."""
        middle = [[self._extent(float(r), axis)[3] for axis in (0, 1)] for r in distance]
        steps = np.stack([middle, np.repeat(distance[:, None], 2, axis=1)]).astype(np.float32)
        middle, distance = torch.from_numpy(steps).to(place.device)
        focus = torch.tensor(self.focus, device=place.device)
        return middle + (place - focus) / distance

    def _extent(self, distance: float, axis: int) -> tuple[float, float, float, float]:
        """First and last canvas coordinate shown, the face's canvas coordinate and its frame coordinate."""
        focus, last = self.focus[axis], self.canvas_px - 0.5
        span = min(self.frame_px * distance, self.canvas_px)
        if self.frame_px * distance <= self.canvas_px:  # the picture reaches: an undistorted window, shifted inside it
            middle = focus - self.origin[axis]
            first = float(np.clip(focus - (middle + 0.5) * span / self.frame_px, -0.5, last - span))
            return first, first + span, focus, (focus - first) / distance - 0.5
        if axis == 0:
            middle = (focus + 0.5) * self.frame_px / self.canvas_px - 0.5
        else:  # neck and shoulders keep their shape and the room above the head is stretched, as far as it goes
            room, top = max(self.head[1] + 0.5, 0.0), max(self.head[1], -0.5)
            middle = self.frame_px - 0.5 - (last - focus) / distance
            middle = min(middle, (focus - top) / distance + MOST_ABOVE * room - 0.5)
        return -0.5, last, focus, middle


def _half(along: torch.Tensor, frame_reach: float, canvas_reach: float, core: float, slope: float) -> torch.Tensor:
    """One side of the face: `slope` as far as the `core` reaches on the canvas, a soft knee, then a straight line.

    It ends exactly at the canvas's reach at the frame's border.
    """
    if slope * frame_reach <= canvas_reach:
        return along * slope
    knee = min(core, 0.97 * canvas_reach) / slope
    rest = (canvas_reach - knee * slope) / (frame_reach - knee)
    soft = KNEE * frame_reach
    past = along - knee
    ramp = torch.where(past.abs() < soft, (past + soft) ** 2 / (4 * soft), past.clamp_min(0))
    return along * slope - (slope - rest) * ramp
