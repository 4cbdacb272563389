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

KNEE = 0.05
MOST_ABOVE = 1.5  # times its height in the picture: how far the room above the head is stretched


def widen(crop: Crop, image_size: tuple[int, int], factor: float) -> Crop:
    """The crop enlarged by at most `factor` (>= 1) about its centre, shifted and limited to stay inside the picture."""
    height, width = image_size
    size = min(crop.size * factor, height, width)
    start = [
        float(np.clip(low - (size - crop.size) / 2, -0.5, limit - 0.5 - size))
        for low, limit in ((crop.x0, width), (crop.y0, height))
    ]
    return Crop(start[0], start[1], size)


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
        focus = self.focus[axis]
        middle = focus - self.origin[axis]
        span = min(self.frame_px * distance, self.canvas_px)
        first = focus - (middle + 0.5) * span / self.frame_px
        first = float(np.clip(first, -0.5, self.canvas_px - 0.5 - span))
        if self.frame_px * distance <= self.canvas_px:  # the picture reaches: an undistorted window, shifted inside it
            middle = (focus - first) / distance - 0.5
        elif axis == 1:
            room = max(self.head[1] - first, 0.0)
            middle = min(middle, (focus - max(self.head[1], first)) / distance + MOST_ABOVE * room - 0.5)
        return first, first + span, focus, middle


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
