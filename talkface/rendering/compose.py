"""Full pictures: the speaking face back in the whole portrait, at its own size, without a seam."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from talkface.rendering.renderer import Renderer
from talkface.types import Crop, MotionSequence

GRID_PX = 8


def native_crop(crop: Crop, image_size: tuple[int, int]) -> Crop:
    """The crop moved and shrunk to whole pixels, a multiple of GRID_PX, so that its frames fit the picture exactly."""
    height, width = image_size
    size = int(min(crop.size, height, width)) // GRID_PX * GRID_PX
    start = [
        int(np.clip(round(low + 0.5 + (crop.size - size) / 2), 0, limit - size))
        for low, limit in ((crop.x0, width), (crop.y0, height))
    ]
    return Crop(start[0] - 0.5, start[1] - 0.5, float(size))


def full_frames(image: np.ndarray, renderer: Renderer, crop: Crop, motion: MotionSequence) -> Iterator[np.ndarray]:
    """Compose every frame into the picture.

    The sheet stands still at the crop's border, so the frame and the picture agree there pixel by pixel.

    Args:
        image: (H, W, 3) uint8, the whole picture.
        renderer: made for the `native_crop` at its own size.
        crop: that crop.
        motion: the performance; its head distance must be 1.

    Yields:
        (H, W, 3) uint8, H and W made even by leaving out the last row or column.
    """
    height, width = (side // 2 * 2 for side in image.shape[:2])
    left, top = int(crop.x0 + 0.5), int(crop.y0 + 0.5)
    for frame in renderer.frames(motion):
        out = image.copy()
        out[top : top + frame.shape[0], left : left + frame.shape[1]] = frame
        yield out[:height, :width]
