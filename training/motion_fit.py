"""Fit the face model to a whole recording at once: one person, one camera, every frame's pose and movements.

The person's neutral face is taken from the calm frames, so that all zeros is that person at rest; what the model cannot
say about the face is added to it and stays fixed. All frames then take their Gauss-Newton steps together; neighbouring
frames hold on to each other only weakly, where the landmarks leave room (see `SPEEDS`), so that closures and blinks
stay whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from talkface import landmarks as marks_of
from talkface import pose
from talkface.face import checks
from talkface.face.fit import DEPTH_WEIGHT, expectation, landmark_weights
from talkface.face.model import FaceModel
from talkface.face.solver import Observation, Prior, initial_state, solve
from talkface.rendering.sheet import NECK_PIVOT_CM
from talkface.space import DYNAMICS_AXES, EYE_AXES, MOUTH_AXES

NOISE = 0.02
"""Error of a landmark of weight 1 in one frame, in inter-ocular distances, once the person's face is known."""

CALM_SHARE = 0.15
STEPS, SWEEPS = 10, 10
BLOCK_FRAMES, BLOCK_OVERLAP = 3000, 10
POSE = 6
SPARSITY_SHARE = 0.12
SPEEDS = {"rotation": 0.012, "across": 0.12, "along": 0.35, "lids": 0.6, "mouth": 0.15, "upper": 0.06}
"""Usual change per frame: radians, cm, cm, and activations."""

RARE = ("mouthShrug", "mouthFrown", "mouthDimple", "mouthRoll", "mouthPress", "cheekPuff")
RARE_SPREAD = 0.07
"""Axes of the mouth that speaking hardly needs: otherwise they take over what jaw and lips do."""

LARGEST_GAZE_DEG = 40.0
BLINK = 0.35


@dataclass(frozen=True)
class Person:
    """One person before one camera. N surface landmarks, `index` of MediaPipe's 468; K dynamics axes.

    Attributes:
        neutral: (N, 3) face at rest, cm, head coordinates. dynamics: (K, N, 3).
        eye_centres, eye_radii: (2, 3), (2,), subject's left first.
        focal_px, centre: of the camera; centre (2,) in pixels.
        rotation, translation: of the calm head, (3, 3) and (3,) cm.
        interocular_px, interocular_cm: distance of the eyes' middles as it appears at the head's depth.
    """

    index: np.ndarray
    neutral: np.ndarray
    dynamics: np.ndarray
    eye_centres: np.ndarray
    eye_radii: np.ndarray
    focal_px: float
    centre: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    interocular_px: float
    interocular_cm: float


@dataclass(frozen=True)
class Track:
    """A person's movement over T frames: rotations (T, 3, 3), translations (T, 3) cm, dynamics (T, K), gaze_deg (T, 2)
    in the head, and the rms distance of the landmarks to the model, (T,) pixels."""

    rotations: np.ndarray
    translations: np.ndarray
    dynamics: np.ndarray
    gaze_deg: np.ndarray
    error_px: np.ndarray


def calm_face(marks: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Mean face (M, 3) of the frames of marks (T, M, 3) with lips closed and eyes open, where the first of them is."""
    full = np.full((marks_of.COUNT, len(marks), 3), np.nan)
    full[index] = np.swapaxes(marks, 0, 1)
    opening = np.linalg.norm(full[13] - full[14], axis=-1)
    lids = np.linalg.norm(full[159] - full[145], axis=-1) + np.linalg.norm(full[386] - full[374], axis=-1)
    awake = lids > np.percentile(lids, 40)
    calm = np.flatnonzero(awake & (opening <= np.percentile(opening[awake], 100 * CALM_SHARE)))
    target = marks[calm[0]]
    return np.median([aligned(frame, target) for frame in marks[calm]], axis=0)


def aligned(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Points (M, 3) under the similarity that brings them closest to `target` (M, 3) (Umeyama)."""
    a, b = points - points.mean(0), target - target.mean(0)
    u, singular, vt = np.linalg.svd(b.T @ a)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    scale = (singular * sign).sum() / (a**2).sum()
    return scale * a @ ((u * sign) @ vt).T + target.mean(0)


def meet(calm: np.ndarray, index: np.ndarray, model: FaceModel | None = None) -> Person:
    """The person whose calm face (M, 3), pixels, has the landmarks `index` (M,) of the 478."""
    model = model or FaceModel.load()
    surface = np.flatnonzero(index < marks_of.SURFACE_COUNT)
    at = index[surface]
    points = calm[surface]
    centre = (points[:, :2].min(0) + points[:, :2].max(0)) / 2
    mean, identity, dynamics = (basis[..., at, :] for basis in model.landmark_basis())
    interocular_px = checks.interocular(_placed(calm, index))
    weights = landmark_weights()[at]
    marks = (points[:, :2] - centre) * [1.0, -1.0]
    seen = Observation(marks, -points[:, 2], weights, DEPTH_WEIGHT * np.minimum(weights, 1.0), 0.035 * interocular_px)
    prior = expectation(len(identity))
    prior = Prior(np.eye(len(identity)), *(a[: len(identity)] for a in (prior.sparsity, prior.lower, prior.upper)),
                  prior.distance_cm, prior.distance_spread)  # fmt: skip
    state = solve(mean, identity, seen, prior, initial_state(mean, seen, prior))
    shape = mean + np.tensordot(state.coefficients, identity, 1)
    mesh = model.mesh(state.coefficients)
    return Person(
        index=at,
        neutral=_moved_onto(shape, marks, state),
        dynamics=dynamics,
        eye_centres=mesh.eye_centres.astype(np.float64),
        eye_radii=mesh.eye_radii.astype(np.float64),
        focal_px=state.focal_px,
        centre=centre,
        rotation=state.rotation,
        translation=state.translation,
        interocular_px=interocular_px,
        interocular_cm=interocular_px * -float(state.translation[2]) / state.focal_px,
    )


def _placed(points: np.ndarray, index: np.ndarray) -> np.ndarray:
    full = np.full((marks_of.COUNT, points.shape[-1]), np.nan)
    full[index] = points
    return full


def _moved_onto(shape: np.ndarray, marks: np.ndarray, state) -> np.ndarray:
    """The shape (N, 3) with its points moved, at their depths, onto the marks (N, 2) that were seen of them."""
    seen = shape @ state.rotation.T + state.translation
    seen[:, :2] = marks * -seen[:, 2:] / state.focal_px
    return (seen - state.translation) @ state.rotation


@dataclass
class _Heads:
    """The unknowns of all frames: rotations (T, 3, 3), translations (T, 3), dynamics (T, K)."""

    rotations: Tensor
    translations: Tensor
    dynamics: Tensor


class RecordingFitter:
    """Fits a person's pose and dynamics to the landmarks of consecutive frames.

    Every frame's gaps are turned into the view of the calm head, so that all frames share one Jacobian and one Hessian.
    """

    def __init__(self, person: Person) -> None:
        self.person = person
        self.neutral, self.basis = _tensor(person.neutral), _tensor(person.dynamics)
        self.rotation = _tensor(person.rotation)
        weights, noise_px = landmark_weights()[person.index], NOISE * person.interocular_px
        turned = self.neutral @ self.rotation.T
        calm = turned + _tensor(person.translation)
        self.slant = calm[:, :2] / -calm[:, 2:]
        self.scale = _tensor(np.sqrt(weights) / noise_px)[:, None] * person.focal_px / -calm[:, 2:]
        self.depth_scale = _tensor(np.sqrt(DEPTH_WEIGHT * np.minimum(weights, 1)) / noise_px)
        prior = expectation(0)
        rare = [RARE_SPREAD**-2.0 if axis.startswith(RARE) else 0.0 for axis in DYNAMICS_AXES]
        self.precision, self.sparsity = (
            _tensor(prior.precision + np.diag(rare)),
            _tensor(SPARSITY_SHARE * prior.sparsity),
        )
        kinds = ["lids" if a in EYE_AXES else "mouth" if a in MOUTH_AXES else "upper" for a in DYNAMICS_AXES]
        speeds = [*3 * ["rotation"], *2 * ["across"], "along", *kinds]
        self.hold = _tensor([SPEEDS[name] ** -2.0 for name in speeds])
        self.rows = self._jacobian(turned)
        self.hessian = self.rows @ self.rows.T + torch.diag(2 * self.hold)
        self.hessian[POSE:, POSE:] += self.precision

    def _jacobian(self, turned: Tensor) -> Tensor:
        """(6 + K, 3 N): what a unit of each unknown does to the weighted marks and depths of the calm head."""
        count, px_per_cm = len(turned), self.person.focal_px / -self.person.translation[2]
        moves = torch.zeros(POSE + len(self.basis), count, 3)
        moves[:3] = torch.cross(torch.eye(3)[:, None], turned[None], dim=-1)
        moves[3:6] = torch.eye(3)[:, None]
        moves[6:] = self.basis @ self.rotation.T
        marks = (moves[..., :2] + self.slant * moves[..., 2:]) * self.scale
        deep = px_per_cm * moves[..., 2]
        return torch.cat([marks.flatten(1), self._depth_gaps(deep)], 1)

    def _depth_gaps(self, gaps: Tensor) -> Tensor:
        """Depths (..., N) in pixels, known up to an offset: centred and weighted."""
        share = self.depth_scale**2 / (self.depth_scale**2).sum()
        return (gaps - (gaps @ share)[..., None]) * self.depth_scale

    def fit(self, marks: np.ndarray, depths: np.ndarray, cuts: np.ndarray) -> _Heads:
        """Heads of T frames: marks (T, N, 2) around the camera's centre, y up; depths (T, N) towards the viewer.

        `cuts` (T,) marks frames that do not continue the one before.
        """
        count = len(marks)
        heads = _Heads(
            self.rotation.expand(count, 3, 3).clone(),
            _tensor(self.person.translation).expand(count, 3).clone(),
            torch.zeros(count, len(DYNAMICS_AXES)),
        )
        marks, depths, joined = _tensor(marks), _tensor(depths), torch.as_tensor(~cuts[1:])
        for _ in range(STEPS):
            gradient = self._gaps(heads, marks, depths) @ self.rows.T
            gradient[:, POSE:] += heads.dynamics @ self.precision + self.sparsity
            self._hold_on(heads, joined, gradient)
            step = bounded_minima(self.hessian, gradient, -heads.dynamics, 1 - heads.dynamics)
            there = heads.rotations @ self.rotation.T
            moved = there @ step[:, :POSE].view(-1, 2, 3).mT
            heads.rotations = _turns(moved[..., 0]) @ heads.rotations
            heads.translations = heads.translations + moved[..., 1]
            heads.dynamics = (heads.dynamics + step[:, POSE:]).clamp(0, 1)
        return heads

    def seen(self, heads: _Heads) -> tuple[Tensor, Tensor]:
        """Points relative to the head's origin and as the camera sees them, both (T, N, 3)."""
        points = self.neutral + torch.tensordot(heads.dynamics, self.basis, 1)
        turned = points @ heads.rotations.mT
        return turned, turned + heads.translations[:, None]

    def _gaps(self, heads: _Heads, marks: Tensor, depths: Tensor) -> Tensor:
        """(T, 3 N): how far the model is from the weighted marks and depths, in the view of the calm head."""
        turned, seen = self.seen(heads)
        across = seen[..., :2] + marks * seen[..., 2:] / self.person.focal_px
        back = self.rotation @ heads.rotations.mT
        calm = across @ back[:, :, :2].mT
        flat = (calm[..., :2] + self.slant * calm[..., 2:]) * self.scale
        px_per_cm = self.person.focal_px / -heads.translations[:, 2:]
        return torch.cat([flat.flatten(1), self._depth_gaps(px_per_cm * turned[..., 2] - depths)], 1)

    def _hold_on(self, heads: _Heads, joined: Tensor, gradient: Tensor) -> None:
        """Add the slope of the cost of differing from the frame before and after to `gradient` (T, P), in place."""
        turn = _rotation_vectors(heads.rotations[1:] @ heads.rotations[:-1].mT)
        change = torch.cat([turn, heads.translations.diff(dim=0), heads.dynamics.diff(dim=0)], 1)
        pull = change * self.hold * joined[:, None]
        gradient[1:] += pull
        gradient[:-1] -= pull


def bounded_minima(hessian: Tensor, gradients: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    """The x (T, P) that minimise x.H.x / 2 + g.x each, the first `POSE` free, the others within (T, P - POSE) bounds.

    The free ones are eliminated (Schur complement), the others found by coordinate descent, all frames at once.
    """
    mixed = hessian[:POSE, POSE:]
    solved = torch.linalg.solve(hessian[:POSE, :POSE], torch.cat([mixed, gradients[:, :POSE].T], 1))
    pull, moved = solved[:, : mixed.shape[1]], -solved[:, mixed.shape[1] :]
    reduced = hessian[POSE:, POSE:] - mixed.T @ pull
    slope = gradients[:, POSE:].T + mixed.T @ moved
    low, high = lower.T.contiguous(), upper.T.contiguous()
    x = torch.zeros_like(slope)
    for _ in range(SWEEPS):
        for i, column in enumerate(reduced.unbind(1)):
            step = torch.clamp(x[i] - slope[i] / column[i], low[i], high[i]) - x[i]
            x[i] += step
            slope.addr_(column, step)
    return torch.cat([moved - pull @ x, x]).T


def _tensor(array: np.ndarray) -> Tensor:
    return torch.as_tensor(np.asarray(array), dtype=torch.float32)


def _turns(vectors: Tensor) -> Tensor:
    """Rotation matrices (T, 3, 3) of rotation vectors (T, 3) (Rodrigues)."""
    angle = vectors.norm(dim=1).clamp_min(1e-9)[:, None, None]
    x, y, z = vectors.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).view(-1, 3, 3)
    return torch.eye(3) + torch.sin(angle) / angle * cross + (1 - torch.cos(angle)) / angle**2 * cross @ cross


def _rotation_vectors(rotations: Tensor) -> Tensor:
    """Rotation vectors (T, 3) of small rotations (T, 3, 3)."""
    skew = (rotations - rotations.mT) / 2
    return torch.stack([skew[:, 2, 1], skew[:, 0, 2], skew[:, 1, 0]], 1)


def track(person: Person, marks: np.ndarray, index: np.ndarray, cuts: np.ndarray | None = None) -> Track:
    """Follow a person through marks (T, M, 3), pixels, of the landmarks `index` (M,); see `RecordingFitter.fit`."""
    cuts = np.zeros(len(marks), bool) if cuts is None else cuts
    surface = index < marks_of.SURFACE_COUNT
    flat = (marks[:, surface, :2] - person.centre) * [1.0, -1.0]
    rotations, translations, dynamics = _fit_blocks(RecordingFitter(person), flat, -marks[:, surface, 2], cuts)
    pupils = [(marks[:, np.flatnonzero(index == iris[0])[0], :2] - person.centre) * [1.0, -1.0]
              for iris in (marks_of.LEFT_IRIS, marks_of.RIGHT_IRIS)]  # fmt: skip
    gaze = gaze_of(person, rotations, translations, np.stack(pupils, 1))
    gaps = _projected(person, rotations, translations, dynamics) - flat
    return Track(
        rotations=rotations,
        translations=translations,
        dynamics=dynamics,
        gaze_deg=_over_blinks(gaze, dynamics),
        error_px=np.sqrt((gaps**2).sum(-1).mean(1)),
    )


def _fit_blocks(fitter: RecordingFitter, marks: np.ndarray, depths: np.ndarray, cuts: np.ndarray) -> list[np.ndarray]:
    """Rotations, translations and dynamics of all frames, fitted block by block, so that memory stays flat."""
    blocks = []
    for start in range(0, len(marks), BLOCK_FRAMES):
        first, stop = max(0, start - BLOCK_OVERLAP), start + BLOCK_FRAMES
        part = slice(first, stop + BLOCK_OVERLAP)
        heads = fitter.fit(marks[part], depths[part], cuts[part])
        kept = slice(start - first, stop - first)
        blocks.append([a[kept].double().numpy() for a in (heads.rotations, heads.translations, heads.dynamics)])
    return [np.concatenate(arrays) for arrays in zip(*blocks, strict=True)]


def projected(person: Person, followed: Track) -> np.ndarray:
    """(T, N, 2) pixels of the picture where the fitted landmarks are seen."""
    flat = _projected(person, followed.rotations, followed.translations, followed.dynamics)
    return flat * [1.0, -1.0] + person.centre


def gap_px(points: np.ndarray, index: np.ndarray, first: int, second: int) -> np.ndarray:
    """Distance (T,) in the picture of two landmarks of points (T, M, 2+) with landmark numbers `index` (M,)."""
    a, b = (points[:, np.flatnonzero(index == k)[0], :2] for k in (first, second))
    return np.linalg.norm(a - b, axis=1)


def _projected(person: Person, rotations: np.ndarray, translations: np.ndarray, dynamics: np.ndarray) -> np.ndarray:
    points = person.neutral + np.tensordot(dynamics, person.dynamics, 1)
    seen = points @ rotations.swapaxes(1, 2) + translations[:, None]
    return person.focal_px * seen[..., :2] / -seen[..., 2:]


def gaze_of(person: Person, rotations: np.ndarray, translations: np.ndarray, pupils: np.ndarray) -> np.ndarray:
    """(T, 2) yaw and pitch in the head, mean of both eyes, from pupils (T, 2, 2) around the camera's centre, y up."""
    angles = []
    for eye in (0, 1):
        ball = rotations @ person.eye_centres[eye] + translations
        rays = np.concatenate([pupils[:, eye] / person.focal_px, -np.ones((len(pupils), 1))], 1)
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        middle = (rays * ball).sum(1)
        depth = person.eye_radii[eye] ** 2 - ((ball**2).sum(1) - middle**2)
        out = rays * (middle - np.sqrt(np.maximum(depth, 0)))[:, None] - ball
        angles.append([pose.direction_angles(v) for v in np.einsum("tji,tj->ti", rotations, out)])
    return np.clip(np.mean(angles, 0), -LARGEST_GAZE_DEG, LARGEST_GAZE_DEG)


def _over_blinks(gaze: np.ndarray, dynamics: np.ndarray) -> np.ndarray:
    """The gaze (T, 2) with what was seen through closing lids replaced by a straight line."""
    lids = dynamics[:, [DYNAMICS_AXES.index("eyeBlinkLeft"), DYNAMICS_AXES.index("eyeBlinkRight")]].max(1)
    seen = np.flatnonzero(lids < BLINK)
    if len(seen) < 2:
        return gaze
    times = np.arange(len(gaze))
    return np.stack([np.interp(times, seen, column[seen]) for column in gaze.T], 1)


def pose_of(person: Person, followed: Track) -> np.ndarray:
    """Pose axes (T, 6) of `space.POSE_AXES` relative to the person's calm head, as the renderer applies them."""
    turns = followed.rotations @ person.rotation.T
    angles = np.array([pose.angles(turn) for turn in turns])
    pivots = followed.rotations @ NECK_PIVOT_CM + followed.translations
    shift = pivots - (person.rotation @ NECK_PIVOT_CM + person.translation)
    distance = (person.translation[2] + shift[:, 2]) / person.translation[2]
    return np.column_stack([angles, shift[:, :2] * [1.0, -1.0] / person.interocular_cm, distance])
