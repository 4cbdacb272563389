"""`talkface inspect`: what talkface sees in a portrait, drawn over it, and the face in test poses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from talkface.analysis import Analysis, analyse
from talkface.device import pick_device
from talkface.media.files import reserve
from talkface.media.image import read_portrait
from talkface.options import RenderOptions
from talkface.progress import Progress
from talkface.space import MotionSpace

if TYPE_CHECKING:
    import torch

PICTURE_HEIGHT_PX = 1024
POSE_SIZE_PX = 256
POSES_PER_ROW = 5
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
_LABEL_PX = 14
_WHITE, _INK = "#ffffff", "#16181c"

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
        sheet = compose_sheet(_overlay(analysis), draw_poses(analysis, device))
        sheet.save(part, FORMATS[Path(output).suffix.lower()])
    return analysis.report


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


def _overlay(analysis: Analysis) -> Image.Image:
    """The portrait with what was found drawn over it, as wide as the rows of poses or as high as PICTURE_HEIGHT_PX."""
    from talkface.face.inspect import draw_fit

    image = Image.fromarray(draw_fit(analysis.image, analysis.fit, analysis.crop))
    scale = min(POSES_PER_ROW * POSE_SIZE_PX / image.width, PICTURE_HEIGHT_PX / image.height)
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
