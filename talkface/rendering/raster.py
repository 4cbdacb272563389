"""Triangles to pixels, once per portrait: a small z-buffer rasteriser in plain numpy."""

from __future__ import annotations

import numpy as np


def rasterize(points: np.ndarray, triangles: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest triangle behind every pixel centre.

    Args:
        points: (V, 3) x and y in pixels, and depth (smaller is nearer).
        triangles: (F, 3) indices.
        height, width: size of the picture.

    Returns:
        triangle: (H, W) int64 index of the visible triangle, -1 where there is none.
        barycentric: (H, W, 3) float32 weights of its corners (zero where there is none).
    """
    corners = points[triangles].astype(np.float64)
    low = np.ceil(corners[..., :2].min(1)).astype(int)
    high = np.floor(corners[..., :2].max(1)).astype(int)
    low, high = np.maximum(low, 0), np.minimum(high, [width - 1, height - 1])
    extent = (high - low + 1).max(1)
    drawable = ((high >= low).all(1)) & (np.abs(_doubled_area(corners)) > 1e-9)
    depth = np.full(height * width, np.inf)
    hits = []
    size = 1
    while drawable.any() and size // 2 < extent[drawable].max():
        chosen = np.flatnonzero(drawable & (extent <= size) & (extent > size // 2))
        if len(chosen):
            hits.append(_cover(corners[chosen], low[chosen], high[chosen], size, chosen, width))
            np.minimum.at(depth, hits[-1][0], hits[-1][1])
        size *= 2
    triangle = np.full(height * width, -1, np.int64)
    barycentric = np.zeros((height * width, 3), np.float32)
    for pixel, z, index, weights in hits:
        front = z <= depth[pixel]
        triangle[pixel[front]] = index[front]
        barycentric[pixel[front]] = weights[front]
    return triangle.reshape(height, width), barycentric.reshape(height, width, 3)


def interpolate(values: np.ndarray, triangles: np.ndarray, triangle: np.ndarray, barycentric: np.ndarray) -> np.ndarray:
    """Spread vertex values (V, ...) over the pixels of a rasterisation: (H, W, ...) float32, zero where it is empty."""
    corners = triangles[np.maximum(triangle, 0)]
    shape = triangle.shape + (1,) * (values.ndim - 1)
    return sum(values[corners[..., k]] * barycentric[..., k].reshape(shape) for k in range(3)).astype(np.float32)


def vertex_normals(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Area-weighted unit normals (V, 3) of a mesh."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    faces = np.cross(b - a, c - a)
    normals = np.zeros_like(points)
    for k in range(3):
        np.add.at(normals, triangles[:, k], faces)
    return normals / (np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12)


def _doubled_area(corners: np.ndarray) -> np.ndarray:
    a, b, c = corners[:, 0, :2], corners[:, 1, :2], corners[:, 2, :2]
    return (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])


def _cover(corners, low, high, size, index, width):
    """Pixels, depths, triangle numbers and weights of all triangles whose box fits in size x size."""
    dy, dx = np.divmod(np.arange(size * size), size)
    x, y = low[:, :1] + dx, low[:, 1:] + dy
    a, b, c = (corners[:, k, None] for k in range(3))
    area = _doubled_area(corners)[:, None]
    w0 = ((b[..., 0] - x) * (c[..., 1] - y) - (b[..., 1] - y) * (c[..., 0] - x)) / area
    w1 = ((c[..., 0] - x) * (a[..., 1] - y) - (c[..., 1] - y) * (a[..., 0] - x)) / area
    w2 = 1 - w0 - w1
    inside = (w0 >= -1e-9) & (w1 >= -1e-9) & (w2 >= -1e-9) & (x <= high[:, :1]) & (y <= high[:, 1:])
    row, _ = np.nonzero(inside)
    weights = np.stack([w0[inside], w1[inside], w2[inside]], 1)
    z = (weights * corners[row, :, 2]).sum(1)
    return (y * width + x)[inside], z, index[row], weights
