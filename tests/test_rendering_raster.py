from __future__ import annotations

import numpy as np
import pytest

from talkface.rendering.raster import interpolate, rasterize, vertex_normals

SQUARE = np.array([[1.0, 1.0, 5.0], [9.0, 1.0, 5.0], [9.0, 9.0, 5.0], [1.0, 9.0, 5.0]])
TWO = np.array([[0, 1, 2], [0, 2, 3]])


def inside(points: np.ndarray, x: float, y: float) -> bool:
    """Oracle: the point lies on the same side of all three edges."""
    sides = []
    for a, b in zip(points, np.roll(points, -1, axis=0), strict=True):
        sides.append((b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0]))
    return min(sides) >= 0 or max(sides) <= 0


def test_covers_exactly_the_pixel_centres_inside_any_triangle():
    rng = np.random.default_rng(0)
    for _ in range(20):
        points = np.concatenate([rng.uniform(-4, 24, (3, 2)), np.ones((3, 1))], 1)
        triangle, _ = rasterize(points, np.array([[0, 1, 2]]), 20, 20)
        expected = [[inside(points[:, :2], x, y) for x in range(20)] for y in range(20)]
        np.testing.assert_array_equal(triangle >= 0, expected)


def test_shared_edges_leave_no_hole():
    triangle, weights = rasterize(SQUARE, TWO, 12, 12)
    assert (triangle[1:10, 1:10] >= 0).all()
    assert weights[1:10, 1:10].sum(-1) == pytest.approx(1)


def test_the_nearer_triangle_wins_wherever_both_are():
    far, near = SQUARE + [0, 0, 3], SQUARE * [0.5, 0.5, 1]
    triangle, _ = rasterize(np.concatenate([far, near]), np.concatenate([TWO, TWO + 4]), 12, 12)
    assert triangle[2, 3] >= 2
    assert 0 <= triangle[8, 8] < 2


def test_interpolation_is_linear_in_the_plane():
    values = SQUARE[:, :2] @ [[2.0, 0.0], [-1.0, 3.0]]
    picture = interpolate(values, TWO, *rasterize(SQUARE, TWO, 12, 12))
    np.testing.assert_allclose(picture[4, 6], np.array([6, 4]) @ [[2.0, 0.0], [-1.0, 3.0]], rtol=1e-5)
    assert (picture[11, 11] == 0).all()


def test_normals_of_a_flat_square_are_its_plane():
    np.testing.assert_allclose(np.abs(vertex_normals(SQUARE, TWO)), np.tile([0, 0, 1], (4, 1)), atol=1e-9)
