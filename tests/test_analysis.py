from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from talkface.analysis import (
    BLURRED_DETAIL,
    MAX_CROP_PX,
    View,
    analyse,
    choose_face,
    close_up,
    face_detail,
    head_shot,
    room_for_hair,
    whole_picture,
)
from talkface.errors import InputError
from talkface.face.tracker import FaceTracker, TrackedFace
from talkface.media.image import read_portrait
from talkface.media.video import MAX_SIDE_PX
from talkface.options import RenderOptions
from talkface.types import Crop

SPOT = np.array([0.55, 0.45])


def view(width: int, height: int, crop_share: float = 0.25) -> View:
    """A dark picture with a bright spot; every landmark lies on the spot's centre, and so does the crop's."""
    x, y = SPOT * (width, height)
    image = np.zeros((height, width, 3), np.uint8)
    reach = max(width // 100, 2)
    image[round(y) - reach : round(y) + reach + 1, round(x) - reach : round(x) + reach + 1] = 255
    landmarks = np.tile(np.float32([round(x), round(y), 1.0]), (478, 1))
    size = crop_share * height
    return View(image, landmarks, Crop(round(x) - size / 2, round(y) - size / 2, size))


def spot(image: np.ndarray) -> np.ndarray:
    """Centre (x, y) of the bright spot."""
    light = image[..., 0].astype(np.float64)
    columns, rows = np.arange(light.shape[1]), np.arange(light.shape[0])
    return np.array([(light.sum(0) * columns).sum(), (light.sum(1) * rows).sum()]) / light.sum()


def check_aligned(moved: View) -> None:
    place = spot(moved.image)
    centre = np.array([moved.crop.x0, moved.crop.y0]) + moved.crop.size / 2
    assert np.allclose(moved.landmarks[0, :2], place, atol=0.6)
    assert np.allclose(centre, place, atol=0.6)


def test_a_small_picture_is_worked_on_as_it_is():
    small = view(1600, 1200)
    assert close_up(small) is small


@pytest.mark.parametrize(("width", "height", "share"), [(6000, 4000, 0.2), (4000, 6000, 0.9), (2100, 2100, 1.2)])
def test_a_large_picture_is_cut_around_the_crop_and_everything_moves_along(width, height, share):
    before = view(width, height, share)
    after = close_up(before)
    assert max(after.image.shape[:2]) <= 2048
    check_aligned(after)
    scale = after.crop.size / before.crop.size
    assert after.landmarks[0, 2] == pytest.approx(scale, rel=1e-3)


def test_the_crop_keeps_its_own_pixels_where_they_fit():
    after = close_up(view(8000, 6000, 0.1))
    assert after.crop.size == 600
    assert spot(after.image) == pytest.approx(after.landmarks[0, :2])


@pytest.mark.parametrize(("width", "height", "share"), [(7000, 3000, 0.3), (3000, 3000, 1.0)])
def test_a_whole_picture_is_made_to_fit_a_video_and_says_so(width, height, share):
    after, notes = whole_picture(view(width, height, share))
    assert max(after.image.shape[:2]) <= MAX_SIDE_PX
    assert after.crop.size <= MAX_CROP_PX
    assert "reduced" in notes[0]
    assert np.allclose(after.landmarks[0, :2], spot(after.image), atol=0.6)


def test_a_whole_picture_that_fits_keeps_its_size():
    before = view(1001, 801, 0.5)
    after, notes = whole_picture(before)
    assert after.image is before.image
    assert notes == []
    assert after.crop.size == int(after.crop.size)


def test_bars_are_cut_off_and_stay_as_they_are_in_a_whole_picture():
    rng = np.random.default_rng(0)
    picture = np.full((300, 400, 3), 255, np.uint8)
    picture[20:260, 60:340] = rng.integers(0, 200, (240, 280, 3))
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[:, :2] = rng.uniform((160, 90), (240, 190), (478, 2))
    cut, kept = head_shot(picture, landmarks, full=False), head_shot(picture, landmarks, full=True)
    assert cut.image.shape == (240, 280, 3)
    assert np.allclose(cut.landmarks[:, :2], landmarks[:, :2] - (60, 20))
    assert kept.image is picture
    assert kept.crop.x0 == cut.crop.x0 + 60
    whole, _ = whole_picture(kept)
    assert whole.crop.x0 >= 59
    assert whole.crop.x0 + whole.crop.size <= 340
    assert whole.crop.y0 >= 19
    assert whole.crop.y0 + whole.crop.size <= 260


@pytest.mark.parametrize(("likeness", "count"), [(0.6, 1), (0.95, 0)])
def test_what_is_hardly_a_face_is_said_however_small_it_is(analysis, portrait, monkeypatch, likeness, count):
    face = TrackedFace(analysis.fit.landmarks, score=0.5, likeness=likeness, box=(0, 0, 1, 1))
    monkeypatch.setattr(FaceTracker, "load", lambda device: lambda image: (face,))
    seen = analyse(read_portrait(portrait), RenderOptions(), torch.device("cpu"))
    assert sum("from the side" in text for text in seen.warnings) == count


@pytest.mark.parametrize(("quarters", "how"), [(1, "on its side"), (2, "upside down"), (3, "on its side")])
def test_a_face_that_is_not_upright_is_said_to_lie(portrait, quarters, how):
    picture = read_portrait(portrait)
    turned = dataclasses.replace(picture, image=np.ascontiguousarray(np.rot90(picture.image, quarters)))
    with pytest.raises(InputError, match=f"lies {how}"):
        analyse(turned, RenderOptions(), torch.device("cpu"))


@pytest.mark.parametrize(("crop_top", "expected"), [(60, 46), (20, 20), (210, 150)])
def test_the_crop_moves_up_for_hair_at_its_top(crop_top, expected):
    picture = np.full((700, 400, 3), (90, 120, 200), np.uint8)
    picture[74:300, 130:270] = (60, 40, 30)
    picture[150:340, 140:260] = (210, 160, 140)
    landmarks = np.random.default_rng(1).uniform((140, 160), (260, 340), (468, 2)).astype(np.float32)
    crop = Crop(-0.5, crop_top - 0.5, 400)
    moved = room_for_hair(picture, landmarks, crop)
    assert (moved.x0, moved.size) == (crop.x0, crop.size)
    assert moved.y0 == pytest.approx(expected, abs=3)


def test_the_crop_never_leaves_the_picture_or_the_chin_for_hair(analysis):
    image, marks = analysis.image, analysis.fit.landmarks[:468, :2]
    for y0 in (-0.5, 20.0, 60.0):
        moved = room_for_hair(image, marks, Crop(80.0, y0, 260.0))
        assert -0.5 <= moved.y0 <= y0
        assert moved.y0 + 260 > marks[:, 1].max()


def test_no_face_is_an_input_error():
    with pytest.raises(InputError, match="No face was found"):
        choose_face((), 1)


def test_the_largest_face_is_taken_and_said():
    face, notes = choose_face(("large", "small"), 1)
    assert face == "large"
    assert "2 faces" in notes[0]


def test_another_face_can_be_chosen():
    assert choose_face(("large", "small"), 2) == ("small", [])


def test_a_face_that_is_not_there_is_an_input_error():
    with pytest.raises(InputError, match="there is no face 3"):
        choose_face(("large", "small"), 3)


def test_blur_is_seen(portrait):
    image = Image.open(portrait)
    landmarks = np.float32([[178, 71, 0], [270, 177, 0]])
    blurred = np.asarray(image.filter(ImageFilter.GaussianBlur(2.5)))
    assert face_detail(blurred, landmarks) < BLURRED_DETAIL < face_detail(np.asarray(image), landmarks)


def test_a_head_farther_away_than_the_picture_reaches_is_said(portrait):
    picture = read_portrait(portrait)
    picture = dataclasses.replace(picture, image=picture.image[:260, 90:350])  # the head and no more
    seen = analyse(picture, RenderOptions(), torch.device("cpu"))
    assert seen.notes(1.1) == seen.warnings
    assert seen.notes(1.4) == (
        *seen.warnings,
        "The picture ends at a head distance of 1; beyond, neck and surroundings are stretched.",
    )
