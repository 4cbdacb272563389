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
CLOSED_GAP = 0.05
LID_REACH = 0.28


class Expression:
    """A random change of one face, given its upright landmarks (478, 2)."""

    def __init__(self, upright: np.ndarray, rng: np.random.Generator) -> None:
        self.upright = upright
        gap = np.abs(upright[list(INNER_LOWER), 1] - upright[list(INNER_UPPER), 1]).max()
        self.opening = rng.beta(1.2, 2.0) * 0.62 if gap < CLOSED_GAP and rng.random() < 0.75 else 0.0
        self.width = float(np.exp(rng.normal(-0.04, 0.1))) if rng.random() < 0.6 else 1.0
        self.closing = rng.uniform(0.2, 1.0) if rng.random() < 0.35 else 0.0
        line = (upright[list(INNER_UPPER)] + upright[list(INNER_LOWER)]) / 2
        order = np.argsort(line[:, 0])
        self.line_u, self.line_v = line[order, 0], line[order, 1]
        self.middle = line.mean(0)
        self.half = max((self.line_u[-1] - self.line_u[0]) / 2, 0.15)

    def _drop(self, u: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """How far a point `depth` below the lip line moves down: with the lip near it, with the jaw further down."""
        t = (u - self.middle[0]) / self.half
        lip = np.clip(1 - t**2, 0, None) ** 0.6
        jaw = np.exp(-((u - self.middle[0]) ** 2) / 0.75)
        blend = np.clip(depth / 0.35, 0, 1)
        return self.opening * (lip * (1 - blend) + jaw * blend)

    def _widening(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        near = np.exp(-(((u - self.middle[0]) / 0.55) ** 2) - ((v - self.middle[1]) / 0.4) ** 2)
        return 1 + (self.width - 1) * near

    def source(self, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where output pixels come from, and how deep inside the opened mouth they are (0-1; 0 outside)."""
        u = self.middle[0] + (u - self.middle[0]) / self._widening(u, v)
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
        out[:, 0] = self.middle[0] + (out[:, 0] - self.middle[0]) * self._widening(out[:, 0], out[:, 1])
        return out


def interior(depth: np.ndarray, u: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Colours (S, S, 3) of an opened mouth: dark, perhaps upper and lower teeth, perhaps a tongue."""
    shade = rng.uniform(5, 70)
    picture = np.ones((*depth.shape, 3), np.float32) * shade * np.array([1.25, 0.8, 0.75])
    teeth = rng.uniform(110, 235) * np.array([1, 0.96, 0.88])
    if rng.random() < 0.65:
        picture = np.where(
            (depth < rng.uniform(0.12, 0.5))[..., None], teeth * (0.85 + 0.15 * np.cos(u * 60))[..., None], picture
        )
    if rng.random() < 0.25:
        picture = np.where((depth > rng.uniform(0.75, 0.9))[..., None], teeth * 0.85, picture)
    elif rng.random() < 0.5:
        picture = np.where(
            (depth > rng.uniform(0.5, 0.8))[..., None], np.array([150, 75, 75]) * rng.uniform(0.6, 1.3), picture
        )
    return cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 0.7)


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
        light = crop[depth > 0].mean() if (depth > 0).any() else 128
        mask = cv2.GaussianBlur((depth > 0).astype(np.float32), (0, 0), 0.5)[..., None]
        crop = (
            (interior(depth, u, rng) * np.clip(light / 120, 0.3, 1.3) * mask + crop * (1 - mask))
            .clip(0, 255)
            .astype(np.uint8)
        )
    return crop, expression.moved(upright)
