"""The continuous sheet: depth, motion basis and rigidity for every place of the portrait, and its flow.

A sheet answers, for cells of a grid over the portrait, where each goes when the face moves. Drawing needs the opposite
(where does a pixel of the new frame come from?), which `invert` finds by Newton iteration.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from scipy import ndimage

from talkface.landmarks import OVAL
from talkface.rendering.canvas import Canvas, unproject
from talkface.rendering.fields import blur, nearest_fill, smoothstep
from talkface.rendering.raster import interpolate, rasterize, vertex_normals
from talkface.rendering.rigidity import rigidity
from talkface.types import FACE_PARTS, Camera, FaceMesh

CELLS = 128  # about this many cells a side carry the head's motion
FIELDS_PER_CELL = 2
NECK_PIVOT_CM = np.array([0.0, -5.0, -1.5])  # about which the head turns, in the axes of `types.FaceMesh`
GRAZING_NORMAL = 0.45  # z of a normal: surfaces seen at a more grazing angle would fold when the head turns
STEEPEST = 1.6, 3.0  # cm of depth per cm to the sides and up or down: steeper ones fold in turns and in nods
NOSE_TIP, CHIN = 1, 152
MOST_RAISED, FREE = 0.8, 0.12
"""Of the way to the canvas's lower border, near it: nothing rises further, or the border would follow into the frame.
Lips, further away than `FREE` of the canvas, rise as they like."""


@dataclass(frozen=True)
class Fields:
    """Per-cell geometry of a portrait on a square grid of G cells a side.

    Attributes:
        positions: (G, G, 3) camera space, cm.
        basis: (K, G, G, 3) displacement per unit of each dynamics axis, camera space, cm.
        rigidity: (G, G, 2) 0-1, how far a cell follows the head's turns and shifts, sideways and up or down.
        cut: (N, 3) positions where the canvas's upper border cuts the head, N = 0 if it is whole.
    """

    positions: np.ndarray
    basis: np.ndarray
    rigidity: np.ndarray
    cut: np.ndarray


def cell_centres(canvas_size: int, cells: int) -> np.ndarray:
    """Canvas coordinates (G,) of the centres of the cells along one side."""
    return ((np.arange(cells) + 0.5) * canvas_size / cells - 0.5).astype(np.float32)


def cell_size(canvas_px: int) -> int:
    """Side in pixels of a cell: the divisor of the canvas's side that gives CELLS or a little more of them."""
    return max(d for d in range(1, max(1, round(canvas_px / CELLS)) + 1) if canvas_px % d == 0)


def make_fields(canvas: Canvas, mesh: FaceMesh, still: np.ndarray, inset: bool = False) -> Fields:
    """Lift the portrait to 2.5 D: rasterise the face in the portrait's pose and extend it smoothly beyond itself.

    `still` (S, S, 3) uint8 is the portrait on the canvas; its edges tell where the head ends. An `inset` one's border
    stands still.
    """
    cells = canvas.size // cell_size(canvas.size) * FIELDS_PER_CELL
    shell = np.isin(mesh.parts, [FACE_PARTS.index("face"), FACE_PARTS.index("head")])
    triangles = mesh.triangles[shell[mesh.triangles].all(1)]
    grid_points = canvas.points.copy()
    grid_points[:, :2] = (grid_points[:, :2] + 0.5) * cells / canvas.size - 0.5
    triangle, weights = rasterize(grid_points, triangles, cells, cells)
    normals = vertex_normals(canvas.camera_vertices, triangles)
    facing = interpolate(normals[:, 2:], triangles, triangle, weights)[..., 0]
    covered = triangle >= 0
    on_face = _trusted(covered & (facing > GRAZING_NORMAL), canvas)
    depth = interpolate(grid_points[:, 2:], triangles, triangle, weights)[..., 0]
    flat = np.moveaxis(canvas.camera_dynamics, 0, 1).reshape(len(canvas.points), -1)
    basis = interpolate(flat, triangles, triangle, weights).reshape(cells, cells, -1, 3).transpose(2, 0, 1, 3)

    face_size = float(np.sqrt(on_face.sum()))
    basis = _extend_basis(basis, on_face, face_size)
    cell_cm = canvas.size / cells / canvas.camera.focal_px * float(np.median(depth[on_face]))
    depth = _extend_depth(depth, on_face, covered, face_size, cell_cm)
    centres = cell_centres(canvas.size, cells)
    xy = np.stack(np.meshgrid(centres, centres), -1)
    chin_row = (canvas.landmarks[CHIN, 1] + 0.5) * cells / canvas.size
    positions = unproject(xy, depth, canvas.camera)
    rigid, cut = rigidity(still, covered, chin_row, face_size, inset)
    return Fields(positions, basis, rigid, cut=positions[0, cut])


def _trusted(front: np.ndarray, canvas: Canvas) -> np.ndarray:
    """Cells whose geometry is used as it is: one piece without frays, and nothing of the neck below the jaw line,
    which would fold under a chin that comes down."""
    cells = front.shape[0]
    scale = cells / canvas.size
    oval = Image.new("1", (cells, cells))
    corners = [tuple(p) for p in ((canvas.landmarks[list(OVAL)] + 0.5) * scale).tolist()]
    ImageDraw.Draw(oval).polygon(corners, fill=1)
    nose_row = int((canvas.landmarks[NOSE_TIP, 1] + 0.5) * scale)
    below = np.arange(cells)[:, None] > nose_row
    clean = ndimage.binary_opening(front & (np.asarray(oval) | ~below), iterations=2)
    pieces, count = ndimage.label(clean)
    return pieces == np.bincount(pieces[clean]).argmax() if count else front


def _extend_basis(basis: np.ndarray, on_face: np.ndarray, face_size: float) -> np.ndarray:
    flat = np.moveaxis(basis, 3, 1).reshape(-1, *on_face.shape)
    near, distance = nearest_fill(flat, on_face)
    sigma = face_size * 0.05
    soft = blur(near, sigma)
    share = np.clip(distance / (2 * sigma), 0, 1)
    fade = smoothstep(1 - distance / (face_size * 0.35))
    extended = (near * (1 - share) + soft * share) * fade
    return np.moveaxis(extended.reshape(len(basis), 3, *on_face.shape), 1, 3).astype(np.float32)


def _extend_depth(
    depth: np.ndarray, on_face: np.ndarray, covered: np.ndarray, face_size: float, cell_cm: float
) -> np.ndarray:
    """Carry the depth over hair, ears and neck: back to where the head's outline lies, but no more steeply than a turn
    can show without a fold."""
    near, distance = nearest_fill(depth, on_face)
    outline = blur(nearest_fill(depth, covered)[0], face_size * 0.08)
    outline = np.where(ndimage.binary_fill_holes(on_face), near, outline)
    edge = near + (blur(near, face_size * 0.08) - near) * np.clip(distance / (face_size * 0.16), 0, 1)
    across = ndimage.distance_transform_edt(~on_face, sampling=(STEEPEST[1], STEEPEST[0])) * cell_cm
    extended = np.minimum(outline, edge + across)
    soft = blur(extended, face_size * 0.06)
    inner = np.clip(blur(on_face.astype(np.float32), face_size * 0.05) * 2 - 1, 0, 1)
    return (near * inner + soft * (1 - inner)).astype(np.float32)


class Sheet(torch.nn.Module):
    """A rectangle of the fields, ready to move: buffers on the device and the forward flow.

    Args:
        fields: geometry of the portrait.
        basis: (K, h, w, 3), the motion basis to use within the rectangle (a lip's own, or the fields').
        rows, columns: the rectangle, in cells.
        canvas: for the camera and the pixel positions.
        pivot: (3,) camera-space point about which the head turns.
    """

    def __init__(self, fields: Fields, basis: np.ndarray, rows: slice, columns: slice, canvas: Canvas, pivot) -> None:
        super().__init__()
        cells = fields.rigidity.shape[0]
        centres = cell_centres(canvas.size, cells)
        x, y = np.meshgrid(centres[columns], centres[rows])
        self.cell_px = canvas.size / cells
        self.register_buffer("centres", torch.from_numpy(np.stack([x, y])))
        self.register_buffer("positions", _channels_first(fields.positions[rows, columns]).flatten())
        self.register_buffer("basis", _channels_first(basis).flatten(1))
        x_y_z = fields.rigidity[rows, columns][..., [0, 1, 1]]  # a nearer place is seen higher or lower
        self.register_buffer("rigidity", _channels_first(x_y_z))
        self.register_buffer("pivot", torch.as_tensor(pivot, dtype=torch.float32).view(3, 1))
        camera: Camera = canvas.camera
        self.register_buffer("focal", torch.tensor([-camera.focal_px, camera.focal_px], dtype=torch.float32).view(2, 1))
        middle = torch.tensor([camera.centre_x, camera.centre_y], dtype=torch.float32).view(2, 1)
        self.register_buffer("to_middle", middle - self.centres.flatten(1))
        below = canvas.size - 0.5 - y
        self.register_buffer("highest", torch.from_numpy(-below * (MOST_RAISED + below / (FREE * canvas.size))))
        last = torch.tensor([x.shape[1] - 1.0, x.shape[0] - 1.0]).view(2, 1, 1)
        self.register_buffer("unit", 2 / (last * self.cell_px))  # sheets are read at positions from -1 to 1
        self.register_buffer("unit_origin", -1 - self.centres[:, :1, :1] * self.unit)

    def flow(self, dynamics: torch.Tensor, rotation: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        """Where every cell goes.

        Args:
            dynamics: (B, K) change of the dynamics from the portrait's.
            rotation: (B, 3, 3) turn of the head in camera space.
            shift: (B, 3) movement of the head in cm, camera space.

        Returns:
            (B, 2, h, w) displacement in canvas pixels.
        """
        moved = torch.addmm(self.positions, dynamics, self.basis).view(len(dynamics), 3, -1)
        turned = torch.baddbmm(self.pivot + shift[:, :, None] - rotation @ self.pivot, rotation, moved)
        placed = torch.lerp(moved, turned, self.rigidity)
        flow = placed[:, :2] * (self.focal / placed[:, 2:]) + self.to_middle
        flow = flow.view(len(dynamics), *self.centres.shape)
        flow[:, 1] = torch.maximum(flow[:, 1], self.highest)
        return flow

    def sample(self, field: torch.Tensor, xy: torch.Tensor) -> torch.Tensor:
        """Read a field (B, C, h, w) of this sheet at canvas positions (B, 2, H, W): (B, C, H, W)."""
        return _read(field, xy * self.unit + self.unit_origin)

    def depth_inside(self, xy: torch.Tensor) -> torch.Tensor:
        """Pixels (B, 1, H, W) from canvas positions (B, 2, H, W) to this sheet's nearest border, below 0 outside."""
        return ((1 - (xy * self.unit + self.unit_origin).abs()) / self.unit).amin(1, keepdim=True)

    def invert(
        self, flow: torch.Tensor, target: torch.Tensor, start: torch.Tensor, shares: tuple[float, ...] = (1.0,) * 5
    ) -> torch.Tensor:
        """Find the places that the flow carries to the target positions.

        Newton's iteration with the diagonal of the flow's Jacobian, s <- s - (s + f(s) - target) / (1 + f').

        Args:
            flow: (B, 2, h, w) from `flow`.
            target, start: (B, 2, H, W) canvas positions, and a first guess of the answer.
            shares: how much of the flow each step takes. A flow that grows from step to step is followed where the
                sheet folds, under a lowered chin; the whole of it at once shows the chin a second time there.

        Returns:
            (B, 2, H, W) canvas positions.
        """
        slope_x = _central(flow[:, :1], -1) / self.cell_px
        slope_y = _central(flow[:, 1:], -2) / self.cell_px
        stacked = torch.cat([flow * self.unit, slope_x, slope_y], 1)
        target, place = (xy * self.unit + self.unit_origin for xy in (target, start))
        for share in shares:
            here = _read(stacked, place)
            error = torch.add(place, here[:, :2], alpha=share).sub_(target)
            place = torch.addcdiv(place, error, (1 + share * here[:, 2:]).clamp_(0.4, 3.0), value=-1)
        return (place - self.unit_origin) / self.unit


def _channels_first(values: np.ndarray) -> torch.Tensor:
    """(..., h, w, C) to (..., C, h * w) float32."""
    return torch.from_numpy(np.moveaxis(values, -1, -3).astype(np.float32)).flatten(-2)


def _read(field: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    """A field (B, C, h, w) at positions (B, 2, H, W) from -1 to 1, held at its ends: (B, C, H, W)."""
    return F.grid_sample(field, place.movedim(1, -1), padding_mode="border", align_corners=True)


def _central(field: torch.Tensor, dim: int) -> torch.Tensor:
    """Central differences along one axis, one-sided at the ends."""
    size = field.shape[dim]
    after = field.narrow(dim, 1, size - 1) - field.narrow(dim, 0, size - 1)
    inner = (after.narrow(dim, 0, size - 2) + after.narrow(dim, 1, size - 2)) / 2
    return torch.cat([after.narrow(dim, 0, 1), inner, after.narrow(dim, size - 2, 1)], dim)


def coarser(fields: Fields, factor: int) -> Fields:
    """The same fields on a grid with `factor` times fewer cells a side."""

    def shrink(values: np.ndarray) -> np.ndarray:
        cells = values.shape[-2] // factor
        blocks = values.reshape(*values.shape[:-3], cells, factor, cells, factor, values.shape[-1])
        return blocks.mean(axis=(-4, -2))

    return Fields(
        positions=shrink(fields.positions),
        basis=shrink(fields.basis),
        rigidity=shrink(fields.rigidity),
        cut=fields.cut,
    )
