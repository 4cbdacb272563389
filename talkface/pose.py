"""Head rotation between degrees and matrices: the only place where radians appear.

Axes, shared with `types.Camera` and the face model: x to the image's right (the subject's left), y up, z towards the
viewer.

- +yaw turns the nose to the image's right,
- +pitch lifts the chin,
- +roll turns the head clockwise in the image.

Composition: R = Rz(-roll) @ Ry(yaw) @ Rx(-pitch) with the usual right-handed rotations about the axes, applied to
column vectors: a head at rest is pitched first, then turned, then rolled in the image plane. The nose of a head with
pose (yaw, pitch, 0) points to (sin yaw cos pitch, sin pitch, cos yaw cos pitch).
"""

from __future__ import annotations

import numpy as np


def rotation(yaw_deg: float, pitch_deg: float, roll_deg: float) -> np.ndarray:
    """Rotation matrix (..., 3, 3) float64 of a head pose; the angles may be arrays of one shape (...)."""
    yaw, pitch, roll = np.broadcast_arrays(
        *(np.radians(angle, dtype=np.float64) for angle in (yaw_deg, pitch_deg, roll_deg))
    )
    return _about_z(-roll) @ _about_y(yaw) @ _about_x(-pitch)


def angles(matrix: np.ndarray) -> tuple[float, float, float]:
    """(yaw_deg, pitch_deg, roll_deg) of a rotation matrix (3, 3): the inverse of `rotation`, with |yaw| <= 90."""
    matrix = np.asarray(matrix, np.float64)
    yaw = np.arcsin(np.clip(-matrix[2, 0], -1.0, 1.0))
    pitch = -np.arctan2(matrix[2, 1], matrix[2, 2])
    roll = -np.arctan2(matrix[1, 0], matrix[0, 0])
    return tuple(float(np.degrees(angle)) for angle in (yaw, pitch, roll))


def direction(yaw_deg: float, pitch_deg: float) -> np.ndarray:
    """Unit vector (..., 3) that looks yaw degrees to the image's right and pitch degrees up; zero looks at the
    viewer."""
    return rotation(yaw_deg, pitch_deg, 0.0)[..., :, 2]


def direction_angles(vector: np.ndarray) -> tuple[float, float]:
    """(yaw_deg, pitch_deg) of a direction (3,) of any length: the inverse of `direction`."""
    x, y, z = np.asarray(vector, np.float64)
    return float(np.degrees(np.arctan2(x, z))), float(np.degrees(np.arctan2(y, np.hypot(x, z))))


def small_rotation(vector_rad: np.ndarray) -> np.ndarray:
    """Rotation matrix (3, 3) of a rotation vector (3,) in radians (Rodrigues), for solvers that step on the
    rotation."""
    angle = float(np.linalg.norm(vector_rad))
    x, y, z = np.asarray(vector_rad, np.float64)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    if angle < 1e-8:
        return np.eye(3) + cross
    return np.eye(3) + np.sin(angle) / angle * cross + (1.0 - np.cos(angle)) / angle**2 * cross @ cross


def _matrix(rows: list[list[np.ndarray]]) -> np.ndarray:
    """(..., 3, 3) from three rows of three arrays (...)."""
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def _about_x(angle: np.ndarray) -> np.ndarray:
    c, s, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    return _matrix([[one, zero, zero], [zero, c, -s], [zero, s, c]])


def _about_y(angle: np.ndarray) -> np.ndarray:
    c, s, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    return _matrix([[c, zero, s], [zero, one, zero], [-s, zero, c]])


def _about_z(angle: np.ndarray) -> np.ndarray:
    c, s, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    return _matrix([[c, -s, zero], [s, c, zero], [zero, zero, one]])
