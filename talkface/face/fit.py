"""Lay the face model over a portrait's landmarks: who it is, what the face does, where the head and the camera are.

Regularised least squares (`solver`) on MediaPipe's 468 surface landmarks, then the irises give the gaze, and a smooth
residual warp (`talkface.warp`) takes up what the model cannot explain.
"""

from __future__ import annotations

import numpy as np

from talkface import landmarks as marks_of
from talkface import pose
from talkface.errors import InputError
from talkface.face import checks
from talkface.face.model import FaceModel
from talkface.face.solver import Observation, Prior, State, initial_state, project, solve
from talkface.space import DYNAMICS_AXES, UPPER_AXES
from talkface.types import Camera, FaceFit, FaceMesh
from talkface.warp import Warp, fit_warp

CAMERA_DISTANCE_CM = 80.0
CAMERA_DISTANCE_SPREAD = 0.3
NOISE = 0.035  # of the inter-ocular distance, for a landmark of weight 1 (neighbours err together)
DEPTH_WEIGHT = 0.05
REGION_WEIGHTS = (
    (marks_of.OVAL, 0.15),
    (marks_of.NOSE, 1.5),
    (marks_of.BROWS, 2.0),
    (marks_of.LIDS, 4.0),
    (marks_of.LIPS, 4.0),
)
# How far the residual warp may miss a landmark (see `warp.fit_warp`): the outline slides along the cheek when a head
# turns.
SOFTNESS = ((range(marks_of.SURFACE_COUNT), 0.03), (marks_of.OVAL, 0.5), (marks_of.LIDS, 1e-3), (marks_of.LIPS, 1e-3))
MAX_GAZE_DEG = 40.0
# How readily a face does what, as the standard deviation of the activation; the rest has USUAL_SPREAD.
USUAL_SPREAD = 0.3
SPREADS = {
    "jawOpen": 0.6, "mouthSmileLeft": 0.6, "mouthSmileRight": 0.6, "eyeBlinkLeft": 0.6, "eyeBlinkRight": 0.6,
    "mouthPucker": 0.4, "mouthFunnel": 0.3, "mouthClose": 0.1, "jawForward": 0.1, "jawLeft": 0.15, "jawRight": 0.15,
    "mouthLeft": 0.2, "mouthRight": 0.2, "cheekPuff": 0.1, "tongueOut": 1e-3,
}  # fmt: skip
SPARSITY, UPPER_SPARSITY = 4.0, 1.5  # linear cost of an activation of the mouth and eyes, of the brows and cheeks
SYMMETRY_SPREAD = 0.15  # usual difference between the left and the right of a pair
EXCLUSION = 0.9  # how strongly these avoid each other, 0-1
EXCLUSIVE = (("mouthLeft", "mouthRight"), ("jawLeft", "jawRight"), ("jawOpen", "mouthClose"),
             *((a + side, b + side) for side in ("Left", "Right") for a, b in (
                 ("mouthSmile", "mouthFrown"), ("eyeBlink", "eyeWide"), ("browDown", "browOuterUp"),
                 ("mouthStretch", "mouthPress"))))  # fmt: skip


def fit_face(landmarks: np.ndarray, image_size: tuple[int, int], model: FaceModel | None = None) -> FaceFit:
    """Understand the face with `landmarks` (478, 3) in pixels of a picture of `image_size` (height, width).

    Raises InputError when the landmarks are no face that can be used: too small, in profile, not finite.
    """
    points = np.asarray(landmarks, np.float32)
    if points.shape != (marks_of.COUNT, 3) or not np.isfinite(points).all():
        raise InputError(f"Expected {marks_of.COUNT} finite landmarks with x, y and z, got {points.shape}.")
    checks.refuse_small(points)
    model = model or FaceModel.load()
    state = fit_model(model.landmark_basis(), points)
    yaw_deg, pitch_deg, roll_deg = pose.angles(state.rotation)
    checks.refuse_profile(yaw_deg)
    mesh = model.mesh(state.coefficients[: model.identities])
    dynamics = state.coefficients[model.identities :].astype(np.float32)
    centre = camera_centre(points)
    seen = _seen_landmarks(model, state, centre)
    residual = _residual(seen, points)
    error_px = _rms(seen - points[: len(seen), :2])
    scale_px = checks.interocular(points)
    return FaceFit(
        landmarks=points,
        mesh=mesh,
        dynamics=dynamics,
        camera=Camera(state.focal_px, float(centre[0]), float(centre[1])),
        rotation=state.rotation.astype(np.float32),
        translation=state.translation.astype(np.float32),
        residual_from=seen.astype(np.float32),
        residual_to=residual(seen).astype(np.float32),
        yaw_deg=yaw_deg,
        pitch_deg=pitch_deg,
        roll_deg=roll_deg,
        interocular_px=scale_px,
        error_px=error_px,
        warnings=checks.warnings(points, yaw_deg, error_px / scale_px),
        gaze_deg=_gaze(mesh, state, centre, residual, points),
    )


def _seen_landmarks(model: FaceModel, state: State, centre: np.ndarray) -> np.ndarray:
    """(468, 2) pixels of the model's landmarks."""
    mean, identity, dynamics = model.landmark_basis()
    shape = mean + np.tensordot(state.coefficients, np.concatenate([identity, dynamics]), 1)
    return centre + project(state, shape) * [1.0, -1.0]


def _rms(gaps: np.ndarray) -> float:
    return float(np.sqrt((gaps**2).sum(-1).mean()))


def _residual(seen: np.ndarray, points: np.ndarray) -> Warp:
    softness = np.zeros(len(seen))
    for region, value in SOFTNESS:
        softness[list(region)] = value
    return fit_warp(seen, points[: len(seen), :2], softness)


def _gaze(mesh: FaceMesh, state: State, centre: np.ndarray, residual: Warp, points: np.ndarray) -> np.ndarray:
    """(2, 2) yaw and pitch of the eyeballs in the head, subject's left first, that put the pupils on the iris
    landmarks."""
    angles = []
    for eye, iris in enumerate((marks_of.LEFT_IRIS, marks_of.RIGHT_IRIS)):
        wanted = points[iris[0], :2].astype(np.float64)
        place = wanted
        for _ in range(5):
            place = wanted - residual.displacement(place)
        ray = np.append((place - centre) * [1.0, -1.0] / state.focal_px, -1.0)
        ball = state.rotation @ mesh.eye_centres[eye] + state.translation
        axis = state.rotation.T @ _towards_ray(ray, ball, float(mesh.eye_radii[eye]))
        angles.append(pose.direction_angles(axis))
    return np.clip(angles, -MAX_GAZE_DEG, MAX_GAZE_DEG).astype(np.float32)


def _towards_ray(ray: np.ndarray, centre: np.ndarray, radius: float) -> np.ndarray:
    """From a ball's centre (3,) to where the ray (3,) from the camera first meets it, or passes nearest."""
    ray = ray / np.linalg.norm(ray)
    middle = ray @ centre
    depth = radius**2 - (centre @ centre - middle**2)
    return ray * (middle - np.sqrt(max(depth, 0.0))) - centre


def landmark_weights() -> np.ndarray:
    """(468,) how much each surface landmark counts in the fit."""
    weights = np.full(marks_of.SURFACE_COUNT, 0.5)
    for region, weight in REGION_WEIGHTS:
        weights[list(region)] = weight
    return weights


def observe(points: np.ndarray, centre: np.ndarray) -> Observation:
    """The landmarks (478, 3) in pixels as the solver wants them, around the camera's `centre` (2,)."""
    surface = np.asarray(points[: marks_of.SURFACE_COUNT], np.float64)
    weights = landmark_weights()
    return Observation(
        marks=(surface[:, :2] - centre) * [1.0, -1.0],
        depths=-surface[:, 2],
        weights=weights,
        depth_weights=DEPTH_WEIGHT * np.minimum(weights, 1.0),
        noise_px=NOISE * checks.interocular(points) * np.sqrt(weights.mean()),
    )


def expectation(identities: int) -> Prior:
    """What is expected of `identities` identity coefficients and of the dynamics."""
    spread = np.array([SPREADS.get(axis, USUAL_SPREAD) for axis in DYNAMICS_AXES])
    sparsity = np.array([UPPER_SPARSITY if axis in UPPER_AXES else SPARSITY for axis in DYNAMICS_AXES])
    moves = len(spread)
    precision = np.eye(identities + moves)
    precision[identities:, identities:] = _dynamics_precision(spread)
    return Prior(
        precision=precision,
        sparsity=np.concatenate([np.zeros(identities), sparsity / spread]),
        lower=np.concatenate([np.full(identities, -3.5), np.zeros(moves)]),
        upper=np.concatenate([np.full(identities, 3.5), np.ones(moves)]),
        distance_cm=CAMERA_DISTANCE_CM,
        distance_spread=CAMERA_DISTANCE_SPREAD,
    )


def _dynamics_precision(spread: np.ndarray) -> np.ndarray:
    """(K, K): each axis has its spread, left and right go together, opposites exclude each other."""
    precision = np.diag(spread**-2.0)
    for a, b in EXCLUSIVE:
        i, j = DYNAMICS_AXES.index(a), DYNAMICS_AXES.index(b)
        precision[[i, j], [j, i]] = EXCLUSION * np.sqrt(precision[i, i] * precision[j, j])
    for i, axis in enumerate(DYNAMICS_AXES):
        if axis.endswith("Left") and axis not in ("mouthLeft", "jawLeft"):
            j = DYNAMICS_AXES.index(axis[:-4] + "Right")
            precision[[i, j], [i, j]] += SYMMETRY_SPREAD**-2.0
            precision[[i, j], [j, i]] -= SYMMETRY_SPREAD**-2.0
    return precision


def camera_centre(points: np.ndarray) -> np.ndarray:
    """(2,) where the camera looks: the middle of the face, so that the fit does not depend on how the picture was
    cut."""
    surface = points[: marks_of.SURFACE_COUNT, :2]
    return (surface.min(0) + surface.max(0)).astype(np.float64) / 2


def fit_model(basis: tuple[np.ndarray, np.ndarray, np.ndarray], points: np.ndarray) -> State:
    """Head state for landmarks (478, 3) in pixels, for a landmark basis as of `FaceModel.landmark_basis`."""
    mean, identity, dynamics = basis
    observation = observe(points, camera_centre(points))
    prior = expectation(len(identity))
    start = initial_state(mean, observation, prior)
    return solve(mean, np.concatenate([identity, dynamics]), observation, prior, start)
