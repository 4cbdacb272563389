"""Motion to frames: one portrait, prepared once, drawn in batches with the same few tensor operations everywhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from talkface.landmarks import SURFACE_COUNT
from talkface.pose import rotation
from talkface.rendering.canvas import Canvas, make_canvas, still_frame, texture
from talkface.rendering.drawings import paper
from talkface.rendering.eye_shapes import EYES, EyeShape, eye_shapes, sclera_colour, shut_if_hidden
from talkface.rendering.eyes import Eye
from talkface.rendering.glasses import glasses
from talkface.rendering.lip_edges import settle
from talkface.rendering.lips import lip_line, release_shares, with_own
from talkface.rendering.mouth import Mouth
from talkface.rendering.plates import make_plates
from talkface.rendering.reach import head_reach
from talkface.rendering.refiner import Refiner
from talkface.rendering.sampling import sample_grid, texture_grid
from talkface.rendering.scene import Scene, Stage, moving_window
from talkface.rendering.sheet import FIELDS_PER_CELL, NECK_PIVOT_CM, Fields, Sheet, cell_centres, coarser, make_fields
from talkface.rendering.teeth import mouth_light, own_teeth, teeth_edge
from talkface.rendering.view import View, hair_top, widen
from talkface.space import DYNAMICS_AXES, EYE_AXES, MotionSpace
from talkface.types import Crop, FaceFit, MotionSequence

BATCH = {"cpu": 4, "cuda": 64}  # frames of BATCH_SIZE_PX at a time: few enough for caches, enough to fill a GPU
BATCH_SIZE_PX = 512
MOST_WORKERS = 4  # threads that draw side by side on a CPU: no video encoder is faster, and each needs memory
RIMS_STIFF = 0.7  # of the brows' movement: what glasses take away
CHIN_ROOM = 0.3  # of the face's height, below the chin: how far it comes down in a nod with an open mouth
DARKEST_PERCENT = 0.5  # of the pixels
HAIR_MARGIN = 0.025  # of the canvas, above where the hair is seen to begin


class Renderer:
    """Draws one portrait in motion.

    Args:
        image: (H, W, 3) uint8, the portrait.
        fit: its face.
        crop: the square to draw.
        size: side of the frames in pixels.
        device: where to compute.
        farthest: largest head distance that will be asked for; the surroundings of the crop are prepared for it.
        inset: the frames go back into the portrait, so that their border has to stand still.
    """

    def __init__(
        self,
        image: np.ndarray,
        fit: FaceFit,
        crop: Crop,
        size: int = 512,
        device: str | torch.device = "cpu",
        farthest: float = 1.0,
        inset: bool = False,
    ) -> None:
        self.device = torch.device(device)
        self.size = size
        wide = widen(crop, image.shape[:2], max(farthest, 1.0))
        canvas_px = max(size, round(wide.size / crop.size * size / 8) * 8)
        self.still = still_frame(image, wide, canvas_px)
        canvas = make_canvas(fit, wide, canvas_px)
        fields = make_fields(canvas, fit.mesh, self.still, inset)
        view = _view(canvas, crop, wide, size, self.still)
        pivot = (fit.rotation @ NECK_PIVOT_CM + fit.translation).astype(np.float32)
        whole = coarser(fields, FIELDS_PER_CELL)
        self.cm_per_interocular = canvas.interocular_px * -fit.translation[2] / canvas.camera.focal_px
        self.reach = head_reach(fields, canvas, pivot, self.cm_per_interocular)
        skin, highlight = _skin(self.still, canvas.landmarks)
        shapes = shut_if_hidden(self.still, eye_shapes(canvas.landmarks), skin)
        head_basis = _head_basis(whole, shapes, canvas_px, glasses(self.still, canvas.landmarks))
        line = settle(lip_line(canvas.landmarks), canvas.landmarks, self.still, canvas.enlargement)
        own = own_teeth(self.still, line)
        darkest = _darkest(self.still, canvas.landmarks)
        light = mouth_light(sclera_colour(self.still, shapes), skin, highlight, own, darkest)
        window = moving_window(whole, canvas_px)
        moving = head_basis[:, window.rows, window.columns]
        self.head = Sheet(whole, moving, window.rows, window.columns, canvas, pivot).to(self.device)
        self.stage = Stage(self.head, view, window, self.device)
        drawn_on = paper(self.still, canvas.landmarks)
        self.eyes = [Eye(self.still, shape, drawn_on).to(self.device) for shape in shapes]
        plates = make_plates(fit, canvas, line, light, own)
        edge = teeth_edge(own, line)
        self.mouth = Mouth(fit, canvas, fields, line, plates, edge, light, pivot, Refiner.load()).to(self.device)
        self.texture = torch.from_numpy(texture(self.still)).to(self.device)
        self.own = torch.from_numpy(np.asarray(fit.dynamics, np.float32)).to(self.device)
        self.released = torch.from_numpy(release_shares(fit.dynamics, line.gap_px / line.length)).to(self.device)
        self.backdrop = torch.from_numpy(self.still[:size, :size].copy()).to(self.device)

    def frames(self, motion: MotionSequence) -> Iterator[np.ndarray]:
        """Draw every frame of the motion: (size, size, 3) uint8 each, computed in small batches."""
        batch = max(1, round(BATCH.get(self.device.type, BATCH["cpu"]) * min(1, BATCH_SIZE_PX / self.size) ** 2))
        pieces = (motion.values[start : start + batch] for start in range(0, len(motion.values), batch))
        workers = 1 if self.device.type == "cuda" else min(torch.get_num_threads(), MOST_WORKERS)
        for drawn in _side_by_side(self.draw, pieces, workers):
            yield from drawn

    def draw(self, values: np.ndarray) -> np.ndarray:
        """Draw a batch of motion vectors (B, D): (B, size, size, 3) uint8."""
        return _fetched(self.paint(values)).numpy()

    @torch.inference_mode()
    def paint(self, values: np.ndarray) -> torch.Tensor:
        """As `draw`, left on the device."""
        values = self.reach.within(values)
        motion = torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(self.device)
        turn, shift = self.head_motion(values)
        speaking = motion[:, MotionSpace.speaking].view(-1, 1)
        spoken = motion[:, MotionSpace.dynamics]
        asked = with_own(self.own, spoken, speaking, self.released)
        change = asked - self.own
        scene = Scene(self.stage, values, self.head.flow(change, turn, shift))
        frames = self._moved(scene)
        for eye, marks in zip(self.eyes, EYES, strict=True):
            columns = MotionSpace.columns(*(f"eye{kind}{marks.name}" for kind in ("Blink", "Squint", "Wide")))
            eye.draw(frames, scene, self.texture, motion[:, columns].clamp(0, 1), motion[:, MotionSpace.gaze])
        self.mouth.draw(frames, scene, self.texture, change, asked, spoken, speaking, turn, shift)
        return frames

    def _moved(self, scene: Scene) -> torch.Tensor:
        """The portrait as the head's sheet moves it, (B, size, size, 3) uint8; outside the scene's area it is still."""
        frames = self.backdrop.repeat(len(scene.cells), 1, 1, 1)
        columns = slice(scene.area.left, scene.area.left + scene.area.width)
        for rows, grid in scene.enlargement.strips_of(texture_grid(self.texture, scene.cells)):
            strip = sample_grid(self.texture, grid).add_(0.5)
            for channel in range(3):
                frames[:, rows, columns, channel] = strip[:, channel]
        return frames

    def head_motion(self, values: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Turn (B, 3, 3) and shift (B, 3) in cm of the head in camera space."""
        yaw, pitch, roll, x, y, _ = np.asarray(values, np.float64)[:, MotionSpace.pose].T
        turn = rotation(yaw, pitch, roll)
        shift = np.stack([x, -y, np.zeros_like(x)], 1) * self.cm_per_interocular
        return tuple(torch.from_numpy(a.astype(np.float32)).to(self.device) for a in (turn, shift))


def _fetched(frames: torch.Tensor) -> torch.Tensor:
    """The same frames in the computer's memory; from a GPU by way of memory that it writes to by itself, three times as
    fast, which torch keeps for the batches to come."""
    if frames.device.type != "cuda":
        return frames
    here = torch.empty(frames.shape, dtype=frames.dtype, pin_memory=True)
    here.copy_(frames, non_blocking=True)
    torch.cuda.current_stream(frames.device).synchronize()
    return here


def _side_by_side(
    draw: Callable[[np.ndarray], np.ndarray], pieces: Iterable[np.ndarray], workers: int
) -> Iterator[np.ndarray]:
    """Every piece drawn, in their order, while the ones before are encoded, each by one thread with one core: two cores
    draw two batches in half the time, but hardly one batch any faster than one core does, since most of its steps are
    short."""
    threads, waiting = torch.get_num_threads(), deque()
    pool = ThreadPoolExecutor(workers, "draw", initializer=torch.set_num_threads, initargs=(1,))
    try:
        for piece in pieces:
            waiting.append(pool.submit(draw, piece))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # also what threads to come begin with


def _view(canvas: Canvas, crop: Crop, wide: Crop, size: int, still: np.ndarray) -> View:
    """The view of a crop on its canvas, about the middle of the face."""
    scale = canvas.size / wide.size
    face = canvas.landmarks[:SURFACE_COUNT]
    focus, low, high = face.mean(0), face.min(0), face.max(0)
    width, height = high - low
    top = hair_top(still, low, high, guess=low[1] - 0.4 * height) - HAIR_MARGIN * len(still)
    chin_room = max(0.1 * height, min(CHIN_ROOM * height, (canvas.size - high[1]) / 2))
    head = (low[0] - 0.25 * width, top, high[0] + 0.25 * width, high[1] + chin_room)
    origin = ((crop.x0 - wide.x0) * scale, (crop.y0 - wide.y0) * scale)
    return View(size, canvas.size, (float(focus[0]), float(focus[1])), origin, tuple(map(float, head)))


def _head_basis(fields: Fields, shapes: list[EyeShape], canvas_px: int, rims: float) -> np.ndarray:
    """The fields' motion basis (K, G, G, 3) without the lids: they move in `eyes`, and brows do not drag them.

    Where glasses are seen (`rims` 0-1), brows move less, since they would bend them; low ones are raised less.
    """
    basis = fields.basis.copy()
    basis[[DYNAMICS_AXES.index(name) for name in EYE_AXES]] = 0
    centres = cell_centres(canvas_px, len(fields.rigidity))
    xy = np.stack(np.meshgrid(centres, centres), -1)
    share = np.minimum(*(shape.brow_share(xy) for shape in shapes))
    room = min(shape.brow_room for shape in shapes)
    for k, name in enumerate(DYNAMICS_AXES):
        if name.startswith("brow"):
            basis[k] *= share[..., None] * (1 - RIMS_STIFF * rims) * (room if "Up" in name else 1)
    return basis


def _skin(still: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, float]:
    """Median colour (3,) 0-1 of the cheeks and the chin, and the brightness 0-1 of the face's highlights."""
    marks = np.clip(landmarks[[50, 280, 205, 425, 199, 101, 330]].round().astype(int), 0, still.shape[0] - 1)
    patches = [still[max(y - 4, 0) : y + 5, max(x - 4, 0) : x + 5].reshape(-1, 3) for x, y in marks]
    face = _face(still, landmarks).mean(-1)
    return (np.median(np.concatenate(patches), axis=0) / 255).astype(np.float32), float(np.percentile(face, 96) / 255)


def _face(still: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """The part (h, w, 3) of the picture that the face's landmarks lie in."""
    x0, y0 = np.clip(landmarks[:SURFACE_COUNT].min(0), 0, None).astype(int)
    x1, y1 = landmarks[:SURFACE_COUNT].max(0).astype(int)
    return still[y0 : y1 + 1, x0 : x1 + 1]


def _darkest(still: np.ndarray, landmarks: np.ndarray) -> float:
    """Brightness 0-1 of the darkest that is seen, in the face or around it."""
    parts = (still, _face(still, landmarks))
    return float(min(np.percentile(part.mean(-1), DARKEST_PERCENT) for part in parts) / 255)
