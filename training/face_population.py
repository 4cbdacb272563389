"""What real faces have and the source's identities lack: their average, and further ways in which people differ.

The model is fitted to many calm faces with closed lips, and to their mirror images. The average identity becomes the
mean face. What the fit leaves over (uneven faces, lips, brows and lids of another shape) is reduced to a few principal
components, spread from the landmarks over the skin, and appended to the identity basis, so that a person's shape is not
mistaken for an expression.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from talkface import landmarks as marks_of
from talkface import pose
from talkface.face import checks, fit
from talkface.face.solver import State, project
from talkface.types import FACE_PARTS
from training.face_landmarks import FACES, Correspondence, average_shape, load_faces, mirror_permutation, mirrored

CALM_FACES = {"generated": 900, "official": 553, "portraits": 194, "congress": 500}
CALM_OPENING = 0.03  # lips, in inter-ocular distances
CALM_YAW_DEG = 22.0
MODES = 14
SPREAD_CM = 3.0
POOR = 0.05


def learn_population(
    head, shapes, places: Correspondence, folder: Path, lips, log=print
) -> tuple[np.ndarray, np.ndarray]:
    """The mean (V, 3) and the identity basis (I + MODES, V, 3) after seeing real faces; `lips` keeps lips closed."""
    mean, identity, dynamics = shapes
    basis = tuple(places.of(field) for field in shapes)
    faces = calm_faces(folder)
    coefficients, gaps = [], []
    for face in faces:
        state = fit.fit_model(basis, face)
        gap = left_over(basis, state, face)
        yaw_deg, _, _ = pose.angles(state.rotation)
        if abs(yaw_deg) < CALM_YAW_DEG and np.sqrt((gap**2).sum(1).mean()) < POOR * 9:
            coefficients.append(state.coefficients[: len(identity)])
            gaps.append(gap)
    average = np.mean(coefficients, axis=0)
    log(f"{len(gaps)} calm faces; largest mean identity {np.abs(average).max():.2f}, spread {np.std(coefficients):.2f}")
    new_mean = mean + np.tensordot(average, identity, 1)
    modes, share = principal(np.array(gaps), MODES)
    log(f"{MODES} further modes explain {share:.3f} of what was left over")
    spread = spreading(places.of(mean), mean, head.parts)
    fields = np.einsum("vk,mkj->mvj", spread, modes)
    fields = np.stack([field + lips.closing(field, mean) for field in fields])
    return new_mean, np.concatenate([identity, fields])


def calm_faces(folder: Path) -> list[np.ndarray]:
    """Faces with closed lips, each also mirrored."""
    faces = []
    for name, count in CALM_FACES.items():
        stored = np.load(folder / "faces" / f"{name}_landmarks.npz")["marks"]
        chosen = stored[np.linspace(0, len(stored) - 1, count).astype(int)].astype(np.float64) / 8
        faces += [face for face in chosen if checks.lip_opening(face) < CALM_OPENING]
    partner = mirror_permutation(average_shape(load_faces(folder)[: FACES["generated"]]))  # open mouths among them
    return faces + [mirrored(face, partner) for face in faces]


def left_over(basis, state: State, face: np.ndarray) -> np.ndarray:
    """(468, 3) displacement in the head's frame, cm, parallel to the picture, that would make the landmarks fit."""
    points = basis[0] + np.tensordot(state.coefficients, np.concatenate(basis[1:]), 1)
    seen = (face[: len(points), :2] - fit.camera_centre(face)) * [1.0, -1.0]
    gap = (seen - project(state, points)) * -state.translation[2] / state.focal_px
    return gap @ state.rotation[:2]


def principal(gaps: np.ndarray, count: int) -> tuple[np.ndarray, float]:
    """The `count` strongest modes (count, 468, 3), one standard deviation each, of displacements (N, 468, 3); the
    outline, which slides along the cheeks, does not count. Also the share of the variance they explain."""
    weight = np.ones(gaps.shape[1])
    weight[list(marks_of.OVAL)] = 0.05
    size = np.sqrt((gaps**2).sum((1, 2)))
    gaps = gaps[size < 2.5 * np.median(size)]
    flat = (gaps * weight[:, None]).reshape(len(gaps), -1)
    _, singular, directions = np.linalg.svd(flat - flat.mean(0), full_matrices=False)
    modes = directions[:count] * (singular[:count] / np.sqrt(len(gaps)))[:, None]
    return modes.reshape(count, -1, 3), float((singular[:count] ** 2).sum() / (singular**2).sum())


def spreading(landmarks: np.ndarray, vertices: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """(V, 468) linear map from displacements of the landmarks (468, 3) to displacements of the vertices: smooth over
    the skin, whole for each eyeball, none for teeth, gums and tongue."""
    kernel = _bump(_distance(landmarks, landmarks)) + 0.05 * np.eye(len(landmarks))
    spread = _bump(_distance(vertices, landmarks)) @ np.linalg.inv(kernel)
    for name in ("gums_upper", "gums_lower", "tongue", "teeth_upper", "teeth_lower"):
        spread[parts == FACE_PARTS.index(name)] = 0.0
    for name, rows in (("eye_left", marks_of.LEFT_LID_UPPER + marks_of.LEFT_LID_LOWER),
                       ("eye_right", marks_of.RIGHT_LID_UPPER + marks_of.RIGHT_LID_LOWER)):  # fmt: skip
        share = np.zeros(len(landmarks))
        share[list(set(rows))] = 1.0 / len(set(rows))
        spread[parts == FACE_PARTS.index(name)] = share
    return spread


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.linalg.norm(a[:, None] - b[None], axis=-1) / SPREAD_CM


def _bump(r: np.ndarray) -> np.ndarray:
    inside = np.maximum(1 - r, 0.0)
    return inside**4 * (4 * r + 1)


def place_eyes(shapes, places: Correspondence, balls: dict[str, np.ndarray], faces, log=print) -> np.ndarray:
    """(2, 3) shift of the eyeballs' centres such that people, on average, look into the camera."""
    basis = tuple(places.of(field) for field in shapes)
    misses = []
    for face in faces:
        state = fit.fit_model(basis, face)
        code = state.coefficients[: len(shapes[1])]
        for eye, iris in enumerate((marks_of.LEFT_IRIS, marks_of.RIGHT_IRIS)):
            ball = balls["eye_centres"][eye] + np.tensordot(code, balls["eye_centre_identity"][:, eye], 1)
            towards = -(state.rotation @ ball + state.translation)
            pupil = ball + state.rotation.T @ towards / np.linalg.norm(towards) * balls["eye_radii"][eye]
            wanted = (face[iris[0], :2] - fit.camera_centre(face)) * [1.0, -1.0]
            gap = (wanted - project(state, pupil[None])[0]) * -state.translation[2] / state.focal_px
            misses.append((gap @ state.rotation[:2]) * [1.0 - 2.0 * eye, 1.0, 1.0])
    middle = np.median(misses, axis=0)
    log(f"eyeballs move by {np.round(middle, 3)} cm (outwards, up, forward)")
    return np.array([middle, middle * [-1.0, 1.0, 1.0]])
