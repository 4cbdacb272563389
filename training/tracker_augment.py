"""Augmentation of small pictures with OpenCV, about a millisecond each: geometry, light, damage, style."""

from __future__ import annotations

import cv2
import numpy as np

Generator = np.random.Generator
BORDERS = (cv2.BORDER_REFLECT, cv2.BORDER_REPLICATE, cv2.BORDER_REPLICATE, cv2.BORDER_CONSTANT)


def similarity(centre: np.ndarray, size: float, roll: float, side: int, units: float) -> np.ndarray:
    """Affine map (2, 3), picture -> upright crop of `side` pixels about `centre` that shows `units` face sizes."""
    scale = side / (units * size)
    c, s = np.cos(roll) * scale, np.sin(roll) * scale
    turn = np.array([[c, s], [-s, c]])
    middle = (side - 1) / 2
    return np.c_[turn, middle - turn @ centre]


def compose(first: np.ndarray, then: np.ndarray) -> np.ndarray:
    """The affine map (2, 3) that does `first`, then `then`."""
    square = np.vstack([first, [0, 0, 1]])
    return then @ square


def warp(image: np.ndarray, matrix: np.ndarray, side: int, rng: Generator) -> np.ndarray:
    """The crop, after an area filter where the picture is much finer than the crop."""
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale < 0.6:
        factor = max(2, int(np.ceil(0.6 / scale)))
        height, width = image.shape[0] // factor, image.shape[1] // factor
        image = cv2.resize(image[: height * factor, : width * factor], (width, height), interpolation=cv2.INTER_AREA)
        matrix = compose(np.array([[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2.0]]), matrix)
    flag = cv2.INTER_CUBIC if rng.random() < 0.2 else cv2.INTER_LINEAR
    border = BORDERS[rng.integers(len(BORDERS))]
    colour = rng.integers(0, 256, 3).tolist()
    return cv2.warpAffine(image, matrix, (side, side), flags=flag, borderMode=border, borderValue=colour)


def damage(crop: np.ndarray, rng: Generator) -> np.ndarray:
    """Light, colour, style, blur, noise, compression and occlusion, each with its own chance, on (S, S, 3) uint8."""
    if rng.random() < 0.12:
        crop = _painted(crop, rng)
    if rng.random() < 0.12:
        crop = _smaller(crop, rng)
    crop = _lit(crop, rng)
    if rng.random() < 0.25:
        crop = _blurred(crop, rng)
    if rng.random() < 0.3:
        crop = _occluded(crop, rng)
    if rng.random() < 0.3:
        crop = _noisy(crop, rng)
    if rng.random() < 0.3:
        quality = int(rng.integers(12, 80))
        code = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        crop = cv2.imdecode(code, cv2.IMREAD_COLOR)
    return crop


def _lit(crop: np.ndarray, rng: Generator) -> np.ndarray:
    """Grey or tinted, brighter or darker, more or less contrast, gamma, and a shadow across the picture."""
    draw = rng.random()
    if draw < 0.2:
        crop = cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    elif draw < 0.4:
        hsv = cv2.cvtColor(crop, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(np.int16) + int(rng.integers(-20, 21))) % 180
        hsv[..., 1] = np.clip(hsv[..., 1] * rng.uniform(0.2, 1.8), 0, 255).astype(np.uint8)
        crop = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    ramp = np.linspace(0, 1, 256)[:, None] ** np.exp(rng.normal(0, 0.3))
    gain = np.exp(rng.normal(0, 0.25)) * np.exp(rng.normal(0, 0.1, 3))
    tables = ((ramp - 0.5) * gain + 0.5 + rng.normal(0, 0.1)) * 255
    table = np.clip(tables, 0, 255).astype(np.uint8)[None]
    crop = cv2.LUT(crop, table)
    if rng.random() < 0.2:
        shade = cv2.resize(
            rng.uniform(0.35, 1.4, (3, 3)).astype(np.float32), crop.shape[1::-1], interpolation=cv2.INTER_CUBIC
        )
        crop = np.clip(crop * shade[..., None], 0, 255).astype(np.uint8)
    return crop


def _painted(crop: np.ndarray, rng: Generator) -> np.ndarray:
    """Smoothed strokes, few tones, or the lines of a drawing."""
    draw = rng.random()
    if draw < 0.3:
        return cv2.medianBlur(crop, int(rng.choice([3, 5])))
    if draw < 0.55:
        return cv2.bilateralFilter(crop, 5, 60, 5)
    if draw < 0.75:
        step = int(rng.integers(16, 64))
        return (crop // step * step + step // 2).astype(np.uint8)
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    base = cv2.GaussianBlur(grey, (0, 0), rng.uniform(2, 6))
    lines = cv2.divide(grey, cv2.max(base, 1), scale=float(rng.uniform(200, 255)))
    sketch = cv2.cvtColor(lines, cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(sketch, 0.75, crop, 0.25, 0) if draw < 0.9 else sketch


def _smaller(crop: np.ndarray, rng: Generator) -> np.ndarray:
    side = crop.shape[0]
    small = int(side * rng.uniform(0.25, 0.8))
    reduced = cv2.resize(crop, (small, small), interpolation=int(rng.choice([cv2.INTER_AREA, cv2.INTER_LINEAR])))
    return cv2.resize(reduced, (side, side), interpolation=int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC])))


def _blurred(crop: np.ndarray, rng: Generator) -> np.ndarray:
    if rng.random() < 0.7:
        return cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.4, 1.8))
    length = int(rng.integers(3, 8))
    line = np.zeros((length, length), np.float32)
    line[length // 2] = 1 / length
    middle = ((length - 1) / 2, (length - 1) / 2)
    turn = cv2.getRotationMatrix2D(middle, rng.uniform(0, 180), 1)
    kernel = cv2.warpAffine(line, turn, (length, length))
    return cv2.filter2D(crop, -1, kernel / max(kernel.sum(), 1e-3))


def _noisy(crop: np.ndarray, rng: Generator) -> np.ndarray:
    strength = rng.uniform(2, 22)
    shape = crop.shape if rng.random() < 0.5 else (*crop.shape[:2], 1)
    noise = rng.standard_normal(shape, dtype=np.float32) * strength
    if rng.random() < 0.4:  # film grain: coarser than a pixel
        noise = cv2.GaussianBlur(noise, (0, 0), 0.8).reshape(shape) * 2
    return np.clip(crop + noise, 0, 255).astype(np.uint8)


def _occluded(crop: np.ndarray, rng: Generator) -> np.ndarray:
    """One to three flat, noisy or copied patches: hands, hair, microphones, captions."""
    crop = crop.copy()
    side = crop.shape[0]
    for _ in range(int(rng.integers(1, 4))):
        width, height = rng.integers(side // 16, side // 3, 2)
        left, top = rng.integers(0, side - 8, 2)
        draw = rng.random()
        if draw < 0.35:
            x, y = rng.integers(0, side - max(width, height), 2)
            patch = crop[y : y + height, x : x + width].copy()
            view = crop[top : top + height, left : left + width]
            view[:] = patch[: view.shape[0], : view.shape[1]]
        else:
            colour = rng.integers(0, 256, 3).tolist()
            if draw < 0.7:
                angle = float(rng.uniform(0, 180))
                axes = (int(width) // 2 + 1, int(height) // 2 + 1)
                cv2.ellipse(crop, (int(left), int(top)), axes, angle, 0, 360, colour, -1, cv2.LINE_AA)
            elif draw < 0.85:
                cv2.rectangle(crop, (int(left), int(top)), (int(left + width), int(top + height)), colour, -1)
            else:
                end = tuple(int(v) for v in rng.integers(0, side, 2))
                cv2.line(crop, (int(left), int(top)), end, colour, int(rng.integers(1, 5)), cv2.LINE_AA)
    return crop
