"""The cut along the lips: where it runs, how each lip moves on its own, and how far apart the lips are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.interpolate import PchipInterpolator

from talkface.landmarks import LIP_INNER_LOWER, LIP_INNER_UPPER
from talkface.rendering.canvas import Canvas
from talkface.rendering.fields import push_pull, smoothstep
from talkface.rendering.sheet import Fields, cell_centres
from talkface.space import DYNAMICS_AXES
from talkface.types import FaceMesh

TABLE = 257
CLOSED_SHARE = 0.018
KNOTS = np.linspace(0.06, 0.94, 9)
ROUNDER = np.float32([1.06, 1.14, 1.12, 1.05, 1.0, 1.05, 1.12, 1.14, 1.06])  # at KNOTS
"""How much further than the face model's the lips of people part beside the middle: its open mouth is pointed below."""

UPPER_LIP_SHARE = 0.38  # of what is missing when lips must meet; the lower lip and the chin do the rest

# How far each axis of the portrait's own mouth gives way to speech (1 = fully): what parts or shapes the lips goes,
# most of a smile or a frown stays.
SMILE_EASED = (0.35, 0.52)  # of a faint and of a broad smile
BROAD = (0.3, 0.7)  # mouthSmile: from where on, and from where on fully, a smile is broad
ALL_TEETH = 0.2  # of the mouth's width, between the lips: thinner smiles are eased less, or their few teeth were gone
_KEPT = {
    "mouthFrownLeft": 0.3, "mouthFrownRight": 0.3,
    "mouthDimpleLeft": 0.4, "mouthDimpleRight": 0.4, "mouthStretchLeft": 0.5, "mouthStretchRight": 0.5,
    "mouthLeft": 0.5, "mouthRight": 0.5, "jawLeft": 0.5, "jawRight": 0.5,
}  # fmt: skip


def release_shares(own: np.ndarray, parted: float) -> np.ndarray:
    """(K,) share of the portrait's own dynamics (K,) that speech takes back: people who speak ease a broad smile, the
    more the further their lips are `parted`, in widths of the mouth."""
    smile = float(np.mean([own[DYNAMICS_AXES.index(f"mouthSmile{side}")] for side in ("Left", "Right")]))
    low, high = BROAD
    broad = smoothstep((smile - low) / (high - low)) * min(1.0, parted / ALL_TEETH)
    eased = np.interp(broad, (0, 1), SMILE_EASED)
    shares = _KEPT | {"mouthSmileLeft": eased, "mouthSmileRight": eased}
    released = [shares.get(name, 1.0) if name.startswith(("mouth", "jaw", "tongue")) else 0.0 for name in DYNAMICS_AXES]
    return np.array(released, np.float32)


def with_own(own: torch.Tensor, spoken: torch.Tensor, speaking: torch.Tensor, released: torch.Tensor) -> torch.Tensor:
    """Absolute dynamics (B, K): what is `spoken` (B, K) on top of the portrait's `own` (K,).

    `speaking` (B, 1) takes the `released` (K,) shares of `own` back. A smile that is there already leaves less room for
    another one.
    """
    kept = own * (1 - speaking * released)
    lasts = (released > 0) & (released < 1)
    return kept + spoken * (1 - lasts * kept * kept)


@dataclass(frozen=True)
class LipLine:
    """The inner edges of the lips in the portrait, as heights over the line between the mouth's corners.

    A canvas position p has u = (p - corner) . along / length (0 and 1 at the corners, image left to right) and
    v = (p - corner) . down in pixels.

    Attributes:
        corner, along, down: (2,) origin and unit axes.
        length: mouth width in pixels.
        upper, lower: (TABLE,) v of the edges at u = 0..1; equal where the lips touch, else upper < lower.
    """

    corner: np.ndarray
    along: np.ndarray
    down: np.ndarray
    length: float
    upper: np.ndarray
    lower: np.ndarray

    def coordinates(self, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """u and v of canvas positions (..., 2)."""
        offset = xy - self.corner
        return offset @ self.along / self.length, offset @ self.down

    def height(self, table: np.ndarray, u: np.ndarray) -> np.ndarray:
        """v of an edge at u (clamped to the corners)."""
        return np.interp(u, np.linspace(0, 1, TABLE), table)

    @property
    def gap_px(self) -> float:
        """Widest opening of the portrait's own lips."""
        return float((self.lower - self.upper).max())


def lip_line(landmarks: np.ndarray) -> LipLine:
    """Fit the two inner edges through the landmarks (478, 2) in canvas pixels."""
    first, last = landmarks[LIP_INNER_UPPER[0]], landmarks[LIP_INNER_UPPER[-1]]
    length = float(np.linalg.norm(last - first))
    along = (last - first) / length
    down = np.array([-along[1], along[0]], np.float32)
    tables = []
    for ring in (LIP_INNER_UPPER, LIP_INNER_LOWER):
        offset = landmarks[list(ring)] - first
        u, v = offset @ along / length, offset @ down
        u[0], u[-1], v[0], v[-1] = 0, 1, 0, 0
        order = np.argsort(u)
        u, v = u[order], v[order]
        u = np.maximum.accumulate(u + np.arange(len(u)) * 1e-4)
        tables.append(PchipInterpolator(u, v)(np.linspace(u[0], u[-1], TABLE)))
    upper, lower = tables
    middle = (upper + lower) / 2
    half = np.maximum(lower - upper, 0) / 2
    if 2 * half.max() < CLOSED_SHARE * length:
        half = np.zeros_like(half)
    return LipLine(first, along, down, length, (middle - half).astype(np.float32), (middle + half).astype(np.float32))


@dataclass(frozen=True)
class LipMotion:
    """How the inner edges move, at KNOTS along the mouth.

    Attributes:
        rest_gap: (J,) opening of the portrait's lips in pixels.
        gap_basis: (K, J) change of the opening per unit of each dynamics axis, pixels.
    """

    rest_gap: np.ndarray
    gap_basis: np.ndarray


def lip_motion(line: LipLine, canvas: Canvas, mesh: FaceMesh) -> LipMotion:
    """Project the edges' motion basis on the mouth's vertical."""
    basis, depth = {}, {}
    for name, loop in (("upper", mesh.upper_lip), ("lower", mesh.lower_lip)):
        basis[name] = _along_edge(line, canvas, loop, KNOTS)
        u, _ = line.coordinates(canvas.points[loop, :2])
        depth[name] = np.interp(KNOTS, np.sort(u), canvas.points[loop, 2][np.argsort(u)])
    toward = np.array([line.down[0], -line.down[1], 0], np.float32)
    scale = canvas.camera.focal_px / ((depth["upper"] + depth["lower"]) / 2)
    gap_basis = ((basis["lower"] - basis["upper"]) @ toward) * scale
    rest = line.height(line.lower, KNOTS) - line.height(line.upper, KNOTS)
    return LipMotion(rest.astype(np.float32), gap_basis.astype(np.float32))


def _along_edge(line: LipLine, canvas: Canvas, loop: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Motion basis (K, n, 3) of an edge loop at the given u."""
    u, _ = line.coordinates(canvas.points[loop, :2])
    order = np.argsort(u)
    u = np.maximum.accumulate(u[order] + np.arange(len(u)) * 1e-5)
    values = canvas.camera_dynamics[:, loop[order]]
    out = np.empty((len(values), len(at), 3), np.float32)
    right = np.clip(np.searchsorted(u, at), 1, len(u) - 1)
    share = np.clip((at - u[right - 1]) / (u[right] - u[right - 1]), 0, 1)[None, :, None]
    out[:] = values[:, right - 1] * (1 - share) + values[:, right] * share
    return out


def lip_basis(
    side: str, line: LipLine, fields: Fields, canvas: Canvas, mesh: FaceMesh, rows: slice, columns: slice
) -> np.ndarray:
    """The motion basis of one lip, carried smoothly across the cut, with corrections of the opening appended.

    Args:
        side: "upper" or "lower".
        rows, columns: the rectangle of field cells.

    Returns:
        (K + J, h, w, 3): the dynamics axes, then one axis per KNOT that moves this lip's edge down by one pixel there.
    """
    cells = fields.rigidity.shape[0]
    centres = cell_centres(canvas.size, cells)
    xy = np.stack(np.meshgrid(centres[columns], centres[rows]), -1)
    u, v = line.coordinates(xy)
    cell_px = canvas.size / cells
    beyond = _beyond(side, line, u, v)
    reach = max(0.62 * line.length, 1.4 * line.gap_px) * np.sqrt(np.clip(4 * u * (1 - u), 0, 1))
    within = (u > 0) & (u < 1)
    loop = mesh.upper_lip if side == "upper" else mesh.lower_lip
    past_either = np.maximum(beyond, _beyond_loop(side, line, canvas.points[loop, :2], u, v))
    unknown = within & (past_either > -1.2 * cell_px) & (beyond < reach)
    basis = fields.basis[:, rows, columns].copy()
    known = ~unknown
    u_edge = np.linspace(0.0, 1.0, 4 * TABLE)
    edge = line.upper if side == "upper" else line.lower
    at = line.corner + np.outer(u_edge * line.length, line.along) + np.outer(line.height(edge, u_edge), line.down)
    column = np.rint((at[:, 0] - xy[0, 0, 0]) / cell_px).astype(int)
    row = np.rint((at[:, 1] - xy[0, 0, 1]) / cell_px).astype(int)
    cell, passing = np.unique(row * known.shape[1] + column, return_inverse=True)
    row, column = np.divmod(cell, known.shape[1])
    basis[:, row, column] = _along_edge(line, canvas, loop, np.bincount(passing, u_edge) / np.bincount(passing))
    known[row, column] = True
    flat = np.moveaxis(basis, 3, 1).reshape(-1, *known.shape)
    filled = push_pull(flat, known, smooth=12).reshape(len(basis), 3, *known.shape)
    depth = -fields.positions[rows, columns, 2]
    return np.concatenate([np.moveaxis(filled, 1, 3), _corrections(side, line, u, beyond, reach, depth, canvas)])


def _beyond(side: str, line: LipLine, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Distance across the cut: negative on the lip's own side, positive past its edge."""
    return v - line.height(line.upper, u) if side == "upper" else line.height(line.lower, u) - v


def _beyond_loop(side: str, line: LipLine, loop: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """As `_beyond`, past the model's own edge (n, 2); cells between it and the cut move with the other lip."""
    along, height = line.coordinates(loop)
    order = np.argsort(along)
    edge = np.interp(u, along[order], height[order])
    return v - edge if side == "upper" else edge - v


def _corrections(side, line, u, beyond, reach, depth, canvas) -> np.ndarray:
    """Fields (J, h, w, 3) that shift the lip's edge along the mouth's vertical, fading over the lip."""
    own_side = smoothstep(1 + beyond / ((0.26 if side == "upper" else 0.7) * line.length))
    far_side = smoothstep(1 - beyond / np.maximum(reach, 1e-3))
    fade = np.where(beyond < 0, own_side, far_side) * ((u > 0) & (u < 1))
    spacing = KNOTS[1] - KNOTS[0]
    hats = np.clip(1 - np.abs(u[None] - KNOTS[:, None, None]) / spacing, 0, 1)
    toward = np.array([line.down[0], -line.down[1], 0], np.float32) / canvas.camera.focal_px
    return ((hats * fade * depth)[..., None] * toward).astype(np.float32)


class LipGap(torch.nn.Module):
    """Keeps the opening of the lips true: closed means closed on every portrait, whatever the fit left over."""

    def __init__(self, motion: LipMotion) -> None:
        super().__init__()
        self.register_buffer("rest_gap", torch.from_numpy(motion.rest_gap))
        self.register_buffer("gap_basis", torch.from_numpy(motion.gap_basis))
        self.register_buffer("rounder", torch.from_numpy(ROUNDER))
        self.widest = float(motion.rest_gap.max()) or np.inf  # of lips that touch in the portrait, none is held up

    def corrections(
        self, change: torch.Tensor, asked: torch.Tensor, speaking: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Pixels by which to lower the upper and the lower lip at the KNOTS, so that they part as asked.

        Lips that meet do so part of the way each. An upper lip that the portrait holds up over its teeth comes down
        only for that: where the mouth is as open as in the portrait, it stays.

        Args:
            change: (B, K) dynamics relative to the portrait's.
            asked: (B, K) dynamics that the motion asks for, absolute.
            speaking: (B, 1) 0-1, how far the mouth is absolute.

        Returns:
            Two times (B, J) pixels; their difference is what the lips are closed by.
        """
        actual = self.rest_gap + change @ self.gap_basis
        absolute = (asked @ self.gap_basis).clamp_min(0) * self.rounder
        wanted = torch.lerp(actual.clamp_min(0), absolute, speaking)
        meeting = (1 - wanted / self.widest).clamp(0, 1)
        lowered = (actual - wanted) * UPPER_LIP_SHARE * meeting
        return lowered, lowered - (actual - wanted)
