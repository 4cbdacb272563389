"""`talkface inspect`: what talkface sees in a portrait, drawn over it, and the face in test poses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from talkface import landmarks as marks_of
from talkface.analysis import Analysis, analyse
from talkface.device import pick_device
from talkface.media.files import reserve
from talkface.media.image import read_portrait
from talkface.options import RenderOptions
from talkface.progress import Progress
from talkface.space import MotionSpace

if TYPE_CHECKING:
    import torch

PICTURE_SIZE_PX = 1024
POSE_SIZE_PX = 256
POSES_PER_ROW = 5
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
AXIS_LENGTH_CM = 7.0
_LABEL_PX = 14
_SUPERSAMPLING = 2
_GREY, _GREEN, _RED, _BLUE, _YELLOW, _WHITE = "#9aa4b0", "#31d07a", "#ff5a5f", "#4da3ff", "#ffd23f", "#ffffff"
_INK = "#16181c"

TEST_POSES: dict[str, dict[str, float]] = {
    "portrait": {},
    "blink": {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
    "jaw open": {"jawOpen": 0.6, "speaking": 1.0},
    "pucker": {"mouthPucker": 0.8, "speaking": 1.0},
    "smile": {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8, "cheekSquintLeft": 0.4, "cheekSquintRight": 0.4},
    "lips closed": {"speaking": 1.0},
    "yaw -12": {"headYaw": -12.0},
    "yaw +12": {"headYaw": 12.0},
    "pitch -8": {"headPitch": -8.0},
    "pitch +8": {"headPitch": 8.0},
}


def inspect(
    portrait: Path, output: Path, options: RenderOptions, progress: Progress | None = None
) -> dict[str, object]:
    """Write the inspection sheet of `portrait` to `output` and return the face report.

    Raises TalkfaceError as `pipeline.render` does; nothing is left behind then.
    """
    progress = progress or Progress()
    with reserve(Path(output), tuple(FORMATS), force=options.force, inputs=(Path(portrait),)) as part:
        progress.stage("Reading the portrait")
        picture = read_portrait(Path(portrait))
        progress.stage("Understanding the face")
        device = pick_device(options.device)
        analysis = analyse(picture, options, device)
        for warning in analysis.warnings:
            progress.warn(warning)
        progress.stage("Drawing")
        sheet = compose_sheet(draw_analysis(analysis), draw_poses(analysis, device))
        sheet.save(part, FORMATS[Path(output).suffix.lower()])
    return analysis.report


def draw_analysis(analysis: Analysis) -> Image.Image:
    """The picture with mesh, landmarks, lips, lids, irises, pose axes and crop drawn over it."""
    height, width = analysis.image.shape[:2]
    scale = PICTURE_SIZE_PX * _SUPERSAMPLING / max(height, width)
    size = (round(width * scale), round(height * scale))
    image = Image.fromarray(analysis.image).resize(size, Image.Resampling.BICUBIC)
    pen = _Pen(ImageDraw.Draw(image, "RGBA"), scale)
    _draw_mesh(pen, analysis)
    marks = analysis.fit.landmarks[:, :2]
    pen.dots(marks, 1.2, _WHITE)
    for ring in (
        marks_of.LIP_OUTER_UPPER + marks_of.LIP_OUTER_LOWER[-2:0:-1],
        marks_of.LIP_INNER_UPPER + marks_of.LIP_INNER_LOWER[-2:0:-1],
    ):
        pen.ring(marks[list(ring)], _RED)
    for upper, lower in (
        (marks_of.RIGHT_LID_UPPER, marks_of.RIGHT_LID_LOWER),
        (marks_of.LEFT_LID_UPPER, marks_of.LEFT_LID_LOWER),
    ):
        pen.ring(marks[list(upper + lower[-2:0:-1])], _GREEN)
    for iris in (marks_of.RIGHT_IRIS, marks_of.LEFT_IRIS):
        pen.ring(marks[list(iris[1:])], _BLUE)
    _draw_axes(pen, analysis)
    crop = analysis.crop
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * crop.size + (crop.x0, crop.y0)
    pen.ring(corners, _YELLOW)
    return image.resize((size[0] // _SUPERSAMPLING, size[1] // _SUPERSAMPLING), Image.Resampling.BOX)


def draw_poses(analysis: Analysis, device: torch.device) -> list[tuple[str, Image.Image]]:
    """The face in each test pose, with its name."""
    from talkface.render.renderer import Renderer
    from talkface.types import MotionSequence

    values = np.zeros((len(TEST_POSES), MotionSpace.size), np.float32)
    values[:, MotionSpace.index("headDistance")] = 1.0
    for row, pose in enumerate(TEST_POSES.values()):
        for axis, value in pose.items():
            values[row, MotionSpace.index(axis)] = value
    renderer = Renderer(analysis.image, analysis.fit, analysis.crop, size=2 * POSE_SIZE_PX, device=device)
    frames = renderer.frames(MotionSequence(values, fps=25.0))
    size = (POSE_SIZE_PX, POSE_SIZE_PX)
    return [(name, Image.fromarray(frame).resize(size)) for name, frame in zip(TEST_POSES, frames, strict=True)]


def compose_sheet(picture: Image.Image, poses: list[tuple[str, Image.Image]]) -> Image.Image:
    """The picture on top, the poses with their names in rows below."""
    rows = -(-len(poses) // POSES_PER_ROW)
    width = max(picture.width, POSES_PER_ROW * POSE_SIZE_PX)
    sheet = Image.new("RGB", (width, picture.height + rows * POSE_SIZE_PX), _INK)
    sheet.paste(picture, ((width - picture.width) // 2, 0))
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_LABEL_PX)
    left = (width - POSES_PER_ROW * POSE_SIZE_PX) // 2
    for number, (name, image) in enumerate(poses):
        row, column = divmod(number, POSES_PER_ROW)
        corner = (left + column * POSE_SIZE_PX, picture.height + row * POSE_SIZE_PX)
        sheet.paste(image, corner)
        place = (corner[0] + 6, corner[1] + 4)
        pen.text(place, name, fill=_WHITE, font=font, stroke_width=2, stroke_fill=_INK)
    return sheet


class _Pen:
    """Draws shapes given in pixels of the portrait on a scaled copy of it."""

    def __init__(self, draw: ImageDraw.ImageDraw, scale: float) -> None:
        self.draw = draw
        self.scale = scale

    def places(self, points: np.ndarray) -> list[tuple[float, float]]:
        return [tuple(place) for place in ((np.asarray(points) + 0.5) * self.scale).tolist()]

    def ring(self, points: np.ndarray, colour: str) -> None:
        places = self.places(points)
        self.draw.line([*places, places[0]], fill=colour, width=2 * _SUPERSAMPLING)

    def line(self, points: np.ndarray, colour: str, width: int) -> None:
        self.draw.line(self.places(points), fill=colour, width=width * _SUPERSAMPLING)

    def dots(self, points: np.ndarray, radius: float, colour: str) -> None:
        reach = radius * _SUPERSAMPLING
        for x, y in self.places(points):
            self.draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=colour)


def _draw_mesh(pen: _Pen, analysis: Analysis) -> None:
    """The skin's triangles that face the viewer, as thin lines."""
    mesh = analysis.fit.mesh
    points = _project(analysis, mesh.neutral + np.tensordot(analysis.fit.dynamics, mesh.dynamics, 1))
    skin = mesh.triangles[(mesh.parts[mesh.triangles] == 0).all(1)]
    corners = points[skin]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    is_front = first[:, 0] * second[:, 1] < first[:, 1] * second[:, 0]
    for triangle in corners[is_front]:
        pen.draw.line(pen.places([*triangle, triangle[0]]), fill=_GREY + "60", width=1)


def _draw_axes(pen: _Pen, analysis: Analysis) -> None:
    """Where the head's right (red), up (green) and front (blue) point, from between the eyes."""
    origin = analysis.fit.mesh.eye_centres.mean(0) + (0.0, 0.0, 3.0)
    ends = origin + AXIS_LENGTH_CM * np.eye(3)
    places = _project(analysis, np.stack([origin, *ends]))
    for end, colour in zip(places[1:], (_RED, _GREEN, _BLUE), strict=True):
        pen.line(np.stack([places[0], end]), colour, 3)


def _project(analysis: Analysis, points: np.ndarray) -> np.ndarray:
    """(n, 3) model points to (n, 2) pixels of the picture, after the residual warp."""
    from talkface.warp import residual_warp

    fit = analysis.fit
    seen = points @ fit.rotation.T + fit.translation
    flat = np.stack([seen[:, 0], -seen[:, 1]], 1) * (-fit.camera.focal_px / seen[:, 2:])
    return residual_warp(fit, flat + (fit.camera.centre_x, fit.camera.centre_y))
