"""Drawing the eyes: lids that travel over an eyeball, and irises that turn.

Everything happens in portrait coordinates: the head's sheet has already said which place of the portrait a pixel shows;
here that place is moved on (lid skin) or replaced (eyeball).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.interpolate import PchipInterpolator

from talkface.landmarks import (
    LEFT_IRIS,
    LEFT_LID_LOWER,
    LEFT_LID_UPPER,
    RIGHT_IRIS,
    RIGHT_LID_LOWER,
    RIGHT_LID_UPPER,
)
from talkface.rendering.fields import blur, push_pull, smoothstep
from talkface.rendering.sampling import patch_indices, sample_plate, sample_texture

TABLE = 129
OVERSAMPLE = 2
EYEBALL_SHARE = 0.42  # eyeball radius / lid opening width: 12 mm / 29 mm
CLOSED_ASPECT = 0.09
LID_FOLLOWS_GAZE = 0.75
LID_LINE = 0.45  # how much darker at least the line is where closed lids meet
LID_SPARE = 0.045  # of the eye's width: how far from its landmarks a moving lid's edge begins
LID_RIM = 0.11  # of the eye's width: lashes and the lid's edge, which travel without being stretched
UNSEEN_IRIS = 50.0  # grey level where the portrait shows nothing of an iris


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
        iris: (2,) centre, canvas pixels; iris_radius in pixels.
        is_closed: the portrait shows this eye shut, so it stays as it is.
    """

    corner: np.ndarray
    along: np.ndarray
    down: np.ndarray
    width: float
    upper: np.ndarray
    lower: np.ndarray
    lid_skin: float
    cheek_skin: float
    iris: np.ndarray
    iris_radius: float
    is_closed: bool

    def coordinates(self, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """u and v of canvas positions (..., 2)."""
        offset = xy - self.corner
        return offset @ self.along / self.width, offset @ self.down

    def brow_share(self, xy: np.ndarray) -> np.ndarray:
        """How far positions (..., 2) may follow the brows: 0 at the eye, 1 above its lid's skin and beside it."""
        u, v = self.coordinates(xy)
        over = np.interp(u, np.linspace(0, 1, TABLE), self.upper) - v
        return np.maximum(smoothstep(over / (0.9 * self.lid_skin)), smoothstep((np.abs(u - 0.5) - 0.5) / 0.35))

    def inside(self, xy: np.ndarray) -> np.ndarray:
        """Signed distance (pixels, positive inside) of positions (..., 2) to the lid edges."""
        u, v = self.coordinates(xy)
        at = np.linspace(0, 1, TABLE)
        distance = np.minimum(v - np.interp(u, at, self.upper), np.interp(u, at, self.lower) - v)
        return np.where((u > 0) & (u < 1), distance, -9.0)


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
        u = np.maximum.accumulate(u + np.arange(len(u)) * 1e-4)
        edges.append(PchipInterpolator(u, v)(np.linspace(0, 1, TABLE)).astype(np.float32))
    upper, lower = np.minimum(*edges), np.maximum(*edges)
    brow = float(-(((landmarks[list(marks.brow)] - first) @ down).mean() - upper.min()))
    iris = landmarks[marks.iris[0]]
    radius = float(np.linalg.norm(landmarks[list(marks.iris[1:])] - iris, axis=1).mean())
    aperture = float((lower - upper).max())
    return EyeShape(
        corner=first, along=along, down=down, width=width, upper=upper, lower=lower,
        lid_skin=float(np.clip(0.8 * brow, 0.22 * width, 0.6 * width)), cheek_skin=0.4 * width,
        iris=iris, iris_radius=float(np.clip(radius, 0.15 * width, 0.28 * width)),
        is_closed=aperture < CLOSED_ASPECT * width,
    )  # fmt: skip


def eye_layers(still: np.ndarray, shape: EyeShape) -> tuple[np.ndarray, np.ndarray, np.ndarray, float, float]:
    """Complete what the lids hide and what a closed lid would show, at OVERSAMPLE times the canvas's resolution.

    Returns:
        white (3, h, w) and iris (4, h, w) of the eyeball, bare lid skin (3, h, w): float32, colours 0-255, alpha 0-1;
        left, top: canvas position of their first texel.
    """
    reach = 0.75 * shape.width
    centre = shape.corner + shape.along * shape.width / 2
    left, top = np.floor(centre - reach)
    texels = int(2 * OVERSAMPLE * np.ceil(reach))
    at = np.arange(texels) / OVERSAMPLE
    xy = np.stack(np.meshgrid(left + at, top + at), -1)
    picture = _bilinear(still.astype(np.float32), xy)
    inside = shape.inside(xy)
    from_iris = np.linalg.norm(xy - shape.iris, axis=-1)
    white_known = (inside > 1.0) & (from_iris > 1.22 * shape.iris_radius)
    if white_known.sum() < 12:
        white_known = (inside > 0.3) & (from_iris > shape.iris_radius)
    lid_known = _bare_lid(xy, shape)
    if white_known.sum() < 4 or lid_known.sum() < 4:
        blank = np.zeros((4, 2, 2), np.float32)
        return blank[:3], blank, blank[:3], float(left), float(top)
    white = push_pull(picture.transpose(2, 0, 1), white_known, smooth=30)
    lid = push_pull(picture.transpose(2, 0, 1), lid_known, smooth=30)
    iris = _complete_iris(picture, xy, shape, (inside > 1.0) & (from_iris < shape.iris_radius * 1.1))
    alpha = np.clip((shape.iris_radius * 1.04 - from_iris) / (0.16 * shape.iris_radius) + 0.5, 0, 1)
    return white, np.concatenate([iris, alpha[None]]).astype(np.float32), lid, float(left), float(top)


def _bare_lid(xy: np.ndarray, shape: EyeShape) -> np.ndarray:
    """Skin between the lashes and the brow, and a little below the lower lid, (h, w) bool."""
    u, v = shape.coordinates(xy)
    at = np.linspace(0, 1, TABLE)
    over, under = np.interp(u, at, shape.upper) - v, v - np.interp(u, at, shape.lower)
    rim = LID_RIM * shape.width
    above = (over > 1.2 * rim) & (over < max(0.55 * shape.lid_skin, 1.7 * rim))
    below = (under > 1.3 * rim) & (under < 2.5 * rim)
    return above | below


def _complete_iris(picture: np.ndarray, xy: np.ndarray, shape: EyeShape, known: np.ndarray) -> np.ndarray:
    """Fill the hidden part of the iris ring by ring: an iris is nearly the same all around."""
    radius = np.linalg.norm(xy - shape.iris, axis=-1)
    ring = np.minimum((radius * OVERSAMPLE).astype(int), 4 * OVERSAMPLE + int(shape.iris_radius * OVERSAMPLE * 2))
    rings = ring.max() + 1
    count = np.bincount(ring[known], minlength=rings)
    share = np.clip(blur(known.astype(np.float32), 1.0) * 2 - 1, 0, 1)
    out = np.full((3, *radius.shape), UNSEEN_IRIS, np.float32)
    for channel in range(3 if known.any() else 0):
        total = np.bincount(ring[known], picture[..., channel][known], minlength=rings)
        seen = np.flatnonzero(count)
        average = np.interp(np.arange(rings), seen, total[seen] / count[seen])[ring]
        out[channel] = picture[..., channel] * share + average * (1 - share)
    return out


def _bilinear(picture: np.ndarray, xy: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    x, y = np.clip(xy[..., 0], 0, width - 1.001), np.clip(xy[..., 1], 0, height - 1.001)
    x0, y0 = x.astype(int), y.astype(int)
    fx, fy = (x - x0)[..., None], (y - y0)[..., None]
    above = picture[y0, x0] * (1 - fx) + picture[y0, x0 + 1] * fx
    below = picture[y0 + 1, x0] * (1 - fx) + picture[y0 + 1, x0 + 1] * fx
    return above * (1 - fy) + below * fy


class Eye(torch.nn.Module):
    """One eye, ready to move."""

    def __init__(self, still: np.ndarray, shape: EyeShape) -> None:
        super().__init__()
        white, iris, lid, left, top = eye_layers(still, shape)
        self.width = shape.width
        self.iris_radius = shape.iris_radius
        self.is_closed = shape.is_closed
        self.lid_skin, self.cheek_skin = shape.lid_skin, shape.cheek_skin
        self.eyeball_px = EYEBALL_SHARE * shape.width
        self.half_width = int(np.ceil(0.75 * shape.width))
        self.half_height = int(np.ceil(0.85 * shape.width))
        centre = shape.corner + shape.along * shape.width / 2
        self.register_buffer("centre", torch.from_numpy(np.asarray(centre, np.float32)))
        self.register_buffer("origin", torch.from_numpy(np.asarray(shape.corner, np.float32)))
        self.register_buffer("axes", torch.from_numpy(np.stack([shape.along, shape.down]).astype(np.float32)))
        self.register_buffer("edges", torch.from_numpy(np.stack([shape.upper, shape.lower])))
        self.register_buffer("white", torch.from_numpy(white))
        self.register_buffer("iris", torch.from_numpy(iris))
        self.register_buffer("lid", torch.from_numpy(lid))
        self.register_buffer("plate_corner", torch.tensor([left, top]))

    def draw(self, frame, scene, texture, lids, gaze_deg) -> None:
        """Redraw this eye in frames (B, 3, h, w), in place.

        Args:
            scene: the geometry of these frames.
            texture: (3, 2S, 2S) the portrait.
            lids: (B, 3) blink, squint, wide of this eye, 0-1.
            gaze_deg: (B, 2) yaw and pitch relative to the portrait.
        """
        if self.is_closed:
            return
        centre = scene.follow(self.centre)
        half_width, half_height = (int(np.ceil(half / scene.nearest)) for half in (self.half_width, self.half_height))
        left = centre[:, 0].round().long() - half_width - scene.left
        top = centre[:, 1].round().long() - half_height - scene.top
        rows, columns = patch_indices(frame.shape[-2:], left, top, 2 * half_height, 2 * half_width)
        batch = torch.arange(len(frame), device=frame.device).view(-1, 1, 1)
        place = scene.places[batch, :, rows, columns].movedim(-1, 1)
        colour = self._compose(texture, place, lids, self._iris_shift(gaze_deg))
        frame[batch, :, rows, columns] = colour.movedim(1, -1)

    def _iris_shift(self, gaze_deg: torch.Tensor) -> torch.Tensor:
        """Pixels (B, 2) by which the iris moves on the picture."""
        angle = torch.deg2rad(gaze_deg.clamp(-40, 40))
        return torch.stack([torch.sin(angle[:, 0]), -torch.sin(angle[:, 1])], 1) * self.eyeball_px

    def _compose(self, texture, place, lids, turn) -> torch.Tensor:
        offset = place - self.origin.view(1, 2, 1, 1)
        u = (offset * self.axes[0].view(1, 2, 1, 1)).sum(1, keepdim=True) / self.width
        v = (offset * self.axes[1].view(1, 2, 1, 1)).sum(1, keepdim=True)
        upper, lower = self._edges(u)
        upper_now, lower_now = self._lids(upper, lower, lids, (turn * self.axes[1]).sum(1))
        closing = ((upper_now - upper) / (lower - upper).clamp_min(1)).clamp(0, 1)
        above, below = self._skin(v, upper, lower, upper_now, lower_now, closing)
        down = self.axes[1].view(1, 2, 1, 1)
        lid = sample_texture(texture, place + down * (above - v))
        bare = sample_plate(self.lid, (place - self.plate_corner.view(1, 2, 1, 1)) * OVERSAMPLE)
        behind = smooth_ramp((v - upper) / (2 * LID_RIM * self.width) + 1)
        ends = smooth_ramp(torch.minimum(u, 1 - u) / 0.22)
        lid = torch.lerp(lid, bare, closing**2 * behind * ends)
        cheek = sample_texture(texture, place + down * (below - v))
        shade = torch.lerp(torch.ones_like(u), self._lashes(texture, place, v, upper, upper_now, closing), ends)
        skin = shade * torch.lerp(lid, cheek, (v - (upper_now + lower_now) / 2 + 0.5).clamp(0, 1))
        show = torch.minimum(v - upper_now, lower_now - v) + 0.5
        show = torch.where((u > 0) & (u < 1), show, 0.0).clamp(0, 1)
        ball = self._eyeball(texture, place, turn, show)
        return torch.lerp(skin, ball, show)

    def _lashes(self, texture, place, v, upper, upper_now, closing) -> torch.Tensor:
        """Darkening (B, 1, h, w) below a closing lid: the portrait's lashes and lid edge, turned downwards."""
        rim = LID_RIM * self.width
        reach = (v - upper_now).clamp(0, rim)
        down = self.axes[1].view(1, 2, 1, 1)
        lash = sample_texture(texture, place + down * (upper - LID_SPARE * self.width - reach - v))
        bare = sample_texture(texture, place + down * (upper - 1.5 * rim - v))
        shade = (lash.mean(1, keepdim=True) / bare.mean(1, keepdim=True).clamp_min(1)).clamp(0.15, 1)
        fade = closing * (1 - (v - upper_now) / rim).clamp(0, 1) * (v > upper_now - 1)
        line = LID_LINE * closing**3 * torch.exp(-(((v - upper_now) / (0.028 * self.width)) ** 2))
        return torch.lerp(torch.ones_like(shade), shade, fade) * (1 - line)

    def _edges(self, u: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        position = (u * (TABLE - 1)).clamp(0, TABLE - 1.001)
        low = position.long()
        share = position - low
        return tuple(torch.lerp(table[low], table[low + 1], share) for table in self.edges)

    def _lids(self, upper, lower, lids, turn_down) -> tuple[torch.Tensor, torch.Tensor]:
        """Heights of the lid edges now: they meet a little above the lower lid's rest, and follow the gaze."""
        blink, squint, wide = (lids[:, k].view(-1, 1, 1, 1) for k in range(3))
        opening = lower - upper
        profile = (opening / opening.amax().clamp_min(1e-3)).clamp(0, 1)
        follow = turn_down.view(-1, 1, 1, 1) * LID_FOLLOWS_GAZE * profile
        upper_open = upper + follow + opening * (0.22 * squint - 0.22 * wide)
        lower_open = lower + 0.35 * follow - opening * 0.30 * squint
        meeting = lower - 0.12 * opening
        upper_now = torch.lerp(upper_open, meeting + 0.6, blink)
        lower_now = torch.lerp(lower_open, meeting, blink)
        return upper_now, torch.maximum(lower_now, torch.minimum(upper_now, meeting))

    def _skin(self, v, upper, lower, upper_now, lower_now, closing) -> tuple[torch.Tensor, torch.Tensor]:
        """Heights that the skin above and below comes from: edges keep their shape, the rest stretches."""
        rim = LID_RIM * self.width
        top, bottom = upper - self.lid_skin, lower + self.cheek_skin
        # A lid edge that was placed a little too far into the eye would drag some of the eyeball along.
        spare = closing * LID_SPARE * self.width
        above = ((v - top) / (upper_now - rim - top).clamp_min(1e-3)).clamp(0, 1)
        below = ((bottom - v) / (bottom - lower_now).clamp_min(1e-3)).clamp(0, 1)
        lifted = v - (upper_now - upper) * _ease(above)
        lowered = v - (lower_now - lower) * _ease(below)
        return torch.minimum(lifted, upper - spare), torch.maximum(lowered, lower + spare)

    def _eyeball(self, texture, place, turn, show) -> torch.Tensor:
        texels = (place - self.plate_corner.view(1, 2, 1, 1)) * OVERSAMPLE
        white = sample_plate(self.white, texels)
        shift = turn.view(-1, 2, 1, 1) * OVERSAMPLE
        iris = sample_plate(self.iris, texels - shift)
        moved = torch.lerp(white, iris[:, :3], iris[:, 3:])
        rest = sample_texture(texture, place)
        amount = turn.norm(dim=1).view(-1, 1, 1, 1).clamp(0, 1)
        return torch.lerp(rest, moved, amount)


def smooth_ramp(x: torch.Tensor) -> torch.Tensor:
    """0 below 0, 1 above 1, smooth between."""
    x = x.clamp(0, 1)
    return x * x * (3 - 2 * x)


def _ease(x: torch.Tensor) -> torch.Tensor:
    """0 to 1, flattening towards the end, so that the stretch fades out before the lid's edge."""
    return 1 - (1 - x).clamp(0, 1) ** 1.3


def sclera_colour(still: np.ndarray, shapes: list[EyeShape]) -> np.ndarray | None:
    """Colour (3,) 0-1 of the lit white of the eyes, None where hardly any is visible."""
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in still.shape[1::-1])), -1).astype(np.float32)
    pixels = []
    for shape in shapes:
        seen = (shape.inside(grid) > 1.5) & (np.linalg.norm(grid - shape.iris, axis=-1) > 1.25 * shape.iris_radius)
        pixels.append(still[seen])
    found = np.concatenate(pixels).astype(np.float32) / 255
    if len(found) < 8:
        return None
    bright = found[found.mean(1) >= np.percentile(found.mean(1), 60)]
    return bright.mean(0)
