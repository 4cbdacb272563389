"""Pictures without faces, made or cut out: what the tracker must not take for a face.

Made: noise of one scale and of all scales, dead leaves (overlapping discs of all sizes, like photographs in their
statistics), strokes, stripes, cells, lit balls, lines of text. Cut out: parts of a few sample pictures of scikit-image
that show no person (brick, gravel, coffee, hubble, moon, page, coins: public domain or CC0).
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

Generator = np.random.Generator
SAMPLE_PICTURES = ("brick", "gravel", "coffee", "hubble_deep_field", "moon", "page", "coins")


def texture(side: int, rng: Generator) -> np.ndarray:
    """One faceless picture (side, side, 3) uint8."""
    makers = (_noise, _natural_noise, _leaves, _strokes, _stripes, _cells, _balls, _text, _cut_out, _cut_out)
    picture = makers[rng.integers(len(makers))](side, rng)
    if rng.random() < 0.2:  # two of them in one picture
        other = makers[rng.integers(len(makers))](side, rng)
        share = cv2.resize(
            rng.uniform(-1.5, 2.5, (3, 3)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC
        )
        share = np.clip(share, 0, 1)[..., None]
        picture = (picture * share + other * (1 - share)).astype(np.uint8)
    return picture


def _colour(rng: Generator) -> list[int]:
    return rng.integers(0, 256, 3).tolist()


def _plain(side: int, rng: Generator) -> np.ndarray:
    return np.full((side, side, 3), rng.integers(0, 256, 3), np.uint8)


def _noise(side: int, rng: Generator) -> np.ndarray:
    cells = int(np.exp(rng.uniform(np.log(2), np.log(side))))
    channels = 3 if rng.random() < 0.6 else 1
    noise = rng.integers(0, 256, (cells, cells, channels), dtype=np.uint8)
    picture = cv2.resize(
        noise, (side, side), interpolation=cv2.INTER_CUBIC if rng.random() < 0.7 else cv2.INTER_NEAREST
    )
    return np.repeat(picture.reshape(side, side, -1), 3 // channels, axis=2)


def _natural_noise(side: int, rng: Generator) -> np.ndarray:
    """Noise of all scales with a power law, in related colours."""
    total = np.zeros((side, side, 3), np.float32)
    fall, cells = rng.uniform(0.35, 0.8), 2
    weight = 1.0
    while cells <= side:
        shape = (cells, max(2, int(cells * np.exp(rng.normal(0, 0.4)))), 3)
        noise = rng.standard_normal(shape, dtype=np.float32)
        noise = noise.mean(2, keepdims=True) * 1.5 + noise * 0.3
        total += weight * cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)
        weight *= fall
        cells *= 2
    return np.clip(total * rng.uniform(20, 60) + rng.uniform(60, 190, 3), 0, 255).astype(np.uint8)


def _leaves(side: int, rng: Generator) -> np.ndarray:
    """Overlapping discs, ellipses and polygons, sizes by a power law, some of them shaded."""
    picture = _plain(side, rng)
    palette = rng.integers(0, 256, (int(rng.integers(2, 8)), 3))
    for _ in range(int(rng.integers(30, 160))):
        radius = int(np.clip(1.5 / rng.uniform(0.008, 1) * side / 128, 1, side // 2))
        x, y = (int(v) for v in rng.integers(-5, side + 5, 2))
        colour = np.clip(palette[rng.integers(len(palette))] + rng.normal(0, 20, 3), 0, 255).tolist()
        if rng.random() < 0.5:
            axes = (radius, max(1, int(radius * rng.uniform(0.4, 1))))
            cv2.ellipse(picture, (x, y), axes, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
        else:
            corners = (rng.normal(0, 1, (int(rng.integers(3, 6)), 2)) * radius + [x, y]).astype(np.int32)
            cv2.fillPoly(picture, [corners], colour, cv2.LINE_AA)
    return picture


def _strokes(side: int, rng: Generator) -> np.ndarray:
    """Grass, fur, hair: many lines of about one direction."""
    picture = _plain(side, rng)
    base, angle, spread = rng.integers(0, 256, 3), rng.uniform(0, np.pi), rng.uniform(0.05, 0.8)
    length = rng.uniform(0.05, 0.5) * side
    for _ in range(int(rng.integers(80, 350))):
        a = angle + rng.normal(0, spread)
        x, y = rng.uniform(0, side, 2)
        end = (int(x + np.cos(a) * length), int(y + np.sin(a) * length))
        colour = np.clip(base * rng.uniform(0.4, 1.5) + rng.normal(0, 12, 3), 0, 255).tolist()
        cv2.line(picture, (int(x), int(y)), end, colour, int(rng.integers(1, 3)), cv2.LINE_AA)
    return picture


def _stripes(side: int, rng: Generator) -> np.ndarray:
    """Waves, grids and rings."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    angle, period = rng.uniform(0, np.pi), rng.uniform(3, side / 2)
    along = np.cos(angle) * x + np.sin(angle) * y
    if rng.random() < 0.3:
        along = np.hypot(x - rng.uniform(0, side), y - rng.uniform(0, side))
    wave = np.sin(along * 2 * np.pi / period + rng.normal(0, 1) * np.sin(y / rng.uniform(5, 40)))
    if rng.random() < 0.4:
        wave = wave * np.sin((np.sin(angle) * x - np.cos(angle) * y) * 2 * np.pi / period)
    wave = np.tanh(wave * rng.uniform(0.5, 6))[..., None] * 0.5 + 0.5
    return (wave * rng.integers(0, 256, 3) + (1 - wave) * rng.integers(0, 256, 3)).astype(np.uint8)


def _cells(side: int, rng: Generator) -> np.ndarray:
    """Stones, tissue, tiles: the nearest of many points decides the colour, the border is dark or light."""
    points = rng.uniform(0, side, (int(rng.integers(5, 60)), 2)).astype(np.float32)
    y, x = np.mgrid[: side // 2, : side // 2].astype(np.float32) * 2
    distance = np.hypot(x[..., None] - points[:, 0], y[..., None] - points[:, 1])
    two = np.partition(distance, 1, axis=-1)[..., :2]
    colours = np.clip(rng.uniform(40, 200, 3) + rng.normal(0, 30, (len(points), 3)), 0, 255)
    edge = np.clip((two[..., 1] - two[..., 0]) / rng.uniform(2, 10), 0, 1)[..., None]
    shade = 1 - np.clip(two[..., :1] / rng.uniform(20, 120), 0, 0.6)
    picture = colours[distance.argmin(-1)] * shade * edge + rng.uniform(0, 255) * (1 - edge)
    return cv2.resize(np.clip(picture, 0, 255).astype(np.uint8), (side, side), interpolation=cv2.INTER_LINEAR)


def _balls(side: int, rng: Generator) -> np.ndarray:
    """Coins, fruit, cups, eggs: lit ovals, with a few dark spots or rings on them, but never the pattern of a face."""
    picture = _natural_noise(side, rng) if rng.random() < 0.5 else _plain(side, rng)
    for _ in range(int(rng.integers(1, 14))):
        radius = int(rng.uniform(0.05, 0.35) * side)
        x, y = (int(v) for v in rng.integers(0, side, 2))
        tone = rng.uniform(40, 255, 3)
        squeeze = rng.uniform(0.7, 1)
        for step in np.linspace(1, 0.1, 6):
            shift = int(radius * (1 - step) * 0.4)
            axes = (max(1, int(radius * step)), max(1, int(radius * step * squeeze)))
            cv2.ellipse(
                picture,
                (x - shift, y - shift),
                axes,
                0,
                0,
                360,
                np.clip(tone * (1.15 - 0.5 * step), 0, 255).tolist(),
                -1,
                cv2.LINE_AA,
            )
        for _ in range(int(rng.integers(0, 9))):
            spot = (int(x + rng.normal(0, radius / 2)), int(y + rng.normal(0, radius / 2)))
            cv2.circle(
                picture,
                spot,
                max(1, int(radius * rng.uniform(0.05, 0.2))),
                (tone * rng.uniform(0.2, 0.8)).tolist(),
                int(rng.choice([-1, 1, 2])),
                cv2.LINE_AA,
            )
    return picture


def _text(side: int, rng: Generator) -> np.ndarray:
    picture = _plain(side, rng) if rng.random() < 0.7 else _natural_noise(side, rng)
    colour, size = _colour(rng), rng.uniform(0.25, 1.0)
    font, step = int(rng.integers(0, 8)), int(rng.integers(8, 26) * max(size, 0.5))
    left = int(rng.integers(-20, 20))
    for row in range(int(rng.integers(0, step + 1)), side + step, max(step, 6)):
        text = "".join(chr(c) if rng.random() > 0.15 else " " for c in rng.integers(65, 123, int(rng.integers(5, 40))))
        cv2.putText(picture, text, (left, row), font, size, colour, 1, cv2.LINE_AA)
    return picture


@lru_cache(maxsize=1)
def _samples() -> list[np.ndarray]:
    from skimage import data

    pictures = [np.asarray(getattr(data, name)()) for name in SAMPLE_PICTURES]
    return [np.repeat(p[..., None], 3, 2) if p.ndim == 2 else np.ascontiguousarray(p[..., :3]) for p in pictures]


def _cut_out(side: int, rng: Generator) -> np.ndarray:
    """Part of a sample picture, at any scale and angle, in any colours."""
    picture = _samples()[rng.integers(len(SAMPLE_PICTURES))]
    height, width = picture.shape[:2]
    scale = np.exp(rng.uniform(np.log(side / min(height, width)), np.log(3.0)))
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * scale
    middle = np.array([rng.uniform(0.2, 0.8) * width, rng.uniform(0.2, 0.8) * height])
    if scale < 0.6:
        picture = cv2.blur(picture, (int(0.8 / scale) + 1, int(0.8 / scale) + 1))
    matrix = np.c_[turn, side / 2 - turn @ middle]
    part = cv2.warpAffine(picture, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    part = part[..., rng.permutation(3)]
    return 255 - part if rng.random() < 0.15 else part
