"""Choose the square of the portrait that becomes the video: head and shoulders, always inside the picture."""

from __future__ import annotations

import numpy as np

from talkface import landmarks as marks_of
from talkface.errors import InputError
from talkface.types import Crop

FACE_SHARE = 0.43  # of the crop's height, when the picture leaves room
HEADROOM = 0.27  # of the crop, above the forehead's highest landmark
KEEP_WHOLE_SHARE = 0.33  # a picture with a face at least this large is a head shot already
FOREHEAD, CHIN = 10, 152
_HEIGHT_PER_WIDTH = 1.2


def frame_head(landmarks: np.ndarray, image_size: tuple[int, int]) -> Crop:
    """The crop around the head with `landmarks` (478, 2+), pixels, in a picture of `image_size` (height, width).

    The face fills about FACE_SHARE of the crop's height where the picture leaves room for that; a picture that is a
    head shot already is kept as large as a square can be. Raises InputError when the face lies outside the picture.
    """
    height, width = image_size
    face = np.asarray(landmarks, np.float64)[: marks_of.SURFACE_COUNT, :2]
    low, high = face.min(0), face.max(0)
    middle = (low + high) / 2
    if not (0 <= middle[0] < width and 0 <= middle[1] < height):
        raise InputError("The face lies outside the picture.", "Use a picture that shows the whole face.")
    face_px = max(np.linalg.norm(face[FOREHEAD] - face[CHIN]), _HEIGHT_PER_WIDTH * (high[0] - low[0]))
    size = float(min(height, width))
    if face_px < KEEP_WHOLE_SHARE * size:
        size = face_px / FACE_SHARE
    above = min(HEADROOM, max((1 - face_px / size) * HEADROOM / (1 - FACE_SHARE), 0.0)) * size
    x0 = np.clip(middle[0] - size / 2, -0.5, width - 0.5 - size)
    y0 = np.clip(middle[1] - face_px / 2 - above, -0.5, height - 0.5 - size)
    return Crop(float(x0), float(y0), size)
