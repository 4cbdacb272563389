"""A picture understood: which face, where, and the square of the picture that becomes the video."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from talkface.errors import InputError
from talkface.media.image import shrink
from talkface.media.video import MAX_SIDE_PX
from talkface.options import RenderOptions
from talkface.types import FaceFit, Portrait

if TYPE_CHECKING:
    import torch

    from talkface.face.framing import Crop
    from talkface.face.tracker import TrackedFace

WORKING_SIDE_PX = 2048
_MARGIN = 0.5


@dataclass(frozen=True)
class Analysis:
    """What rendering needs to know of a portrait.

    Attributes:
        image: (H, W, 3) uint8, the part of the picture that is worked on; the whole of it for `--full`.
        fit: the face, in pixels of `image`.
        crop: the square of `image` that becomes the video.
        warnings: what a person should know about this picture, one sentence each.
        report: the same in numbers, for `--json`.
    """

    image: np.ndarray
    fit: FaceFit
    crop: Crop
    warnings: tuple[str, ...]
    report: dict[str, object]


def analyse(portrait: Portrait, options: RenderOptions, device: torch.device) -> Analysis:
    """Find, choose, frame and fit the face. Raises InputError when there is none to work with."""
    from talkface.face.fit import fit_face
    from talkface.face.framing import frame_head
    from talkface.face.tracker import FaceTracker

    image, warnings = portrait.image, list(portrait.notes)
    if options.full:
        image, note = _whole_picture(image)
        warnings += note
    faces = FaceTracker.load(device)(image)
    face, notes = choose_face(faces, options.face)
    warnings += notes
    crop, landmarks = frame_head(face.landmarks, image.shape[:2]), face.landmarks
    if not options.full:
        image, landmarks, crop = focus(image, landmarks, crop)
    fit = fit_face(landmarks, image_size=image.shape[:2])
    warnings += fit.warnings
    return Analysis(image, fit, crop, tuple(warnings), _report(fit, face, len(faces), warnings))


def choose_face(faces: tuple[TrackedFace, ...], number: int) -> tuple[TrackedFace, list[str]]:
    """Face `number` (1 = the largest) and what to say about the choice. Raises InputError."""
    if not faces:
        raise InputError(
            "No face was found in the portrait.",
            "Use a picture in which one face is large, sharp and seen from the front.",
        )
    if number > len(faces):
        raise InputError(f"The portrait has {len(faces)} face(s), there is no face {number}.", "Choose another --face.")
    notes = []
    if len(faces) > 1 and number == 1:
        notes.append(f"The portrait shows {len(faces)} faces; the largest one speaks (choose another with --face).")
    return faces[number - 1], notes


def focus(image: np.ndarray, landmarks: np.ndarray, crop: Crop) -> tuple[np.ndarray, np.ndarray, Crop]:
    """The surroundings of the crop, at most WORKING_SIDE_PX large, with landmarks (478, 3) and crop moved along.

    A picture that is small enough is returned untouched.
    """
    height, width = image.shape[:2]
    if max(height, width) <= WORKING_SIDE_PX:
        return image, landmarks, crop
    margin = _MARGIN * crop.size
    left, top = (max(0, int(start - margin)) for start in (crop.x0, crop.y0))
    right, bottom = int(crop.x0 + crop.size + margin) + 1, int(crop.y0 + crop.size + margin) + 1
    region = image[top:bottom, left:right]
    small = shrink(region, WORKING_SIDE_PX)
    scale = small.shape[1] / region.shape[1]
    moved = landmarks * scale
    moved[:, :2] = (landmarks[:, :2] + 0.5 - (left, top)) * scale - 0.5
    x0, y0 = ((start + 0.5 - origin) * scale - 0.5 for start, origin in ((crop.x0, left), (crop.y0, top)))
    return np.ascontiguousarray(small), moved, dataclasses.replace(crop, x0=x0, y0=y0, size=crop.size * scale)


def _whole_picture(image: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """The picture as a video can hold it: even sides, the longer one at most MAX_SIDE_PX."""
    small = shrink(image, MAX_SIDE_PX)
    height, width = (side - side % 2 for side in small.shape[:2])
    notes = (
        [] if small is image else [f"The whole picture was reduced to {width}x{height} pixels, the most a video holds."]
    )
    return np.ascontiguousarray(small[:height, :width]), notes


def _report(fit: FaceFit, face: TrackedFace, count: int, warnings: list[str]) -> dict[str, object]:
    return {
        "faces": count,
        "score": round(float(face.score), 3),
        "yaw_deg": round(fit.yaw_deg, 1),
        "pitch_deg": round(fit.pitch_deg, 1),
        "roll_deg": round(fit.roll_deg, 1),
        "interocular_px": round(fit.interocular_px, 1),
        "error_px": round(fit.error_px, 2),
        "warnings": list(warnings),
    }
