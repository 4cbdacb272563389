"""The default crop: inside the picture, around the head, as large as wanted."""

import numpy as np
import pytest

from talkface import landmarks as marks_of
from talkface.errors import InputError
from talkface.face.framing import FACE_SHARE, frame_head


def face_at(x, y, height):
    """Landmarks spread over an ellipse, forehead and chin at its ends."""
    turn = np.linspace(0, 2 * np.pi, marks_of.SURFACE_COUNT, endpoint=False)
    points = np.zeros((marks_of.COUNT, 3), np.float32)
    points[: marks_of.SURFACE_COUNT, 0] = x + 0.35 * height * np.cos(turn)
    points[: marks_of.SURFACE_COUNT, 1] = y + 0.5 * height * np.sin(turn)
    points[marks_of.SURFACE_COUNT :, :2] = x, y
    points[10, :2], points[152, :2] = (x, y - height / 2), (x, y + height / 2)
    return points


def is_inside(crop, height, width):
    tolerance = 1e-6
    return (
        crop.x0 >= -0.5 - tolerance
        and crop.y0 >= -0.5 - tolerance
        and crop.x0 + crop.size <= width - 0.5 + tolerance
        and crop.y0 + crop.size <= height - 0.5 + tolerance
    )


def test_face_fills_its_share_where_there_is_room():
    crop = frame_head(face_at(1500, 900, 200), (2000, 3000))
    assert 200 / crop.size == pytest.approx(FACE_SHARE)
    assert crop.x0 + crop.size / 2 == pytest.approx(1500, abs=2)
    above, below = 800 - crop.y0, crop.y0 + crop.size - 1000
    assert 0.2 * crop.size < above < below + 1


def test_head_shot_is_kept_whole():
    crop = frame_head(face_at(256, 240, 220), (512, 512))
    assert (crop.x0, crop.y0, crop.size) == (-0.5, -0.5, 512)


@pytest.mark.parametrize("size", [(300, 900), (900, 300), (256, 256), (1000, 1000)])
@pytest.mark.parametrize("where", [(0.1, 0.1), (0.5, 0.5), (0.95, 0.9)])
@pytest.mark.parametrize("height", [40, 150, 280])
def test_never_leaves_the_picture(size, where, height):
    crop = frame_head(face_at(where[0] * size[1], where[1] * size[0], height), size)
    assert is_inside(crop, *size)
    assert crop.size > 0


def test_portrait_format_keeps_the_head():
    crop = frame_head(face_at(150, 200, 200), (600, 300))
    assert crop.size == 300
    assert crop.y0 < 100 and crop.y0 + crop.size > 300


def test_face_outside_the_picture_is_refused():
    with pytest.raises(InputError):
        frame_head(face_at(700, 100, 100), (300, 300))
