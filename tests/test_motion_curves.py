"""Curves: kernels, easing, limits and runs in closed form."""

import numpy as np
import pytest

from talkface.motion.curves import ease, reaching_kernel, read_smoothly, runs, smooth, soft_limit


def test_ease_is_a_smooth_step():
    x = np.linspace(-0.5, 1.5, 401)
    y = ease(x)
    assert y[0] == 0
    assert y[-1] == 1
    assert (np.diff(y) >= 0).all()
    assert np.abs(np.diff(y, 2)).max() < 2e-4


def test_kernel_sums_to_one_and_reaches_ahead():
    kernel = reaching_kernel(100, 40)
    middle = len(kernel) // 2
    assert kernel.sum() == pytest.approx(1) and kernel[middle + 3] < kernel[middle - 3]


def test_runs():
    assert runs(np.array([1, 1, 0, 0, 1], bool)) == [(0, 2), (4, 5)]
    assert runs(np.zeros(3, bool)) == []


def test_smoothing_keeps_the_level_to_the_ends():
    np.testing.assert_allclose(smooth(np.full(9, 0.3), reaching_kernel(40, 80)), 0.3)


def test_a_soft_limit_leaves_small_angles_and_is_never_passed():
    angles = np.array([[1.0, -5.0], [9.0, 3.0], [-400.0, 400.0]])
    bent = soft_limit(angles, (15.0, 10.0))
    np.testing.assert_array_equal(bent[:2], angles[:2])
    np.testing.assert_allclose(np.abs(bent[2]), [15.0, 10.0])


def test_whole_rows_are_read_unchanged_and_lines_stay_lines():
    curve = np.random.default_rng(0).normal(size=(9, 3))
    np.testing.assert_allclose(read_smoothly(curve, np.arange(9.0)), curve)
    line = np.arange(9.0)[:, None]
    np.testing.assert_allclose(read_smoothly(line, np.array([1.25, 4.5, 6.9]))[:, 0], [1.25, 4.5, 6.9])
    assert read_smoothly(line, np.array([20.0])).shape == (1, 1)
