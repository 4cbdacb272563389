"""Where MediaPipe's 468 surface landmarks sit on the face model, found from labelled faces.

It starts from the 68 pairs that come with the data: a thin-plate warp takes the average landmark shape onto the model,
and every landmark drops to the nearest skin. Then, in turns, the model is fitted to many faces, and every landmark
slides along the skin to where it fits all of them best. Landmarks of the lips' inner edges and of the lids only slide
along those edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.interpolate import RBFInterpolator
from scipy.spatial import cKDTree

from talkface import landmarks as marks_of
from talkface.face.fit import camera_centre, fit_model, landmark_weights
from talkface.face.solver import project
from talkface.types import FACE_PARTS

FACES = {"generated": 260, "official": 160, "portraits": 80, "congress": 60}
MAX_SLIDE_CM = 0.25
NEAR_TRIANGLES = 40
MULTI_PIE_MARKS = (
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389, 71, 63, 105, 66, 107, 336, 296,
    334, 293, 301, 168, 197, 5, 4, 75, 97, 2, 326, 305, 33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380, 61,
    39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip
MULTI_PIE_VERTICES = (
    1225, 1888, 1052, 367, 1719, 1722, 2199, 1447, 966, 3661, 4390, 3927, 3924, 2608, 3272, 4088, 3443, 268, 493, 1914,
    2044, 1401, 3615, 4240, 4114, 2734, 2509, 978, 4527, 4942, 4857, 1140, 2075, 1147, 4269, 3360, 1507, 1542, 1537,
    1528, 1518, 1511, 3742, 3751, 3756, 3721, 3725, 3732, 5708, 5695, 2081, 0, 4275, 6200, 6213, 6346, 6461, 5518, 5957,
    5841, 5702, 5711, 5533, 6216, 6207, 6470, 5517, 5966,
)  # fmt: skip


@dataclass
class Correspondence:
    """Vertices (468, 3) and weights (468, 3) of each landmark."""

    vertices: np.ndarray
    weights: np.ndarray

    def of(self, field: np.ndarray) -> np.ndarray:
        """A vertex field (..., V, 3) at the landmarks: (..., 468, 3)."""
        return (field[..., self.vertices, :] * self.weights[..., None]).sum(-2)


def load_faces(folder: Path) -> list[np.ndarray]:
    """Landmarks (478, 3) of FACES, evenly spread over each set."""
    faces = []
    for name, count in FACES.items():
        stored = np.load(folder / "faces" / f"{name}_landmarks.npz")["marks"]
        chosen = np.linspace(0, len(stored) - 1, count).astype(int)
        faces += list(stored[chosen].astype(np.float64) / 8)
    return faces


def average_shape(faces: list[np.ndarray]) -> np.ndarray:
    """(468, 3) average of the landmarks after removing similarity transforms; y up, z towards the viewer."""
    shapes = [face[: marks_of.SURFACE_COUNT] * [1.0, -1.0, -1.0] for face in faces]
    mean = shapes[0]
    for _ in range(3):
        mean = np.mean([_aligned(shape, mean) for shape in shapes], axis=0)
    return mean


def mirror_permutation(shape: np.ndarray) -> np.ndarray:
    """(468,) the landmark on the other side of the face for each landmark, from their average shape (468, 3)."""
    rows = (marks_of.OVAL[1:], marks_of.LIP_INNER_UPPER, marks_of.LIP_OUTER_LOWER)
    pairs = [(row, row[::-1]) for row in rows]
    pairs += [(marks_of.RIGHT_LID_UPPER, marks_of.LEFT_LID_UPPER[::-1])]
    pairs += [(marks_of.LEFT_LID_UPPER, marks_of.RIGHT_LID_UPPER[::-1])]
    own, other = (list(sum(column, ())) for column in zip(*pairs, strict=True))
    flipped = shape * [-1.0, 1.0, 1.0]
    flipped = _align_by(flipped, flipped[own], shape[other])
    partner = cKDTree(flipped).query(shape)[1]
    if (partner[partner] != np.arange(len(shape))).any():
        raise ValueError("the average face is not symmetric enough to pair its landmarks")
    return partner


def mirrored(face: np.ndarray, partner: np.ndarray) -> np.ndarray:
    """The landmarks (478, 3) of the picture's mirror image (irises are left where they are)."""
    flipped = face * [-1.0, 1.0, 1.0]
    flipped[: len(partner)] = flipped[partner]
    return flipped


def _aligned(moving: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    a, b = moving - moving.mean(0), fixed - fixed.mean(0)
    u, singular, vt = np.linalg.svd(a.T @ b)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    return a @ ((u * sign) @ vt) * (singular * sign).sum() / (a**2).sum() + fixed.mean(0)


class Skin:
    """The visible skin of the mean face: nearest points and normals."""

    def __init__(self, vertices: np.ndarray, triangles: np.ndarray, parts: np.ndarray, inner: np.ndarray) -> None:
        outside = (parts[triangles] <= FACE_PARTS.index("head")).all(1) & ~np.isin(triangles, inner).any(1)
        self.vertices, self.triangles = vertices, triangles[outside]
        corners = vertices[self.triangles]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        self.normal = normal / np.linalg.norm(normal, axis=1, keepdims=True)
        self.tree = cKDTree(corners.mean(1))

    def drop(self, points: np.ndarray) -> tuple[Correspondence, np.ndarray]:
        """The nearest skin to points (K, 3), and its normals (K, 3)."""
        _, near = self.tree.query(points, NEAR_TRIANGLES)
        weights = np.stack(
            [_nearest_in_triangles(p, self.vertices[self.triangles[n]]) for p, n in zip(points, near, strict=True)]
        )
        places = (self.vertices[self.triangles[near]] * weights[..., None]).sum(-2)
        best = np.linalg.norm(places - points[:, None], axis=-1).argmin(1)
        row = np.arange(len(points))
        chosen = near[row, best]
        return Correspondence(self.triangles[chosen], weights[row, best]), self.normal[chosen]


def _nearest_in_triangles(point: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Barycentric weights (T, 3) of the point of each triangle (T, 3, 3) nearest to `point`."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    candidates = [_inside(point, a, b, c)]
    for first, second, third in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        edge = corners[:, second] - corners[:, first]
        t = np.clip(((point - corners[:, first]) * edge).sum(1) / (edge**2).sum(1), 0.0, 1.0)
        weights = np.zeros((len(corners), 3))
        weights[:, first], weights[:, second], weights[:, third] = 1 - t, t, 0.0
        candidates.append(weights)
    stack = np.stack(candidates)
    distance = np.linalg.norm((stack[..., None] * corners).sum(2) - point, axis=-1)
    distance[0][(stack[0] < 0).any(1)] = np.inf
    return stack[distance.argmin(0), np.arange(len(corners))]


def _inside(point, a, b, c):
    ab, ac, ap = b - a, c - a, point - a
    d00, d01, d11 = (ab * ab).sum(1), (ab * ac).sum(1), (ac * ac).sum(1)
    d20, d21 = (ap * ab).sum(1), (ap * ac).sum(1)
    scale = d00 * d11 - d01**2 + 1e-15
    v, w = (d11 * d20 - d01 * d21) / scale, (d00 * d21 - d01 * d20) / scale
    return np.stack([1 - v - w, v, w], axis=1)


class Rail:
    """An edge of the mean face along which landmarks slide: vertices (M,) in order; the ends stay."""

    def __init__(self, line: np.ndarray, vertices: np.ndarray, marks: tuple[int, ...]) -> None:
        self.line, self.points, self.marks = np.asarray(line), vertices[line], marks
        steps = np.linalg.norm(np.diff(self.points, axis=0), axis=1)
        self.length = np.concatenate([[0.0], np.cumsum(steps)])
        self.place = np.linspace(0.0, 1.0, len(marks)) * self.length[-1]

    def start_near(self, guesses: np.ndarray) -> None:
        """Put the inner landmarks where the edge is nearest to guesses (len(marks), 3), in order."""
        fine = np.linspace(0.0, self.length[-1], 1000)
        points = np.stack([np.interp(fine, self.length, self.points[:, k]) for k in range(3)], axis=1)
        self.place[1:-1] = fine[cKDTree(points).query(guesses)[1]][1:-1]
        self._keep_order()

    def slide(self, wanted: np.ndarray) -> None:
        """Move the landmarks by displacements (len(marks), 3), as far as they lie along the edge."""
        tangent = self._tangent()
        self.place[1:-1] += np.clip((wanted * tangent).sum(1), -MAX_SLIDE_CM, MAX_SLIDE_CM)[1:-1]
        self._keep_order()

    def _tangent(self) -> np.ndarray:
        segment = self._segment()
        step = self.points[segment + 1] - self.points[segment]
        return step / np.linalg.norm(step, axis=1, keepdims=True)

    def _segment(self) -> np.ndarray:
        return np.clip(np.searchsorted(self.length, self.place, "right") - 1, 0, len(self.line) - 2)

    def _keep_order(self) -> None:
        gap = 0.25 * self.length[-1] / (len(self.marks) - 1)
        for i in range(1, len(self.place) - 1):
            self.place[i] = max(self.place[i], self.place[i - 1] + gap)
        for i in range(len(self.place) - 2, 0, -1):
            self.place[i] = min(self.place[i], self.place[i + 1] - gap)

    def write(self, target: Correspondence) -> None:
        """Store the landmarks' places as degenerate triangles (the two ends of a segment)."""
        segment = self._segment()
        t = (self.place - self.length[segment]) / (self.length[segment + 1] - self.length[segment])
        for mark, s, share in zip(self.marks, segment, t, strict=True):
            target.vertices[mark] = (self.line[s], self.line[s + 1], self.line[s + 1])
            target.weights[mark] = (1 - share, share, 0.0)


def first_places(head, mean: np.ndarray, source_of: np.ndarray, faces: list[np.ndarray]) -> Correspondence:
    """A rough start for `refine`: `head` is a compact training.face_model.Head whose vertices came from the source's
    `source_of`; `faces` are seen from the front."""
    shape = average_shape(faces)
    guess = _first_guess(shape, mean, source_of)
    partner = mirror_permutation(shape)
    guess = (guess + guess[partner] * [-1.0, 1.0, 1.0]) / 2
    places, _ = _skin(head, mean).drop(guess)
    for rail in _rails(head, mean):
        rail.start_near(guess[list(rail.marks)])
        rail.write(places)
    return places


def refine(head, shapes, places: Correspondence, faces: list[np.ndarray], rounds: int, log=print) -> Correspondence:
    """Let the landmarks slide to where they explain `faces` best; `shapes` are mean, identity and dynamics."""
    mean = shapes[0]
    skin, rails = _skin(head, mean), _rails(head, mean)
    partner = mirror_permutation(average_shape(faces[: FACES["generated"]]))
    for rail in rails:
        rail.start_near(places.of(mean)[list(rail.marks)])
    _, normals = skin.drop(places.of(mean))
    for turn in range(rounds):
        wanted, error = _best_slides(places, normals, shapes, faces)
        log(f"round {turn}: {error:.4f} of the inter-ocular distance (rms, weighted)")
        wanted = (wanted + wanted[partner] * [-1.0, 1.0, 1.0]) / 2
        moved = places.of(mean) + wanted
        places, normals = skin.drop(moved)
        for rail in rails:
            rail.slide(wanted[list(rail.marks)])
            rail.write(places)
    return places


def _skin(head, mean: np.ndarray) -> Skin:
    return Skin(mean, head.triangles, head.parts, _behind_lips(head, mean))


def _behind_lips(head, mean: np.ndarray) -> np.ndarray:
    """Skin vertices behind the lips' inner edges (the side that faces the teeth)."""
    lips = np.concatenate([head.upper_lip, head.lower_lip])
    distance, nearest = cKDTree(mean[lips]).query(mean)
    behind = mean[:, 2] < mean[lips][nearest][:, 2] - 0.02
    return np.flatnonzero(behind & (distance < 0.9) & (np.abs(mean[:, 0]) < 2.15) & (head.parts == 0))


def _first_guess(shape: np.ndarray, mean: np.ndarray, source_of: np.ndarray) -> np.ndarray:
    place = {int(v): i for i, v in enumerate(source_of)}
    pairs = [(m, place[v]) for m, v in zip(MULTI_PIE_MARKS, MULTI_PIE_VERTICES, strict=True) if v in place]
    marks, vertices = (list(column) for column in zip(*pairs, strict=True))
    aligned = _align_by(shape, shape[marks], mean[vertices])
    warp = RBFInterpolator(aligned[marks], mean[vertices] - aligned[marks], kernel="linear", smoothing=0.02, degree=1)
    return aligned + warp(aligned)


def _align_by(shape: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    stacked = np.concatenate([source, shape])
    a, b = source - source.mean(0), target - target.mean(0)
    u, singular, vt = np.linalg.svd(a.T @ b)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    scale = (singular * sign).sum() / (a**2).sum()
    return ((stacked - source.mean(0)) @ ((u * sign) @ vt) * scale + target.mean(0))[len(source) :]


def _rails(head, mean: np.ndarray) -> list[Rail]:
    (right_upper, right_lower), (left_upper, left_lower) = head.lids["right"], head.lids["left"]
    lines = (
        (head.upper_lip, marks_of.LIP_INNER_UPPER),
        (head.lower_lip, marks_of.LIP_INNER_LOWER),
        (right_upper, marks_of.RIGHT_LID_UPPER),
        (right_lower, marks_of.RIGHT_LID_LOWER),
        (left_upper, marks_of.LEFT_LID_UPPER),
        (left_lower, marks_of.LEFT_LID_LOWER),
    )
    ordered = [(line if mean[line[0], 0] < mean[line[-1], 0] else line[::-1], marks) for line, marks in lines]
    return [Rail(line, mean, marks) for line, marks in ordered]


def _best_slides(places: Correspondence, normals: np.ndarray, shapes, faces) -> tuple[np.ndarray, float]:
    """For every landmark the displacement along the skin (468, 3), cm, that best explains all faces, and the rms
    error."""
    basis = tuple(places.of(field) for field in shapes)
    tangents = _tangents(normals)
    hessian = np.tile(np.eye(2) * 2.0, (len(normals), 1, 1))
    right = np.zeros((len(normals), 2))
    errors, weights = [], landmark_weights()
    for face in faces:
        state = fit_model(basis, face)
        points = basis[0] + np.tensordot(state.coefficients, np.concatenate(basis[1:]), 1)
        seen = (face[: len(points), :2] - camera_centre(face)) * [1.0, -1.0]
        px_per_cm = state.focal_px / -state.translation[2]
        gap = (seen - project(state, points)) / px_per_cm
        eyes = np.linalg.norm(points[[33, 133]].mean(0) - points[[362, 263]].mean(0))
        error = np.sqrt((weights * (gap**2).sum(1)).sum() / weights.sum()) / eyes
        errors.append(error)
        if error > 0.1:
            continue
        jacobian = state.rotation[:2] @ tangents  # (468, 2, 2)
        facing = np.clip((normals @ state.rotation[2] - 0.2) / 0.3, 0.0, 1.0)
        hessian += facing[:, None, None] * np.swapaxes(jacobian, 1, 2) @ jacobian
        right += facing[:, None] * np.einsum("kij,ki->kj", jacobian, gap)
    slide = np.linalg.solve(hessian, right[..., None])[..., 0]
    moves = np.einsum("kij,kj->ki", tangents, slide)
    length = np.linalg.norm(moves, axis=1, keepdims=True)
    return moves * np.minimum(1.0, MAX_SLIDE_CM / np.maximum(length, 1e-9)), float(np.sqrt(np.mean(np.square(errors))))


def _tangents(normals: np.ndarray) -> np.ndarray:
    """(K, 3, 2) two unit vectors along the skin."""
    first = np.cross(normals, [0.0, 1.0, 0.0])
    first /= np.linalg.norm(first, axis=1, keepdims=True) + 1e-9
    return np.stack([first, np.cross(normals, first)], axis=-1)
