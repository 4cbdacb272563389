"""The fit: recovers faces the model itself drew, explains real ones sanely, and refuses what it cannot use."""

from pathlib import Path

import numpy as np
import pytest

from talkface import landmarks as marks_of
from talkface import pose
from talkface.errors import InputError
from talkface.face import checks, solver
from talkface.face.fit import fit_face
from talkface.face.inspect import draw_fit, posed_vertices, project
from talkface.face.model import FaceModel
from talkface.space import DYNAMICS_AXES
from talkface.types import Crop
from talkface.warp import fit_warp, residual, residual_warp

DATA = Path(__file__).parent / "data"
SIZE = (512, 512)


def activation(fit, name):
    return float(fit.dynamics[DYNAMICS_AXES.index(name)])


def draw_landmarks(moves=None, angles_deg=(0, 0, 0), identity_seed=None, gaze_deg=(0, 0), distance_cm=80.0, scale=1.0):
    """Landmarks (478, 3) of a face made by the model, about 190 pixels wide, in the middle of a 512 px picture."""
    model = FaceModel.load()
    identity = np.zeros(model.identities)
    if identity_seed is not None:
        identity = 0.7 * np.random.default_rng(identity_seed).standard_normal(model.identities)
    dynamics = np.zeros(len(DYNAMICS_AXES))
    for name, value in (moves or {}).items():
        dynamics[DYNAMICS_AXES.index(name)] = value
    mean, shapes, changes = model.landmark_basis()
    points = mean + np.tensordot(identity, shapes, 1) + np.tensordot(dynamics, changes, 1)
    mesh = model.mesh(identity)
    for eye in (1, 0):  # MediaPipe lists the right iris first
        pupil = mesh.eye_centres[eye] + mesh.eye_radii[eye] * pose.direction(*gaze_deg)
        points = np.concatenate(
            [points, pupil + 0.5 * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0]])]
        )
    seen = points @ pose.rotation(*angles_deg).T + [0.0, 0.0, -distance_cm]
    px = 13.0 * scale * distance_cm
    flat = np.column_stack([seen[:, 0], -seen[:, 1]]) / -seen[:, 2:] * px + 256 * scale
    return np.column_stack([flat, -13.0 * scale * (seen[:, 2] + distance_cm)]).astype(np.float32)


@pytest.mark.parametrize("angles_deg", [(0, 0, 0), (20, 5, -10), (-30, -8, 25)])
def test_finds_the_pose_of_its_own_faces(angles_deg):
    fit = fit_face(draw_landmarks(angles_deg=angles_deg, identity_seed=1), SIZE)
    assert (fit.yaw_deg, fit.pitch_deg, fit.roll_deg) == pytest.approx(angles_deg, abs=4)
    assert fit.error_px < 0.03 * fit.interocular_px


@pytest.mark.parametrize("name", ["jawOpen", "mouthSmileLeft", "mouthPucker", "eyeBlinkRight", "browInnerUp"])
def test_explains_a_movement_by_its_own_axis(name):
    fit = fit_face(draw_landmarks({name: 0.8}, identity_seed=2), SIZE)
    assert (0.25 if "brow" in name else 0.4) < activation(fit, name) <= 1.0  # a brow's height is also identity
    assert (fit.dynamics >= 0).all() and (fit.dynamics <= 1).all()


def test_a_calm_face_does_nothing():
    fit = fit_face(draw_landmarks(identity_seed=3), SIZE)
    assert fit.dynamics.max() < 0.25
    assert activation(fit, "jawOpen") < 0.05


def test_residual_warp_lands_on_lips_and_lids():
    landmarks = np.load(DATA / "astronaut_landmarks.npy") / np.float32(8)
    fit = fit_face(landmarks, SIZE)
    landed = residual_warp(fit, fit.residual_from)
    for region in (marks_of.LIPS, marks_of.LIDS):
        gap = np.linalg.norm(landed[list(region)] - landmarks[list(region), :2], axis=1)
        assert np.sqrt((gap**2).mean()) < 1.5 / 220 * checks.face_size_px(landmarks)  # 1.5 px in a 512 px crop


def test_smile_of_the_astronaut():
    fit = fit_face(np.load(DATA / "astronaut_landmarks.npy") / np.float32(8), SIZE)
    assert activation(fit, "mouthSmileLeft") > 0.5 and activation(fit, "mouthSmileRight") > 0.5
    assert abs(fit.yaw_deg) < 8 and abs(fit.pitch_deg) < 10
    assert np.abs(fit.gaze_deg).max() < 15


def test_gaze_is_relative_to_the_head():
    for gaze in ((0, 0), (15, -5), (-12, 8)):
        fit = fit_face(draw_landmarks(angles_deg=(10, 0, 5), gaze_deg=gaze), SIZE)
        np.testing.assert_allclose(fit.gaze_deg, [gaze, gaze], atol=4)


def test_does_not_depend_on_place_or_scale():
    landmarks = draw_landmarks({"jawOpen": 0.4}, (12, 4, 0), identity_seed=4)
    one, other = fit_face(landmarks, SIZE), fit_face(3 * landmarks + [100, 50, 0], (2000, 2000))
    np.testing.assert_allclose(one.dynamics, other.dynamics, atol=0.02)
    assert other.interocular_px == pytest.approx(3 * one.interocular_px, rel=1e-4)


def test_profile_small_and_broken_landmarks_are_refused():
    with pytest.raises(InputError, match="profile"):
        fit_face(draw_landmarks(angles_deg=(75, 0, 0)), SIZE)
    with pytest.raises(InputError, match="only .* pixels"):
        fit_face(draw_landmarks(scale=0.2), SIZE)
    broken = draw_landmarks()
    broken[7] = np.nan
    with pytest.raises(InputError, match="finite"):
        fit_face(broken, SIZE)


@pytest.mark.parametrize(
    ("landmarks", "word"),
    [
        ({"moves": {"jawOpen": 0.9}}, "mouth"),
        ({"moves": {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}}, "eyes"),
        ({"angles_deg": (41, 0, 0)}, "turned"),
        ({"scale": 0.45}, "small"),
    ],
)
def test_warnings_name_the_weakness(landmarks, word):
    warnings = fit_face(draw_landmarks(**landmarks), SIZE).warnings
    assert any(word in sentence for sentence in warnings)
    assert fit_face(draw_landmarks(), SIZE).warnings == ()


def test_solver_gradient_against_differences():
    rng = np.random.default_rng(0)
    mean, basis = rng.normal(size=(30, 3)) * [5, 6, 3], rng.normal(size=(4, 30, 3))
    observation = solver.Observation(
        rng.normal(size=(30, 2)) * 50, rng.normal(size=30), rng.uniform(0.5, 1, 30), np.full(30, 0.1), 2.0
    )
    prior = solver.Prior(np.eye(4) * 2, np.full(4, 0.3), np.full(4, -3.0), np.full(4, 3.0), 80.0, 0.3)
    state = solver.State(pose.rotation(10, 5, 3), np.array([1.0, 2.0, -70.0]), 900.0, rng.normal(size=4))
    _, gradient = solver._normal_equations(mean, basis, observation, prior, state)
    for i in range(len(gradient)):
        step = np.zeros(len(gradient))
        step[i] = 1e-5
        ahead, behind = (
            solver._cost(mean, basis, observation, prior, solver._advance(state, sign * step)) for sign in (1, -1)
        )
        assert gradient[i] == pytest.approx((ahead - behind) / 4e-5, rel=1e-4, abs=1e-3)


def test_bounded_minimum_against_brute_force():
    rng = np.random.default_rng(1)
    for _ in range(20):
        root = rng.normal(size=(6, 6))
        hessian, gradient = root @ root.T + 0.1 * np.eye(6), 3 * rng.normal(size=6)
        best = solver.bounded_minimum(hessian, gradient, np.full(6, -0.5), np.full(6, 1.0))
        slow = np.zeros(6)
        for _ in range(20000):
            slow = np.clip(slow - (hessian @ slow + gradient) / np.linalg.norm(hessian, 2), -0.5, 1.0)
        np.testing.assert_allclose(best, slow, atol=1e-3)


def test_a_warp_is_as_fine_far_from_the_pictures_corner():
    """A small face low in a large picture: squares of its coordinates leave no digits for distances within the face."""
    marks = draw_landmarks(identity_seed=5, scale=0.5)
    fit = fit_face(marks, SIZE)
    near, far = (fit_warp(fit.residual_from + shift, fit.residual_to + shift) for shift in (0.0, 4000.0))
    points = np.random.default_rng(3).uniform(marks[:, :2].min(0), marks[:, :2].max(0), (500, 2))
    np.testing.assert_allclose(far.displacement(points + 4000), near.displacement(points), atol=0.01)


def test_warp_is_exact_smooth_and_local():
    rng = np.random.default_rng(2)
    source = rng.uniform(100, 200, (40, 2))
    warp = fit_warp(source, source + rng.normal(size=(40, 2)))
    np.testing.assert_allclose(warp(source), source + warp.displacement(source))
    assert np.abs(warp(np.array([[0.0, 0.0], [400.0, 150.0]])) - [[0, 0], [400, 150]]).max() == 0
    fit = fit_face(draw_landmarks(identity_seed=5), SIZE)
    many = rng.uniform(0, 512, (5000, 2)).astype(np.float32)
    np.testing.assert_allclose(residual(fit)(many), residual_warp(fit, many))


def test_overlay_draws_on_the_face():
    image = np.full((*SIZE, 3), 128, np.uint8)
    fit = fit_face(draw_landmarks(), SIZE)
    sheet = draw_fit(image, fit, Crop(-0.5, -0.5, 512.0))
    assert sheet.shape == (1024, 1024, 3) and sheet.dtype == np.uint8
    assert (sheet[400:600, 400:600] != 128).any()
    seen = project(fit, posed_vertices(fit))
    assert seen.shape == (len(fit.mesh.neutral), 2) and np.isfinite(seen).all()
