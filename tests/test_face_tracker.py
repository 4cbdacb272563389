"""The tracker on real pictures: it finds what is there, where it is, however it lies; and nothing elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from talkface.face.tracker import FaceTracker, TrackedFace
from talkface.face.tracker_crops import frame_of

EYE_CENTRES = np.array([[204.3, 102.3], [246.4, 104.6]])  # of the astronaut, by MediaPipe
RIGHT_EYE, LEFT_EYE = (33, 133), (362, 263)


@pytest.fixture(scope="module")
def tracker() -> FaceTracker:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield FaceTracker.load()
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return data.astronaut()


@pytest.fixture(scope="module")
def face(tracker: FaceTracker, astronaut: np.ndarray) -> TrackedFace:
    return tracker(astronaut)[0]


def eyes(landmarks: np.ndarray) -> np.ndarray:
    return np.stack([landmarks[list(corners), :2].mean(0) for corners in (RIGHT_EYE, LEFT_EYE)])


def interocular(landmarks: np.ndarray) -> float:
    return float(np.linalg.norm(np.subtract(*eyes(landmarks))))


def gap(a: np.ndarray, b: np.ndarray) -> float:
    """Mean distance in inter-ocular distances."""
    return float(np.linalg.norm(a[:, :2] - b[:, :2], axis=1).mean() / interocular(b))


def test_one_face_with_sane_landmarks(tracker, astronaut, face):
    assert len(tracker(astronaut)) == 1
    assert face.landmarks.shape == (478, 3) and face.landmarks.dtype == np.float32
    assert np.abs(eyes(face.landmarks) - EYE_CENTRES).max() < 1.5
    assert face.score > 0.8
    left, top, right, bottom = face.box
    assert (left, top) == tuple(face.landmarks[:, :2].min(0)) and (right, bottom) == tuple(face.landmarks[:, :2].max(0))


def test_features_lie_in_order(face):
    marks = face.landmarks
    assert marks[10, 1] < marks[168, 1] < marks[1, 1] < marks[0, 1] < marks[17, 1] < marks[152, 1]  # forehead to chin
    assert (
        marks[33, 0] < marks[468, 0] < marks[133, 0] < marks[362, 0] < marks[473, 0] < marks[263, 0]
    )  # irises in eyes
    assert marks[1, 2] < marks[33, 2] < marks[234, 2]  # the nose is nearer than the eyes, these than the cheeks


def test_same_picture_same_landmarks(tracker, astronaut, face):
    assert np.array_equal(tracker(astronaut)[0].landmarks, face.landmarks)


def test_mirrored_picture_gives_mirrored_landmarks(tracker, astronaut, face):
    found = tracker(np.ascontiguousarray(astronaut[:, ::-1]))[0].landmarks[tracker.mirror]
    assert gap(found * [-1, 1, 1] + [astronaut.shape[1] - 1, 0, 0], face.landmarks) < 0.02


@pytest.mark.parametrize("angle_deg", [-45, -20, 45])
def test_rolled_face(tracker, astronaut, face, angle_deg):
    centre = face.landmarks[:, :2].mean(0)
    picture = Image.fromarray(astronaut).rotate(angle_deg, Image.Resampling.BICUBIC, center=tuple(centre + 0.5))
    found = max(tracker(np.asarray(picture)), key=lambda other: other.score).landmarks
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    assert gap(found, (face.landmarks[:, :2] - centre) @ np.array([[c, -s], [s, c]]) + centre) < 0.06


def test_a_small_face_is_as_like_one_as_a_large_one(tracker, astronaut, face):
    canvas = np.full((1500, 3000, 3), 120, np.uint8)
    canvas[700:1212, 1200:1712] = astronaut
    (found,) = tracker(canvas)
    assert face.score == pytest.approx(face.likeness, abs=1e-3)
    assert found.score < found.likeness
    assert found.likeness > 0.97


def test_small_face_in_a_large_picture(tracker, astronaut, face):
    canvas = np.full((1400, 2000, 3), 128, np.uint8)
    canvas[700:956, 1500:1756] = np.asarray(Image.fromarray(astronaut).resize((256, 256), Image.Resampling.BOX))
    found = tracker(canvas)[0].landmarks
    assert gap(found, face.landmarks[:, :2] / 2 - 0.25 + [1500, 700]) < 0.06


def test_enlarged_face(tracker, astronaut, face):
    large = np.asarray(Image.fromarray(astronaut[30:230, 120:340]).resize((1760, 1600), Image.Resampling.BICUBIC))
    found = tracker(large)[0].landmarks
    assert gap(found, (face.landmarks[:, :2] - [120, 30] + 0.5) * 8 - 0.5) < 0.05


def test_largest_face_first(tracker, astronaut):
    small = np.asarray(Image.fromarray(astronaut).resize((300, 300), Image.Resampling.BOX))
    canvas = np.full((512, 900, 3), 90, np.uint8)
    canvas[100:400, :300], canvas[:, 388:] = small, astronaut
    found = tracker(canvas)
    assert len(found) == 2
    assert interocular(found[0].landmarks) > 1.5 * interocular(found[1].landmarks)
    assert found[0].box[0] > 388 > 300 > found[1].box[2]


@pytest.mark.parametrize("name", ["chelsea", "rocket", "text", "page", "brick", "gravel", "coffee", "colorwheel"])
def test_no_face_in_cat_landscape_text_or_texture(tracker, name):
    picture = getattr(data, name)()
    picture = np.repeat(picture[..., None], 3, 2) if picture.ndim == 2 else picture
    assert tracker(np.ascontiguousarray(picture[..., :3])) == ()


@pytest.mark.parametrize("side", [40, 300, 900])
def test_no_face_in_noise_or_flat_colour(tracker, side):
    noise = np.random.default_rng(side).integers(0, 256, (side, side, 3), dtype=np.uint8)
    assert tracker(noise) == ()
    assert tracker(np.full((side, side // 2, 3), 180, np.uint8)) == ()


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 2)])
def test_degenerate_pictures_have_no_face(tracker, size):
    assert tracker(np.full((*size, 3), 77, np.uint8)) == ()


def test_track_follows_a_shift(tracker, astronaut, face):
    moved = np.roll(astronaut, (4, -6), (0, 1))
    found = tracker.track(moved, face.landmarks)
    assert found is not None
    assert gap(found.landmarks, face.landmarks[:, :2] + [-6, 4]) < 0.02


def test_track_loses_a_face_that_is_gone(tracker, face):
    assert tracker.track(data.rocket(), face.landmarks) is None


def test_mirror_is_an_involution_that_swaps_sides(tracker):
    assert np.array_equal(tracker.mirror[tracker.mirror], np.arange(478))
    assert list(tracker.mirror[[33, 61, 468, 1]]) == [263, 291, 473, 1]
    frame = frame_of(tracker.mean_shape, tracker.mean_shape)
    assert (frame.x, frame.y, frame.size, frame.roll) == pytest.approx((0, 0, 1, 0), abs=1e-6)


def test_threads_of_torch_are_left_as_they_were(tracker, astronaut):
    torch.set_num_threads(2)
    try:
        tracker(astronaut)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
