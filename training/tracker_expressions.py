"""Expressions the pictures lack: the jaw opened, the lips narrowed or widened, the lids lowered, by moving pixels.

Everything happens in upright face coordinates (u right, v down, mean inter-ocular distance 1): `Expression.source` says
where an output pixel comes from, `Expression.moved` where a landmark goes, and `interior` what the lips uncover.
"""

from __future__ import annotations

import cv2
import numpy as np

INNER_UPPER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
INNER_LOWER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
LOWER_LIP = (95, 88, 178, 87, 14, 317, 402, 318, 324, 146, 91, 181, 84, 17, 314, 405, 321, 375)
EYES = (((33, 246, 161, 160, 159, 158, 157, 173, 133), (33, 7, 163, 144, 145, 153, 154, 155, 133)),
        ((362, 398, 384, 385, 386, 387, 388, 466, 263), (362, 382, 381, 380, 374, 373, 390, 249, 263)))  # fmt: skip
CLOSED_GAP, OPEN_GAP = 0.05, 0.25
LID_REACH = 0.28


class Expression:
    """A random change of one face, given its upright landmarks (478, 2)."""

    def __init__(self, upright: np.ndarray, rng: np.random.Generator) -> None:
        self.upright = upright
        gap = np.abs(upright[list(INNER_LOWER), 1] - upright[list(INNER_UPPER), 1]).max()
        self.shows_teeth = gap > CLOSED_GAP
        self.opening = float(rng.beta(1.1, 1.5) * 0.9) if gap < OPEN_GAP and rng.random() < 0.75 else 0.0
        self.roundness = rng.uniform(0.45, 1.0)  # exponent of the lower lip's curve: from a trough to a lens
        self.sagging = self.opening * rng.uniform(0, 0.4)  # how far the corners come down
        self.width = float(np.exp(rng.normal(-0.3 * self.opening, 0.1))) if rng.random() < 0.6 else 1.0
        self.closing = float(np.clip(rng.uniform(0.2, 1.5), 0, 1)) if rng.random() < 0.5 else 0.0
        lower = upright[list(INNER_LOWER)]
        line = lower if self.shows_teeth else (upright[list(INNER_UPPER)] + lower) / 2
        order = np.argsort(line[:, 0])
        self.line_u, self.line_v = line[order, 0], line[order, 1]
        self.middle = line.mean(0)
        self.half = max((self.line_u[-1] - self.line_u[0]) / 2, 0.15)

    def _drop(self, u: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """How far a point `depth` below the lip line moves down: with the lip near it, with the jaw further down."""
        t = (u - self.middle[0]) / self.half
        lip = np.clip(1 - t**2, 0, None) ** self.roundness
        jaw = np.exp(-((u - self.middle[0]) ** 2) / 0.75)
        blend = np.clip(depth / 0.35, 0, 1)
        return self.opening * (lip * (1 - blend) + jaw * blend)

    def _widening(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        near = np.exp(-(((u - self.middle[0]) / 0.55) ** 2) - ((v - self.middle[1]) / 0.4) ** 2)
        return 1 + (self.width - 1) * near

    def _sag(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """How far the corners of the mouth and the cheeks beside them come down."""
        across, down = (u - self.middle[0]) / self.half, (v - self.middle[1]) / 0.35
        return self.sagging * np.minimum(across**2, 1) * np.exp(-(np.clip(np.abs(across) - 1, 0, None) ** 2) - down**2)

    def source(self, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where output pixels come from, and how deep inside the opened mouth they are (0-1; 0 outside)."""
        u = self.middle[0] + (u - self.middle[0]) / self._widening(u, v)
        raised = v
        for _ in range(3):
            raised = v - self._sag(u, raised)
        v = raised
        line = np.interp(u, self.line_u, self.line_v)
        wanted = v - line
        room = self._drop(u, np.zeros_like(u))
        inside = np.where((wanted > 0) & (wanted < room), wanted / np.maximum(room, 1e-4), 0)
        depth = wanted
        for _ in range(4):
            depth = np.maximum(wanted - self._drop(u, np.maximum(depth, 0)), 0)
        v = np.where(wanted > 0, line + depth, v)
        for upper, lower in EYES if self.closing else ():
            v = self._lid_source(u, v, upper, lower)
        return u, v, inside

    def _curves(self, u: np.ndarray, upper: tuple, lower: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        top, bottom = self.upright[list(upper)], self.upright[list(lower)]
        high, low = np.argsort(top[:, 0]), np.argsort(bottom[:, 0])
        over = np.interp(u, top[high, 0], top[high, 1])
        under = np.interp(u, bottom[low, 0], bottom[low, 1])
        inside = (u > top[high[0], 0]) & (u < top[high[-1], 0]) & (under > over)
        return over, under, inside

    def _lid_source(self, u: np.ndarray, v: np.ndarray, upper: tuple, lower: tuple) -> np.ndarray:
        over, under, inside = self._curves(u, upper, lower)
        lowered = over + self.closing * (under - over)
        start = over - LID_REACH
        stretched = start + (v - start) * LID_REACH / np.maximum(lowered - start, 1e-4)
        return np.where(inside & (v > start) & (v < lowered), stretched, v)

    def moved(self, points: np.ndarray) -> np.ndarray:
        """The landmarks (478, 2) after the change."""
        out = points.copy()
        for upper, lower in EYES if self.closing else ():
            over, under, inside = self._curves(points[:, 0], upper, lower)
            share = np.clip((points[:, 1] - over + LID_REACH) / LID_REACH, 0, None)
            above = inside & (points[:, 1] <= over + 0.004)
            above[[*upper]] = True
            above[468:] = False
            out[:, 1] += np.where(above, np.minimum(share, 1) * self.closing * np.maximum(under - over, 0), 0)
        depth = points[:, 1] - np.interp(points[:, 0], self.line_u, self.line_v)
        below = depth > 0.004
        below[[*LOWER_LIP]] = True
        below[list(set(INNER_UPPER))] = False
        out[:, 1] += np.where(below, self._drop(points[:, 0], np.maximum(depth, 0)), 0)
        out[:, 1] += self._sag(points[:, 0], out[:, 1])
        out[:, 0] = self.middle[0] + (out[:, 0] - self.middle[0]) * self._widening(out[:, 0], out[:, 1])
        return out


def interior(depth: np.ndarray, across: np.ndarray, upper_teeth: bool, rng: np.random.Generator) -> np.ndarray:
    """Colours (S, S, 3) of an opened mouth: dark towards the throat, perhaps teeth above or below, perhaps a tongue.

    `depth` is 0 at the upper edge and 1 at the lower, `across` -1..1 between the corners.
    """
    across = np.clip(across, -1.2, 1.2)
    throat = 1 - rng.uniform(0.2, 0.8) * np.exp(-((depth - 0.45) ** 2) / 0.08 - across**2 / 0.5)
    picture = (rng.uniform(15, 110) * throat)[..., None] * np.array(
        [1.3, rng.uniform(0.6, 0.9), rng.uniform(0.6, 0.85)]
    )
    teeth = rng.uniform(120, 245) * (1 - 0.5 * across**2)[..., None] * np.array([1, 0.96, 0.88])
    teeth = teeth * (0.88 + 0.12 * np.cos(across * rng.uniform(15, 25)))[..., None]
    if rng.random() < 0.6:
        flat, top = rng.uniform(0.1, 0.8), rng.uniform(0.2, 0.85)
        tongue = (depth > top + flat * across**2)[..., None]
        shade = rng.uniform(90, 250) * (0.75 + 0.4 * (depth - top))[..., None]
        tint = rng.uniform(0.5, 0.88) + rng.uniform(-0.04, 0.04, 3) * [0, 1, 1]
        picture = np.where(tongue, shade * np.array([1.0, *tint[1:]]), picture)
    if upper_teeth and rng.random() < 0.65:
        picture = np.where((depth < rng.uniform(0.1, 0.45) * (1 - 0.5 * across**2))[..., None], teeth, picture)
    if rng.random() < 0.35:
        picture = np.where((depth > rng.uniform(0.75, 0.95) + 0.1 * across**2)[..., None], teeth * 0.85, picture)
    return cv2.GaussianBlur(picture.astype(np.float32), (0, 0), rng.uniform(0.5, 1.2))


def expressive(image: np.ndarray, upright_from_crop: np.ndarray, image_from_upright: np.ndarray,
               upright: np.ndarray, side: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """A crop (side, side, 3) of the changed face and its landmarks (478, 2) in upright coordinates.

    `upright_from_crop` and `image_from_upright` are affine maps (2, 3); `upright` (478, 2) the landmarks before.
    """
    expression = Expression(upright, rng)
    y, x = np.mgrid[:side, :side].astype(np.float32)
    a, b = upright_from_crop.astype(np.float32), image_from_upright.astype(np.float32)
    u, v = a[0, 0] * x + a[0, 1] * y + a[0, 2], a[1, 0] * x + a[1, 1] * y + a[1, 2]
    u, v, depth = expression.source(u, v)
    map_x = (b[0, 0] * u + b[0, 1] * v + b[0, 2]).astype(np.float32)
    map_y = (b[1, 0] * u + b[1, 1] * v + b[1, 2]).astype(np.float32)
    crop = cv2.remap(image, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if expression.opening > 0:
        light = np.clip(crop[depth > 0].mean() / 120, 0.3, 1.3) if (depth > 0).any() else 1.0
        mask = cv2.GaussianBlur((depth > 0).astype(np.float32), (0, 0), rng.uniform(0.4, 1.3))[..., None]
        across = (u - expression.middle[0]) / expression.half
        inner = interior(depth, across, not expression.shows_teeth, rng)
        crop = (inner * light * mask + crop * (1 - mask)).clip(0, 255).astype(np.uint8)
    moved = expression.moved(upright)
    if expression.closing > 0.6:
        crop = lashes(crop, moved, cv2.invertAffineTransform(upright_from_crop), rng)
    return crop, moved


def lashes(
    crop: np.ndarray, upright: np.ndarray, crop_from_upright: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """A dark line, more or less strong, along the edges of lowered upper lids."""
    drawn = crop.copy()
    scale = float(np.hypot(*crop_from_upright[:, 0]))
    colour, thickness = rng.uniform(5, 90, 3).tolist(), max(1, round(scale * rng.uniform(0.01, 0.05)))
    for upper, _ in EYES:
        line = upright[list(upper)] @ crop_from_upright[:, :2].T + crop_from_upright[:, 2]
        cv2.polylines(drawn, [(line * 16).round().astype(np.int32)], False, colour, thickness, cv2.LINE_AA, 4)
    strength = rng.uniform(0, 0.9)
    return cv2.addWeighted(drawn, strength, crop, 1 - strength, 0)
