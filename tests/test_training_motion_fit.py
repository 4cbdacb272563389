from __future__ import annotations

import numpy as np
import pytest
import torch

from talkface import pose
from talkface.face.model import FaceModel
from talkface.landmarks import COUNT, SURFACE_COUNT
from talkface.rendering.sheet import NECK_PIVOT_CM
from talkface.space import DYNAMICS_AXES
from training.motion_fit import POSE, aligned, bounded_minima, calm_face, gap_px, meet, pose_of, projected, track

FOCAL_PX, FRAMES = 900.0, 60
CALM = (pose.rotation(4.0, -3.0, 1.0), np.array([0.5, -0.8, -72.0]))


def perform() -> tuple[np.ndarray, np.ndarray]:
    """Turns (T, 3) degrees and dynamics (T, K): three openings of the mouth, two blinks of three frames."""
    time = np.arange(FRAMES) / 25
    turns = np.stack([6 * np.sin(3 * time), 3 * np.sin(5 * time), 2 * np.sin(4 * time)], 1)
    dynamics = np.zeros((FRAMES, len(DYNAMICS_AXES)))
    dynamics[:, DYNAMICS_AXES.index("jawOpen")] = np.maximum(0, np.sin(8 * time)) * 0.5
    for side in ("Left", "Right"):
        lids = dynamics[:, DYNAMICS_AXES.index("eyeBlink" + side)]
        lids[20:23] = lids[45:48] = (0.6, 1.0, 0.6)
    return turns, dynamics


@pytest.fixture(scope="module")
def performance():
    """What was done, and what a camera sees of it: marks (T, 478, 3) with an eighth of a pixel's error."""
    model, (turns, dynamics) = FaceModel.load(), perform()
    rng = np.random.default_rng(3)
    mean, identity, basis = model.landmark_basis()
    shape = mean + np.tensordot(rng.normal(0, 0.5, len(identity)), identity, 1)
    marks = np.zeros((FRAMES, COUNT, 3))
    for t in range(FRAMES):
        rotation = pose.rotation(*turns[t]) @ CALM[0]
        pivot = CALM[0] @ NECK_PIVOT_CM + CALM[1] - rotation @ NECK_PIVOT_CM
        seen = (shape + np.tensordot(dynamics[t], basis, 1)) @ rotation.T + pivot
        scale = FOCAL_PX / -seen[:, 2:]
        marks[t, :SURFACE_COUNT] = np.c_[
            256 + scale[:, 0] * seen[:, 0], 256 - scale[:, 0] * seen[:, 1], -12 * seen[:, 2]
        ]
        marks[t, SURFACE_COUNT:] = marks[t, 33]
    marks[..., :2] += rng.normal(0, 0.12, marks.shape[:2] + (2,))
    index = np.arange(COUNT)
    person = meet(calm_face(marks, index), index)
    return turns, dynamics, marks, person, track(person, marks, index)


def test_the_fit_lies_on_the_landmarks(performance):
    _, _, _, person, followed = performance
    assert np.sqrt((followed.error_px**2).mean()) < 0.01 * person.interocular_px


def test_lips_open_and_close_as_seen(performance):
    _, _, marks, person, followed = performance
    seen = gap_px(projected(person, followed), person.index, 13, 14)
    wanted = gap_px(marks, np.arange(COUNT), 13, 14)
    assert np.corrcoef(seen, wanted)[0, 1] > 0.99
    assert seen[wanted < 0.5].max() < 0.02 * person.interocular_px


def test_blinks_stay_whole(performance):
    _, dynamics, _, _, followed = performance
    column = DYNAMICS_AXES.index("eyeBlinkLeft")
    found, wanted = followed.dynamics[:, column], dynamics[:, column]
    assert found[wanted == 1].min() > 0.85
    assert found[wanted == 0].max() < 0.15


def test_the_pose_is_the_renderers(performance):
    turns, _, _, person, followed = performance
    found = pose_of(person, followed)
    off = found[:, :3] - turns
    assert np.abs(off - np.median(off, axis=0)).max() < 1.0
    assert np.abs(found[:, 3:5]).max() < 0.06
    assert np.abs(found[:, 5] / np.median(found[:, 5]) - 1).max() < 0.03


def test_cuts_do_not_pull_frames_together(performance):
    turns, _, marks, person, _ = performance
    order = np.r_[np.arange(30, 60), np.arange(30)]
    cuts = np.isin(np.arange(FRAMES), [0, 30])
    found = pose_of(person, track(person, marks[order], np.arange(COUNT), cuts))
    assert np.abs(np.diff(found[:, 0])[29] - np.diff(turns[order, 0])[29]) < 0.5


def test_bounded_minima_against_brute_force():
    rng = np.random.default_rng(0)
    size = POSE + 3
    root = rng.normal(size=(size, size))
    hessian, gradient = root @ root.T + np.eye(size), rng.normal(size=(1, size)) * 4
    found = bounded_minima(*(torch.tensor(a, dtype=torch.float32) for a in
                             (hessian, gradient, np.zeros((1, 3)), np.ones((1, 3)))))[0].double().numpy()  # fmt: skip
    slope = hessian @ found + gradient[0]
    assert np.abs(slope[:POSE]).max() < 1e-3
    for value, down in zip(found[POSE:], slope[POSE:], strict=True):
        assert (value < 1e-6 and down > -1e-3) or (value > 1 - 1e-6 and down < 1e-3) or abs(down) < 1e-2


def test_aligned_undoes_a_similarity():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(20, 3))
    moved = 2.5 * points @ pose.rotation(20.0, 10.0, -5.0).T + [3, 2, 1]
    np.testing.assert_allclose(aligned(moved, points), points, atol=1e-9)
