"""Flat bars around a picture are found where they end straight; a plain wall behind a head is part of the picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from talkface.face.bars import inner_box


def scene(height: int = 200, width: int = 160) -> np.ndarray:
    """A picture with something to see everywhere."""
    y, x = np.mgrid[:height, :width]
    return np.stack([200 - y % 50, 60 + x % 70, 90 + (x + y) % 60], -1).astype(np.uint8)


def barred(left: int, top: int, right: int, bottom: int, grey: int = 128) -> np.ndarray:
    return np.pad(scene(), ((top, bottom), (left, right), (0, 0)), constant_values=grey)


@pytest.mark.parametrize("bars", [(20, 0, 20, 0), (0, 30, 0, 30), (12, 0, 40, 25), (9, 14, 3, 60), (0, 0, 0, 2)])
@pytest.mark.parametrize("grey", [0, 255])
def test_bars_are_found(bars, grey):
    left, top, _, _ = bars
    assert inner_box(barred(*bars, grey)) == (left, top, left + 160, top + 200)


def test_bars_are_found_in_a_compressed_picture():
    stored = io.BytesIO()
    Image.fromarray(barred(21, 0, 30, 37)).save(stored, "JPEG", quality=80)
    box = inner_box(np.asarray(Image.open(stored)))
    assert np.abs(np.subtract(box, (21, 0, 181, 200))).max() <= 3


def test_a_picture_without_bars_is_whole():
    assert inner_box(scene()) == (0, 0, 160, 200)


def test_a_single_grey_is_whole():
    assert inner_box(np.full((90, 80, 3), 77, np.uint8)) == (0, 0, 80, 90)


@pytest.mark.parametrize("flat", [False, True])
def test_a_plain_wall_is_no_bar(flat):
    y, x = np.mgrid[:200, :160]
    wall = np.full((200, 160, 3), 250, np.uint8)
    shoulders = (y > 150) & (np.abs(x - 80) < 70)
    head = (np.abs(x - 80) < 35) & (y > 40) if flat else np.hypot(x - 80, y - 80) < 40
    wall[shoulders | head] = (90, 60, 50)
    assert inner_box(wall) == (0, 0, 160, 200)


def test_light_that_fades_is_no_bar():
    fading = np.repeat(np.linspace(20, 220, 200).astype(np.uint8)[:, None, None], 160, 1).repeat(3, 2)
    assert inner_box(fading) == (0, 0, 160, 200)
