"""Flat bars around a picture, as letterboxes, collages and scanners leave them: they are no part of what moves."""

from __future__ import annotations

import numpy as np

FLAT_LEVELS, FLAT_SHARE = 6, 0.9  # how alike the pixels of a bar's line are, and what share of them at least
EDGE_LEVELS, EDGE_SHARE = 16, 0.9  # by how much the picture differs along its edge, and along how much of it
SOFT_PX = 10  # within so many lines, since compression blurs an edge
THINNEST_PX = 2


def inner_box(image: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (the ends excluded) of a picture (H, W, 3) uint8 without the bars at its sides.

    A bar ends at an edge as straight and long as the picture; a plain wall, which ends at somebody's hair, is none.
    """
    height, width = image.shape[:2]
    upright = image.transpose(1, 0, 2)
    sides = (upright, image, upright[::-1], image[::-1])
    bars = [_flat_lines(lines) for lines in sides]
    while any(bars):
        left, top, right, bottom = bars
        spans = (slice(top, height - bottom), slice(left, width - right)) * 2
        edges = [_edge(lines, bar, span) for lines, bar, span in zip(sides, bars, spans, strict=True)]
        if all(edge or not bar for edge, bar in zip(edges, bars, strict=True)):
            left, top, right, bottom = edges
            break
        bars = [bar if edge else 0 for edge, bar in zip(edges, bars, strict=True)]
    else:
        left = top = right = bottom = 0
    return left, top, width - right, height - bottom


def _flat_lines(lines: np.ndarray) -> int:
    """How many of the first lines (n, m, 3), up to half of all, have the colour that most of the first one has."""
    colour = np.median(lines[0], axis=0)
    for number, line in enumerate(lines[: len(lines) // 2]):
        if (_levels_off(line, colour) <= FLAT_LEVELS).mean() < FLAT_SHARE:
            return number if number >= THINNEST_PX else 0
    return 0


def _edge(lines: np.ndarray, bar: int, span: slice) -> int:
    """The line of (n, m, 3) with which the picture begins after a bar of so many, 0 where it does not begin at once."""
    colour = np.median(lines[0], axis=0)
    for number in range(bar, bar + SOFT_PX) if bar else ():
        if (_levels_off(lines[number, span], colour) > EDGE_LEVELS).mean() >= EDGE_SHARE:
            return number
    return 0


def _levels_off(line: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Largest difference (m,) of a line's pixels (m, 3) from a colour."""
    return np.abs(line - colour).max(-1)
