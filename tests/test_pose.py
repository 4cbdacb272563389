"""Head rotation: conventions, round trips and agreement with scipy."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from talkface import pose

ANGLES = [(0, 0, 0), (30, 0, 0), (0, -20, 0), (0, 0, 45), (25, 10, -15), (-70, 35, 120), (89, -40, 5)]


@pytest.mark.parametrize("angles_deg", ANGLES)
def test_degrees_to_matrix_to_degrees(angles_deg):
    assert pose.angles(pose.rotation(*angles_deg)) == pytest.approx(angles_deg, abs=1e-9)


@pytest.mark.parametrize("angles_deg", ANGLES)
def test_agrees_with_scipy(angles_deg):
    yaw, pitch, roll = angles_deg
    expected = Rotation.from_euler("ZYX", [-roll, yaw, -pitch], degrees=True).as_matrix()
    np.testing.assert_allclose(pose.rotation(*angles_deg), expected, atol=1e-12)


def test_signs_mean_what_the_convention_says():
    nose, crown = np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0])
    assert (pose.rotation(20, 0, 0) @ nose)[0] > 0.3  # to the image's right
    assert (pose.rotation(0, 20, 0) @ nose)[1] > 0.3  # chin and nose up
    assert (pose.rotation(0, 0, 20) @ crown)[0] > 0.3  # clockwise: the crown goes right


def test_directions():
    np.testing.assert_allclose(pose.direction(0, 0), [0, 0, 1])
    for yaw, pitch in ((0, 0), (15, -10), (-40, 30)):
        assert pose.direction_angles(3 * pose.direction(yaw, pitch)) == pytest.approx((yaw, pitch))


def test_arrays_of_angles():
    yaw = np.linspace(-30, 30, 5)
    matrices = pose.rotation(yaw, 5.0, 0.0)
    assert matrices.shape == (5, 3, 3)
    np.testing.assert_allclose(matrices[3], pose.rotation(yaw[3], 5.0, 0.0))


def test_small_rotation_is_rodrigues():
    rng = np.random.default_rng(0)
    for vector in (np.zeros(3), np.array([1e-10, 0, 0]), rng.normal(size=3)):
        np.testing.assert_allclose(pose.small_rotation(vector), Rotation.from_rotvec(vector).as_matrix(), atol=1e-9)
