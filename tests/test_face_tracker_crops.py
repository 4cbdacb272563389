"""Crops: the face frame is the similarity asked for, and a point goes into a crop and back without loss."""

import math

import numpy as np
import pytest

from talkface.face.tracker_crops import FaceFrame, crop_to_image, cut, frame_of, letterbox, to_image

UNITS = 3.5


def shape(count: int = 40) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 0.6, (count, 3)) + [0.2, -0.3, 0]


@pytest.mark.parametrize("roll_deg", [-170, -45, 0, 30, 90])
def test_frame_of_recovers_a_similarity(roll_deg):
    mean, roll = shape(), math.radians(roll_deg)
    turn = np.array([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])
    frame = frame_of(37.5 * mean[:, :2] @ turn.T + [210, 95], mean)
    assert (frame.x, frame.y, frame.size) == pytest.approx((210, 95, 37.5))
    assert math.degrees(frame.roll) == pytest.approx(roll_deg)


def test_crop_to_image_puts_the_middle_on_the_face():
    frame, side = FaceFrame(120.0, 80.0, 30.0, 0.6), 64
    matrix = crop_to_image(frame, side, UNITS)
    assert matrix @ [(side - 1) / 2, (side - 1) / 2, 1] == pytest.approx([120, 80])
    assert np.linalg.norm(matrix[:, 0]) == pytest.approx(UNITS * 30 / side)


@pytest.mark.parametrize("size", [6.0, 18.0, 90.0, 400.0])
def test_cut_shows_the_picture_where_to_image_says(size):
    """A picture whose colour is its position: reading a crop's colours gives the place of its pixels."""
    y, x = np.mgrid[:1200, :1600]
    image = np.stack([x / 1600 * 255, y / 1200 * 255, 0 * x], -1).round().astype(np.uint8)
    frame, side = FaceFrame(790.0, 610.0, size, 0.35), 128
    crop = (cut(image, [frame], side, UNITS)[0].numpy() + 1) * 127.5
    spots = np.array([[40, 64], [90, 30], [64, 100]])
    halves = np.c_[(spots - (side - 1) / 2) * 2 / side, np.zeros(3)]
    places = to_image(halves, frame, side, UNITS)
    colours = crop[:2, spots[:, 1], spots[:, 0]].T
    assert colours == pytest.approx(places[:, :2] / [1600, 1200] * 255, abs=0.6)


def test_depth_scales_with_the_face():
    far, near = FaceFrame(0.0, 0.0, 20.0, 0.0), FaceFrame(0.0, 0.0, 40.0, 0.0)
    points = np.array([[0.1, 0.2, -0.5]])
    assert to_image(points, near, 128, UNITS)[0, 2] == pytest.approx(2 * to_image(points, far, 128, UNITS)[0, 2])


def test_cut_beyond_the_edges_continues_them():
    image = np.full((40, 30, 3), 200, np.uint8)
    crops = cut(image, [FaceFrame(-50.0, 90.0, 60.0, 1.0), FaceFrame(15.0, 20.0, 2000.0, 0.0)], 32, UNITS)
    assert crops.shape == (2, 3, 32, 32)
    assert crops.numpy() == pytest.approx(200 / 127.5 - 1, abs=1e-4)


@pytest.mark.parametrize("height, width", [(1, 1), (1, 700), (333, 517), (900, 20)])
def test_letterbox_keeps_the_picture_and_pads_to_the_multiple(height, width):
    picture, scale = letterbox(np.full((height, width, 3), 51, np.uint8), 192, 32)
    assert picture.shape[-1] % 32 == 0 and picture.shape[-2] % 32 == 0
    assert scale == 192 / max(height, width)
    assert picture.numpy() == pytest.approx(51 / 127.5 - 1, abs=1e-5)
