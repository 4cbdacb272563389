"""The face model: a mean head, identities and named movements, and where MediaPipe's landmarks sit on it.

Everything is linear: vertices = mean + identity coefficients (in standard deviations) x identity basis + dynamics
(0-1, `space.DYNAMICS_AXES`) x dynamics basis. Axes and units as in `types.FaceMesh`. Made by `training/face_model.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from talkface import weights
from talkface.errors import EnvironmentFailure
from talkface.space import DYNAMICS_AXES
from talkface.types import FaceMesh


@dataclass(frozen=True)
class FaceModel:
    """The learned model.

    Attributes:
        mean: (V, 3) float32 mean head at rest, cm.
        identity: (I, V, 3) float32 displacement per standard deviation of each identity coefficient.
        dynamics: (K, V, 3) float32 displacement per unit of each axis of `space.DYNAMICS_AXES`.
        triangles: (F, 3) int64. parts: (V,) uint8, index into `types.FACE_PARTS`.
        upper_lip, lower_lip: (M,) int64 inner lip edges, image left to right.
        landmark_vertices, landmark_weights: (468, 3) int64 and float32, the triangle that each surface landmark lies
            in, and its barycentric weights.
        eye_centres, eye_radii: (2, 3) and (2,) float32 of the mean's eyeballs, subject's left first, cm;
            eye_centre_identity, eye_radius_identity: (I, 2, 3) and (I, 2) their change per standard deviation.
    """

    mean: np.ndarray
    identity: np.ndarray
    dynamics: np.ndarray
    triangles: np.ndarray
    parts: np.ndarray
    upper_lip: np.ndarray
    lower_lip: np.ndarray
    landmark_vertices: np.ndarray
    landmark_weights: np.ndarray
    eye_centres: np.ndarray
    eye_radii: np.ndarray
    eye_centre_identity: np.ndarray
    eye_radius_identity: np.ndarray

    @staticmethod
    @lru_cache(maxsize=1)
    def load() -> FaceModel:
        """The model stored in `weights/`. Raises EnvironmentFailure when it is missing, altered or of another
        version."""
        config, tensors = weights.load("face_model")
        axes = tuple(config.get("dynamics_axes", ()))
        if axes != DYNAMICS_AXES:
            raise EnvironmentFailure(
                f"The face model's {len(axes)} dynamics axes are not this version's {len(DYNAMICS_AXES)}.",
                weights.REINSTALL,
            )
        return FaceModel(**{name: tensor.numpy() for name, tensor in tensors.items()})

    @property
    def identities(self) -> int:
        """Number of identity coefficients."""
        return len(self.identity)

    def mesh(self, identity: np.ndarray) -> FaceMesh:
        """The person with identity coefficients (I,), in standard deviations."""
        identity = np.asarray(identity, np.float32)
        return FaceMesh(
            neutral=self.mean + np.tensordot(identity, self.identity, 1),
            dynamics=self.dynamics,
            triangles=self.triangles,
            parts=self.parts,
            upper_lip=self.upper_lip,
            lower_lip=self.lower_lip,
            eye_centres=self.eye_centres + np.tensordot(identity, self.eye_centre_identity, 1),
            eye_radii=self.eye_radii + identity @ self.eye_radius_identity,
        )

    def landmark_basis(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean (468, 3), identity (I, 468, 3) and dynamics (K, 468, 3) of the surface landmarks, float64."""
        return tuple(self._at_landmarks(array) for array in (self.mean, self.identity, self.dynamics))

    def _at_landmarks(self, array: np.ndarray) -> np.ndarray:
        corners = array[..., self.landmark_vertices, :].astype(np.float64)
        return (corners * self.landmark_weights[..., None]).sum(-2)
