from __future__ import annotations

import numpy as np
import pytest
import torch

from talkface.rendering.view import MOST_ABOVE, View, hair_top, widen
from talkface.types import Crop

HEAD = (150.0, 60.0, 360.0, 400.0)


def plain(canvas_px: int = 512, origin: float = 0.0) -> View:
    return View(512, canvas_px, (255.0 + origin, 240.0 + origin), (origin, origin), tuple(p + origin for p in HEAD))


@pytest.mark.parametrize("distance", [0.7, 0.9, 1.0, 1.1, 1.3, 1.5])
@pytest.mark.parametrize("view", [plain(), plain(640, 64.0), plain(768, 128.0)])
def test_the_face_scales_exactly_and_nothing_beyond_the_picture_is_shown(view, distance):
    along = torch.arange(512.0)
    for axis in (0, 1):
        place = view.to_canvas(along, distance, axis)
        assert place.min() >= -0.51 and place.max() <= view.canvas_px - 0.49
        step = torch.diff(place)
        assert (step > 0).all(), "the view must not fold"
        near = (place[:-1] > view.focus[axis] - 60) & (place[:-1] < view.focus[axis] + 60)
        assert step[near].numpy() == pytest.approx(distance, rel=0.02)


def test_frame_and_canvas_positions_of_the_face_agree():
    for view in (plain(), plain(768, 128.0)):
        for distance in (0.75, 1.0, 1.4):
            frame = view.to_frame(torch.tensor([[view.focus[0] + 20, view.focus[1] - 30]]), np.array([distance]))
            for axis, expected in ((0, view.focus[0] + 20), (1, view.focus[1] - 30)):
                assert float(view.to_canvas(frame[0, axis], distance, axis)) == pytest.approx(expected, abs=0.5)


def test_distance_1_on_an_equal_canvas_is_the_picture_itself():
    view = plain()
    assert view.is_plain(np.ones(3)) and not view.is_plain(np.array([1.0, 1.1]))
    np.testing.assert_allclose(view.to_canvas(torch.arange(512.0), 1.0, 0), np.arange(512), atol=1e-3)


def test_widening_stays_inside_the_picture_and_keeps_the_crop_inside():
    for crop in (Crop(-0.5, -0.5, 100), Crop(150, 80, 120), Crop(99.5, 59.5, 100)):
        wide = widen(crop, (200, 300), 1.5)
        assert wide.x0 >= -0.5 and wide.y0 >= -0.5
        assert wide.x0 + wide.size <= 299.5 + 1e-9 and wide.y0 + wide.size <= 199.5 + 1e-9
        assert crop.size <= wide.size <= 1.5 * crop.size
        assert wide.x0 <= crop.x0 + 1e-9 and wide.x0 + wide.size >= crop.x0 + crop.size - 1e-9


@pytest.mark.parametrize("top", [-20.0, 0.0, 30.0])
@pytest.mark.parametrize("distance", [1.1, 1.5])
def test_hair_at_the_upper_border_is_not_drawn_out(top, distance):
    view = View(512, 512, (255.0, 240.0), (0.0, 0.0), (150.0, top, 360.0, 400.0))
    place = view.to_canvas(torch.arange(512.0), distance, 1)
    above = int((place < max(top, 0)).sum())
    assert above <= MOST_ABOVE * max(top, 0) + 1
    assert torch.diff(place)[above + 15 : above + 60].numpy() == pytest.approx(distance, rel=0.15)
    eyes = view.to_frame(torch.tensor([[255.0, 200.0]]), np.array([distance]))
    assert float(view.to_canvas(eyes[0, 1], distance, 1)) == pytest.approx(200, abs=0.5)


def test_the_face_drifts_smoothly_with_the_distance():
    view = View(512, 512, (255.0, 240.0), (0.0, 0.0), (150.0, 10.0, 360.0, 400.0))
    heights = [
        float(view.to_frame(torch.tensor([[255.0, 240.0]]), np.array([d]))[0, 1]) for d in np.arange(1, 1.5, 0.01)
    ]
    assert np.abs(np.diff(heights)).max() < 3


@pytest.mark.parametrize("focus", [(255.0, 240.0), (380.0, 400.0)])
def test_nothing_jumps_where_the_picture_stops_reaching(focus):
    view = View(512, 640, focus, (0.0, 0.0), (150.0, 60.0, 400.0, 460.0))
    near, far = (view.to_frame(torch.tensor([focus]), np.array([d])) for d in (1.2499, 1.2501))
    assert float((near - far).abs().max()) < 0.2


def test_neck_and_shoulders_keep_their_shape_where_there_is_room_above():
    view = View(512, 512, (255.0, 240.0), (0.0, 0.0), (150.0, 90.0, 360.0, 400.0))
    place = view.to_canvas(torch.arange(512.0), 1.3, 1)
    assert torch.diff(place)[300:].numpy() == pytest.approx(1.3, rel=0.01)


@pytest.mark.parametrize("top", [0, 25, 70])
def test_the_hair_begins_where_its_colour_does(top):
    picture = np.full((256, 256, 3), (200, 205, 210), np.uint8)
    picture[top:160, 80:176] = (60, 40, 30)
    picture[100:220, 90:166] = (210, 160, 140)
    found = hair_top(picture, np.array([90.0, 110.0]), np.array([166.0, 215.0]), guess=-1.0)
    assert found == pytest.approx(top, abs=1)


def test_hair_before_a_wall_of_its_colour_is_guessed():
    picture = np.full((256, 256, 3), (60, 40, 30), np.uint8)
    picture[100:220, 90:166] = (210, 160, 140)
    assert hair_top(picture, np.array([90.0, 110.0]), np.array([166.0, 215.0]), guess=68.0) == 68.0
