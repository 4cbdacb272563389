"""Motion to frames: one portrait, prepared once, drawn in batches with the same few tensor operations everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from talkface.landmarks import SURFACE_COUNT
from talkface.pose import rotation
from talkface.rendering.canvas import Canvas, make_canvas, still_frame, texture
from talkface.rendering.eye_shapes import EYES, EyeShape, eye_shapes, sclera_colour
from talkface.rendering.eyes import Eye
from talkface.rendering.lip_edges import settle
from talkface.rendering.lips import lip_line, release_shares, with_own
from talkface.rendering.mouth import Mouth
from talkface.rendering.refiner import Refiner
from talkface.rendering.sampling import sample_texture
from talkface.rendering.sheet import FIELDS_PER_CELL, NECK_PIVOT_CM, Fields, Sheet, cell_centres, coarser, make_fields
from talkface.rendering.teeth import make_plates, mouth_light, own_teeth, teeth_edge
from talkface.rendering.view import View, hair_top, widen
from talkface.space import DYNAMICS_AXES, EYE_AXES, MotionSpace
from talkface.types import Crop, FaceFit, MotionSequence

BATCH = {"cpu": 8, "cuda": 32}  # frames of BATCH_SIZE_PX at a time: few enough for caches, enough to fill a GPU
BATCH_SIZE_PX = 512
HAIR_MARGIN = 0.025  # of the canvas, above where the hair is seen to begin


class Scene:
    """The geometry of one batch of frames: which place of the portrait every pixel shows, and how to get there.

    Attributes:
        left, top: canvas or frame position of the first pixel that is drawn.
        places: (B, 2, h, w) canvas positions that the pixels show.
        is_window: only the moving window of a plain view is drawn.
        nearest: smallest head distance of the batch.
    """

    def __init__(self, renderer: Renderer, values: np.ndarray, flow: torch.Tensor) -> None:
        self.head, self.view, self.flow = renderer.head, renderer.view, flow
        self.distances = np.asarray(values, np.float64)[:, MotionSpace.index("headDistance")]
        self.nearest = float(self.distances.min())
        self.is_window = self.view.is_plain(self.distances)
        if self.is_window:
            grid = renderer.grid.expand_as(flow)
            self.left, self.top = renderer.window.left, renderer.window.top
            self.places = renderer.window.enlarge(self.head.invert(flow, grid, grid - flow))
            return
        self.left = self.top = 0
        size = self.view.frame_px
        cells = size // renderer.window.cell_px
        along = torch.from_numpy(cell_centres(size, cells)).to(flow.device)
        target = self.target(along.expand(len(values), cells), along.expand(len(values), cells))
        coarse = self.head.invert(flow, target, target - self.head.sample(flow, target))
        self.places = F.interpolate(coarse, size=(size, size), mode="bilinear", align_corners=False)

    def target(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Canvas positions (B, 2, h, w) of the frame positions x (B, w) times y (B, h)."""
        if not self.is_window:
            x, y = self._to_canvas(x, 0), self._to_canvas(y, 1)
        x = x[:, None, :].expand(-1, y.shape[1], -1)
        return torch.stack([x, y[:, :, None].expand_as(x)], 1)

    def _to_canvas(self, along: torch.Tensor, axis: int) -> torch.Tensor:
        pairs = zip(along, self.distances.tolist(), strict=True)
        return torch.stack([self.view.to_canvas(row, distance, axis) for row, distance in pairs])

    def follow(self, place: torch.Tensor) -> torch.Tensor:
        """The frame position (B, 2) that a portrait position (2,) gets."""
        here = place.view(1, 2, 1, 1).expand(len(self.flow), 2, 1, 1)
        return self.in_frame(place + self.head.sample(self.flow, here)[:, :, 0, 0])

    def in_frame(self, moved: torch.Tensor) -> torch.Tensor:
        """The frame positions (B, 2) of canvas positions (B, 2)."""
        return moved if self.is_window else self.view.to_frame(moved, self.distances)


@dataclass(frozen=True)
class Window:
    """The part of the canvas that can move, in whole cells of the sheet.

    Attributes:
        rows, columns: cells (first, last + 1).
        cell_px: pixels a cell.
    """

    rows: tuple[int, int]
    columns: tuple[int, int]
    cell_px: int

    @property
    def top(self) -> int:
        """First row of pixels."""
        return self.rows[0] * self.cell_px

    @property
    def left(self) -> int:
        """First column of pixels."""
        return self.columns[0] * self.cell_px

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns of pixels."""
        return tuple(slice(a * self.cell_px, b * self.cell_px) for a, b in (self.rows, self.columns))

    def enlarge(self, coarse: torch.Tensor) -> torch.Tensor:
        """Pixel positions (B, 2, h, w) of the window from the whole sheet's cells (B, 2, G, G)."""
        cells = coarse[:, :, slice(*self.rows), slice(*self.columns)]
        return F.interpolate(cells, scale_factor=self.cell_px, mode="bilinear", align_corners=False)


def _moving_window(fields: Fields, size: int) -> Window:
    """Where rigidity or basis are not zero, with a margin of two cells."""
    moves = (fields.rigidity > 1e-3) | (np.abs(fields.basis).max((0, 3)) > 1e-3)
    cells = len(moves)
    bounds = []
    for axis in (1, 0):
        where = np.flatnonzero(moves.any(axis))
        bounds.append((max(0, int(where[0]) - 2), min(cells, int(where[-1]) + 3)))
    return Window(bounds[0], bounds[1], size // cells)


class Renderer:
    """Draws one portrait in motion.

    Args:
        image: (H, W, 3) uint8, the portrait.
        fit: its face.
        crop: the square to draw.
        size: side of the frames in pixels.
        device: where to compute.
        farthest: largest head distance that will be asked for; the surroundings of the crop are prepared for it.
    """

    def __init__(
        self,
        image: np.ndarray,
        fit: FaceFit,
        crop: Crop,
        size: int = 512,
        device: str | torch.device = "cpu",
        farthest: float = 1.0,
    ) -> None:
        self.device = torch.device(device)
        self.size = size
        wide = widen(crop, image.shape[:2], max(farthest, 1.0))
        canvas_px = max(size, round(wide.size / crop.size * size / 8) * 8)
        self.still = still_frame(image, wide, canvas_px)
        canvas = make_canvas(fit, wide, canvas_px)
        fields = make_fields(canvas, fit.mesh, self.still)
        self.view = _view(canvas, crop, wide, size, self.still)
        pivot = (fit.rotation @ NECK_PIVOT_CM + fit.translation).astype(np.float32)
        whole = coarser(fields, FIELDS_PER_CELL)
        everything = slice(0, whole.rigidity.shape[0])
        shapes = eye_shapes(canvas.landmarks)
        head_basis = _head_basis(whole, shapes, canvas_px)
        line = settle(lip_line(canvas.landmarks), canvas.landmarks, self.still)
        skin, highlight = _skin(self.still, canvas.landmarks)
        own = own_teeth(self.still, line)
        light = mouth_light(sclera_colour(self.still, shapes), skin, highlight, own)
        self.head = Sheet(whole, head_basis, everything, everything, canvas, pivot).to(self.device)
        self.eyes = [Eye(self.still, shape).to(self.device) for shape in shapes]
        plates = make_plates(fit, canvas, line, light, own)
        edge = teeth_edge(own, line)
        self.mouth = Mouth(fit, canvas, fields, line, plates, edge, light.throat, pivot, Refiner.load()).to(self.device)
        self.texture = torch.from_numpy(texture(self.still)).to(self.device)
        self.own = torch.from_numpy(np.asarray(fit.dynamics, np.float32)).to(self.device)
        self.released = torch.from_numpy(release_shares(fit.dynamics, line.gap_px / line.length)).to(self.device)
        self.cm_per_interocular = canvas.interocular_px * -fit.translation[2] / canvas.camera.focal_px
        self.grid = self.head.grid.T.reshape(1, 2, *self.head.shape)
        self.window = _moving_window(whole, canvas_px)
        self.backdrop = torch.from_numpy(self.still.copy()).to(self.device)

    def frames(self, motion: MotionSequence) -> Iterator[np.ndarray]:
        """Draw every frame of the motion: (size, size, 3) uint8 each, computed in small batches."""
        batch = max(1, round(BATCH.get(self.device.type, BATCH["cpu"]) * min(1, BATCH_SIZE_PX / self.size) ** 2))
        for start in range(0, len(motion.values), batch):
            yield from self.draw(motion.values[start : start + batch])

    def draw(self, values: np.ndarray) -> np.ndarray:
        """Draw a batch of motion vectors (B, D): (B, size, size, 3) uint8."""
        return self.paint(values).cpu().numpy()

    @torch.inference_mode()
    def paint(self, values: np.ndarray) -> torch.Tensor:
        """As `draw`, left on the device."""
        motion = torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(self.device)
        turn, shift = self._head_motion(values)
        speaking = motion[:, MotionSpace.speaking].view(-1, 1)
        spoken = motion[:, MotionSpace.dynamics]
        asked = with_own(self.own, spoken, speaking, self.released)
        change = asked - self.own
        scene = Scene(self, values, self.head.flow(change, turn, shift))
        frame = sample_texture(self.texture, scene.places)
        for eye, marks in zip(self.eyes, EYES, strict=True):
            columns = MotionSpace.columns(*(f"eye{kind}{marks.name}" for kind in ("Blink", "Squint", "Wide")))
            eye.draw(frame, scene, self.texture, motion[:, columns].clamp(0, 1), motion[:, MotionSpace.gaze])
        self.mouth.draw(frame, scene, self.texture, change, asked, spoken, speaking, turn, shift)
        return self._finish(frame, scene)

    def _finish(self, frame: torch.Tensor, scene: Scene) -> torch.Tensor:
        """To bytes, and if only the moving window was drawn, into the still portrait: (B, size, size, 3) uint8."""
        drawn = frame.add_(0.5).to(torch.uint8).movedim(1, -1)
        if not scene.is_window:
            return drawn.contiguous()
        out = self.backdrop.repeat(len(frame), 1, 1, 1)
        rows, columns = self.window.slices
        out[:, rows, columns] = drawn
        return out

    def _head_motion(self, values: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Turn (B, 3, 3) and shift (B, 3) in cm of the head in camera space."""
        yaw, pitch, roll, x, y, _ = np.asarray(values, np.float64)[:, MotionSpace.pose].T
        turn = rotation(yaw, pitch, roll)
        shift = np.stack([x, -y, np.zeros_like(x)], 1) * self.cm_per_interocular
        return tuple(torch.from_numpy(a.astype(np.float32)).to(self.device) for a in (turn, shift))


def _view(canvas: Canvas, crop: Crop, wide: Crop, size: int, still: np.ndarray) -> View:
    """The view of a crop on its canvas, about the middle of the face."""
    scale = canvas.size / wide.size
    face = canvas.landmarks[:SURFACE_COUNT]
    focus, low, high = face.mean(0), face.min(0), face.max(0)
    width, height = high - low
    top = hair_top(still, low, high, guess=low[1] - 0.4 * height) - HAIR_MARGIN * len(still)
    head = (low[0] - 0.25 * width, top, high[0] + 0.25 * width, high[1] + 0.1 * height)
    origin = ((crop.x0 - wide.x0) * scale, (crop.y0 - wide.y0) * scale)
    return View(size, canvas.size, (float(focus[0]), float(focus[1])), origin, tuple(map(float, head)))


def _head_basis(fields: Fields, shapes: list[EyeShape], canvas_px: int) -> np.ndarray:
    """The fields' motion basis (K, G, G, 3) without the lids: they move in `eyes`, and brows do not drag them."""
    basis = fields.basis.copy()
    basis[[DYNAMICS_AXES.index(name) for name in EYE_AXES]] = 0
    centres = cell_centres(canvas_px, len(fields.rigidity))
    xy = np.stack(np.meshgrid(centres, centres), -1)
    share = np.minimum(*(shape.brow_share(xy) for shape in shapes))
    basis[[k for k, name in enumerate(DYNAMICS_AXES) if name.startswith("brow")]] *= share[..., None]
    return basis


def _skin(still: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, float]:
    """Median colour (3,) 0-1 of the cheeks and the chin, and the brightness 0-1 of the face's highlights."""
    marks = np.clip(landmarks[[50, 280, 205, 425, 199, 101, 330]].round().astype(int), 0, still.shape[0] - 1)
    patches = [still[max(y - 4, 0) : y + 5, max(x - 4, 0) : x + 5].reshape(-1, 3) for x, y in marks]
    x0, y0 = np.clip(landmarks[:SURFACE_COUNT].min(0), 0, None).astype(int)
    x1, y1 = landmarks[:SURFACE_COUNT].max(0).astype(int)
    face = still[y0 : y1 + 1, x0 : x1 + 1].mean(-1)
    return (np.median(np.concatenate(patches), axis=0) / 255).astype(np.float32), float(np.percentile(face, 96) / 255)
