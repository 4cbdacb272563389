from __future__ import annotations

import numpy as np

from talkface.rendering.fields import nearest_fill, push_pull, smoothstep


def test_known_cells_stay_and_a_constant_fills_everything():
    known = np.random.default_rng(0).random((24, 31)) < 0.1
    filled = push_pull(np.where(known, 7.0, 0.0)[None], known)
    np.testing.assert_allclose(filled, 7.0, rtol=1e-5)


def test_a_hole_in_a_slope_is_filled_along_the_slope():
    slope = np.tile(np.arange(32.0), (32, 1))
    known = np.ones((32, 32), bool)
    known[12:20, 12:20] = False
    filled = push_pull(np.where(known, slope, 0.0)[None], known, smooth=60)[0]
    assert np.abs(filled - slope).max() < 1.0
    np.testing.assert_array_equal(filled[known], slope[known].astype(np.float32))


def test_nearest_fill_copies_and_measures():
    known = np.zeros((5, 9), bool)
    known[:, 0] = True
    filled, distance = nearest_fill(np.arange(45.0).reshape(5, 9), known)
    np.testing.assert_array_equal(filled, np.tile(np.arange(0.0, 45.0, 9)[:, None], (1, 9)))
    np.testing.assert_array_equal(distance[0], np.arange(9))


def test_smoothstep_runs_from_0_to_1_with_level_ends():
    x = np.linspace(-1, 2, 301)
    y = smoothstep(x)
    assert y[0] == 0 and y[-1] == 1 and (np.diff(y) >= 0).all()
    assert abs(y[101] - y[100]) < 1e-3
