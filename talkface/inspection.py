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

CLOSE_UP_PX = 768
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
    """Write the inspection sheet of `portrait` to `output`; returns its path, the face report and the warnings.

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
        sheet = compose_sheet(*draw_overlays(analysis), draw_poses(analysis, device))
        sheet.save(part, FORMATS[Path(output).suffix.lower()])
    return {"path": output, **analysis.report, "warnings": analysis.warnings}


def draw_poses(analysis: Analysis, device: torch.device) -> list[tuple[str, Image.Image]]:
    """The face in each test pose, with its name."""
    from talkface.rendering.renderer import Renderer
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


def compose_sheet(overview: Image.Image, close_up: Image.Image, poses: list[tuple[str, Image.Image]]) -> Image.Image:
    """The picture and the face in it on top, the poses with their names in rows below."""
    rows = -(-len(poses) // POSES_PER_ROW)
    sheet = Image.new("RGB", (POSES_PER_ROW * POSE_SIZE_PX, CLOSE_UP_PX + rows * POSE_SIZE_PX), _INK)
    room = sheet.width - CLOSE_UP_PX
    sheet.paste(overview, ((room - overview.width) // 2, (CLOSE_UP_PX - overview.height) // 2))
    sheet.paste(close_up, (room, 0))
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_LABEL_PX)
    for number, (name, image) in enumerate(poses):
        row, column = divmod(number, POSES_PER_ROW)
        left, top = column * POSE_SIZE_PX, CLOSE_UP_PX + row * POSE_SIZE_PX
        sheet.paste(image, (left, top))
        pen.text((left + 6, top + 4), name, fill=_WHITE, font=font, stroke_width=2, stroke_fill=_INK)
    return sheet


def draw_overlays(analysis: Analysis) -> tuple[Image.Image, Image.Image]:
    """The portrait with what was found drawn over it: the whole of it, small, and the crop, large."""
    from talkface.face.inspect import draw_fit

    image = Image.fromarray(draw_fit(analysis.image, analysis.fit, analysis.crop))
    scale = image.width / analysis.image.shape[1]
    left, top, side = ((analysis.crop.x0 + 0.5) * scale, (analysis.crop.y0 + 0.5) * scale, analysis.crop.size * scale)
    close_up = image.resize((CLOSE_UP_PX, CLOSE_UP_PX), Image.Resampling.LANCZOS, (left, top, left + side, top + side))
    room = POSES_PER_ROW * POSE_SIZE_PX - CLOSE_UP_PX
    image.thumbnail((room, CLOSE_UP_PX), Image.Resampling.LANCZOS)
    return image, close_up
