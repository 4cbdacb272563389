"""Regularised least squares of a linear face model seen by a pinhole camera: pure functions on arrays.

Unknowns, in this order: rotation (3, a rotation vector on top of the current rotation), translation (3), logarithm of
the camera's distance prior (1), then the coefficients. Gauss-Newton with Levenberg damping; each step is a quadratic
problem with bounds, so that dynamics stay within 0-1 and, with a linear cost, most of them at exactly 0:

    minimise  sum w_k (|p_k - m_k| / s)^2 + depth term + distance term + c.Q.c + 2 q.c

with Q the prior's precision and q its sparsity.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from talkface import pose

POSE_UNKNOWNS = 7


@dataclass(frozen=True)
class Observation:
    """What was seen.

    Attributes:
        marks: (K, 2) pixels relative to the camera's centre, x right, y *up*.
        depths: (K,) pixels towards the viewer, known up to an offset.
        weights, depth_weights: (K,) of the points and of their depths.
        noise_px: expected error of a point of weight 1.
    """

    marks: np.ndarray
    depths: np.ndarray
    weights: np.ndarray
    depth_weights: np.ndarray
    noise_px: float


@dataclass(frozen=True)
class Prior:
    """What is expected of the coefficients (P,) and of the camera's distance.

    Attributes:
        precision: (P, P) quadratic cost, positive definite. sparsity: (P,) linear cost.
        lower, upper: bounds of each.
        distance_cm, distance_spread: usual distance of the camera and the standard deviation of its logarithm.
    """

    precision: np.ndarray
    sparsity: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    distance_cm: float
    distance_spread: float


@dataclass(frozen=True)
class State:
    """A head in front of the camera: rotation (3, 3), translation (3,) cm, focal_px, coefficients (P,)."""

    rotation: np.ndarray
    translation: np.ndarray
    focal_px: float
    coefficients: np.ndarray


def project(state: State, points: np.ndarray) -> np.ndarray:
    """(K, 2) pixels relative to the camera's centre, y up, of head points (K, 3)."""
    seen = points @ state.rotation.T + state.translation
    return state.focal_px * seen[:, :2] / -seen[:, 2:]


def initial_state(mean: np.ndarray, observation: Observation, prior: Prior) -> State:
    """The pose of the mean face (K, 3), by aligning it with the marks and their depths (Umeyama's similarity)."""
    seen = np.column_stack([observation.marks, observation.depths])
    share = observation.weights / observation.weights.sum()
    model_centre, seen_centre = share @ mean, share @ seen
    model, target = mean - model_centre, seen - seen_centre
    u, singular, vt = np.linalg.svd((target * share[:, None]).T @ model)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * sign) @ vt
    px_per_cm = (singular * sign).sum() / (share @ (model**2).sum(1))
    focal_px = px_per_cm * prior.distance_cm
    head = np.array([*(seen_centre[:2] / px_per_cm), -prior.distance_cm])
    return State(rotation, head - rotation @ model_centre, focal_px, np.zeros(len(prior.sparsity)))


def solve(
    mean: np.ndarray, basis: np.ndarray, observation: Observation, prior: Prior, start: State, steps: int = 25
) -> State:
    """The best state from `start`, for a face mean (K, 3) + coefficients (P,) . basis (P, K, 3)."""
    state, damping = start, 1e-3
    cost = _cost(mean, basis, observation, prior, state)
    for _ in range(steps):
        hessian, gradient = _normal_equations(mean, basis, observation, prior, state)
        lower, upper = _step_bounds(prior, state)
        damped = hessian + damping * np.diag(np.diag(hessian))
        step = bounded_minimum(damped, gradient, lower, upper)
        trial = _advance(state, step)
        trial_cost = _cost(mean, basis, observation, prior, trial)
        if trial_cost < cost:
            gain, state, cost, damping = cost - trial_cost, trial, trial_cost, max(damping * 0.2, 1e-6)
            if gain < 1e-4 * cost:
                break
        else:
            damping = min(damping * 8.0, 1e4)
    return state


def bounded_minimum(hessian: np.ndarray, gradient: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """The x (P,) in [lower, upper] that minimises x.H.x / 2 + g.x, by an active set (H positive definite)."""
    x = np.clip(np.zeros_like(gradient), lower, upper)
    free = np.ones(len(x), bool)
    for _ in range(60):
        held = ~free
        target = x.copy()
        if free.any():
            right = -gradient[free] - hessian[np.ix_(free, held)] @ x[held]
            target[free] = np.linalg.solve(hessian[np.ix_(free, free)], right)
        outside = free & ((target < lower) | (target > upper))
        x = np.clip(target, lower, upper)
        if outside.any():
            free &= ~outside
            continue
        slope = hessian @ x + gradient
        release = held & (((x <= lower) & (slope < -1e-9)) | ((x >= upper) & (slope > 1e-9)))
        if not release.any():
            break
        free[np.argmax(np.where(release, np.abs(slope), -1.0))] = True
    return x


def _residuals(mean, basis, observation, prior, state):
    """Weighted residuals: points (K, 2), depths (K,), and the point positions they come from."""
    points = mean + np.tensordot(state.coefficients, basis, 1)
    turned = points @ state.rotation.T
    seen = turned + state.translation
    marks = state.focal_px * seen[:, :2] / -seen[:, 2:]
    scale = np.sqrt(observation.weights) / observation.noise_px
    depth_scale = np.sqrt(observation.depth_weights) / observation.noise_px
    px_per_cm = state.focal_px / -state.translation[2]
    gap = px_per_cm * turned[:, 2] - observation.depths
    gap = gap - _mean(gap, observation.depth_weights)
    return (marks - observation.marks) * scale[:, None], gap * depth_scale, turned, seen


def _mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return weights @ values / max(weights.sum(), 1e-12)


def _cost(mean, basis, observation, prior, state) -> float:
    points, depths, _, _ = _residuals(mean, basis, observation, prior, state)
    c = state.coefficients
    distance = np.log(-state.translation[2] / prior.distance_cm) / prior.distance_spread
    return float((points**2).sum() + (depths**2).sum() + c @ prior.precision @ c + 2 * prior.sparsity @ c + distance**2)


def _normal_equations(mean, basis, observation, prior, state):
    """Half the Hessian (P', P') and half the gradient (P',) of the cost at `state`, P' = 7 + P."""
    points, depths, turned, seen = _residuals(mean, basis, observation, prior, state)
    count = len(mean)
    moves = np.empty((POSE_UNKNOWNS + len(basis), count, 3))  # displacement of each point per unknown
    moves[:3] = np.stack([np.cross(axis, turned) for axis in np.eye(3)])
    moves[3:6] = np.eye(3)[:, None, :]
    moves[6] = 0.0
    moves[POSE_UNKNOWNS:] = basis @ state.rotation.T
    away = -seen[:, 2]
    flat = state.focal_px / away
    jacobian = np.empty((len(moves), count, 2))
    jacobian[..., 0] = flat * (moves[..., 0] + seen[:, 0] / away * moves[..., 2])
    jacobian[..., 1] = flat * (moves[..., 1] + seen[:, 1] / away * moves[..., 2])
    jacobian[6] = flat[:, None] * seen[:, :2]
    jacobian *= (np.sqrt(observation.weights) / observation.noise_px)[:, None]
    px_per_cm = state.focal_px / -state.translation[2]
    deep = px_per_cm * moves[..., 2]
    deep[3:6] = 0.0
    deep[5] = px_per_cm / -state.translation[2] * turned[:, 2]
    deep[6] = px_per_cm * turned[:, 2]
    deep = deep - (deep @ observation.depth_weights / max(observation.depth_weights.sum(), 1e-12))[:, None]
    deep *= np.sqrt(observation.depth_weights) / observation.noise_px
    rows = np.concatenate([jacobian.reshape(len(moves), -1), deep], axis=1)
    residual = np.concatenate([points.ravel(), depths])
    hessian, gradient = rows @ rows.T, rows @ residual
    hessian[POSE_UNKNOWNS:, POSE_UNKNOWNS:] += prior.precision
    gradient[POSE_UNKNOWNS:] += prior.precision @ state.coefficients + prior.sparsity
    slope = 1.0 / (state.translation[2] * prior.distance_spread)
    hessian[5, 5] += slope**2
    gradient[5] += slope * np.log(-state.translation[2] / prior.distance_cm) / prior.distance_spread
    hessian[:POSE_UNKNOWNS, :POSE_UNKNOWNS] += 1e-6 * np.eye(POSE_UNKNOWNS)
    return hessian, gradient


def _step_bounds(prior: Prior, state: State) -> tuple[np.ndarray, np.ndarray]:
    reach = np.array([0.5, 0.5, 0.5, 20.0, 20.0, 0.3 * -state.translation[2], 0.5])
    lower = np.concatenate([-reach, prior.lower - state.coefficients])
    upper = np.concatenate([reach, prior.upper - state.coefficients])
    return lower, upper


def _advance(state: State, step: np.ndarray) -> State:
    return replace(
        state,
        rotation=pose.small_rotation(step[:3]) @ state.rotation,
        translation=state.translation + step[3:6],
        focal_px=state.focal_px * float(np.exp(step[6])),
        coefficients=state.coefficients + step[POSE_UNKNOWNS:],
    )
