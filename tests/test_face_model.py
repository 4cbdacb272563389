"""The face model as stored: shapes, closed lips, sides, movements that do what they are called."""

import numpy as np
import pytest

from talkface import landmarks as marks_of
from talkface.face.model import FaceModel
from talkface.space import DYNAMICS_AXES
from talkface.types import FACE_PARTS


@pytest.fixture(scope="module")
def model():
    return FaceModel.load()


def axis(model, name):
    return model.dynamics[DYNAMICS_AXES.index(name)]


def part(model, name):
    return model.parts == FACE_PARTS.index(name)


def lip_gaps(model, positions):
    """Vertical distances between the lip edges at the same places across the mouth."""
    upper, lower = positions[model.upper_lip], positions[model.lower_lip]
    x = np.linspace(upper[0, 0], upper[-1, 0], 15)[2:-2]
    order = np.argsort(upper[:, 0]), np.argsort(lower[:, 0])
    return np.interp(x, *upper[order[0], :2].T) - np.interp(x, *lower[order[1], :2].T)


def test_shapes_agree(model):
    vertices = len(model.mean)
    assert model.mean.shape == (vertices, 3)
    assert model.identity.shape == (model.identities, vertices, 3)
    assert model.dynamics.shape == (len(DYNAMICS_AXES), vertices, 3)
    assert model.triangles.min() == 0 and model.triangles.max() == vertices - 1
    assert set(np.unique(model.parts)) == set(range(len(FACE_PARTS)))
    assert model.landmark_vertices.shape == model.landmark_weights.shape == (marks_of.SURFACE_COUNT, 3)
    np.testing.assert_allclose(model.landmark_weights.sum(1), 1.0, atol=2e-3)
    for name in ("mean", "identity", "dynamics", "landmark_weights", "eye_centres"):
        assert np.isfinite(getattr(model, name)).all()


def test_lips_are_closed_at_rest_for_everyone(model):
    rng = np.random.default_rng(0)
    for identity in (np.zeros(model.identities), *rng.standard_normal((5, model.identities))):
        assert np.abs(lip_gaps(model, model.mesh(identity).neutral)).max() < 0.12


def test_mouth_close_closes_an_open_jaw(model):
    opened = model.mean + axis(model, "jawOpen")
    assert lip_gaps(model, opened).max() > 2.0
    assert np.abs(lip_gaps(model, opened + axis(model, "mouthClose"))).max() < 0.25


def test_lip_edges_run_from_left_to_right_and_share_the_corners(model):
    for edge in (model.upper_lip, model.lower_lip):
        assert model.mean[edge[0], 0] < -1.5 and model.mean[edge[-1], 0] > 1.5
    assert model.upper_lip[0] == model.lower_lip[0] and model.upper_lip[-1] == model.lower_lip[-1]


def test_jaw_carries_lower_teeth_and_tongue_only(model):
    drop = -axis(model, "jawOpen")[:, 1]
    assert drop[part(model, "teeth_lower")].min() > 1.0
    assert drop[part(model, "tongue")].mean() > 0.5
    assert np.abs(drop[part(model, "teeth_upper")]).max() < 0.05
    assert np.abs(drop[part(model, "gums_upper")]).max() < 0.3


@pytest.mark.parametrize("name", ["mouthSmile", "eyeBlink", "browDown", "noseSneer", "mouthUpperUp"])
def test_left_is_the_subjects_left(model, name):
    for side, sign in (("Left", 1), ("Right", -1)):
        size = np.linalg.norm(axis(model, name + side), axis=1)
        assert sign * (size @ model.mean[:, 0]) / size.sum() > 0.5


def test_blink_closes_the_lids(model):
    mean, _, dynamics = model.landmark_basis()
    for side, upper, lower in (("Right", 159, 145), ("Left", 386, 374)):
        shut = mean + dynamics[DYNAMICS_AXES.index("eyeBlink" + side)]
        assert shut[upper, 1] - shut[lower, 1] < 0.25 * (mean[upper, 1] - mean[lower, 1])


def test_landmarks_sit_where_their_names_say(model):
    mean, _, _ = model.landmark_basis()
    assert mean[4, 2] > mean[:, 2].max() - 0.5  # the tip of the nose
    assert mean[10, 1] > mean[152, 1] + 10  # forehead above chin
    assert mean[263, 0] > 3 and mean[33, 0] < -3
    for row in (marks_of.LIP_INNER_UPPER, marks_of.LIP_OUTER_LOWER, marks_of.LEFT_LID_UPPER, marks_of.RIGHT_LID_LOWER):
        assert (np.diff(mean[list(row), 0])[1:-1] > 0).all()  # the lips curl in at the corners
    middle = slice(2, -2)
    for inner, outer in ((marks_of.LIP_INNER_UPPER, marks_of.LIP_OUTER_UPPER),):
        assert (mean[list(outer)[middle], 1] > mean[list(inner)[middle], 1] + 0.2).all()


def test_eyeballs_lie_behind_the_lids(model):
    mean, _, _ = model.landmark_basis()
    for eye, lids in enumerate((marks_of.LEFT_LID_UPPER, marks_of.RIGHT_LID_UPPER)):
        lid = mean[list(lids)[2:-2]]
        gap = np.linalg.norm(lid - model.eye_centres[eye], axis=1) - model.eye_radii[eye]
        assert np.abs(gap).max() < 0.5
    mesh = model.mesh(np.full(model.identities, 0.5))
    assert mesh.eye_centres.shape == (2, 3) and mesh.eye_centres[0, 0] > 0 > mesh.eye_centres[1, 0]


def test_tongue_out_passes_the_lips(model):
    tongue = (model.mean + axis(model, "tongueOut"))[part(model, "tongue")]
    assert tongue[:, 2].max() > model.mean[model.lower_lip, 2].max() + 0.5
