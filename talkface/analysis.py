"""A picture understood: which face, where, and the square of the picture that becomes the video."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from talkface.errors import InputError
from talkface.landmarks import SURFACE_COUNT
from talkface.media.image import shrink
from talkface.media.video import MAX_SIDE_PX
from talkface.options import RenderOptions
from talkface.types import Crop, FaceFit, Portrait

if TYPE_CHECKING:
    import torch

    from talkface.face.tracker import TrackedFace

WORKING_SIDE_PX = 2048  # the largest video; more of a picture would be memory spent for nothing
MAX_CROP_PX = 1536  # of a head drawn at the picture's own size: time and memory grow with its square
BLURRED_DETAIL = 0.09  # see `face_detail`
TURNED_SIDE_PX = 512  # a face that is looked for in a picture turned otherwise: nothing is measured there
HAIR_ROOM = 0.07  # of the crop, above the hair
NECK_ROOM = 0.2  # of the face's height, below the chin: what is left there at least
MOST_RAISED = 0.15  # of its size: how far the crop is moved for that
HAIR_SIDE_PX = 256  # the hair is looked for in a square of this size
UNSURE_LIKENESS = 0.9  # of about 180 portraits only profiles and a dog have less
STRETCH = 1.15  # times as far as the picture reaches: beyond this it shows
_DETAIL_SIZE = (128, 128)
_MARGIN = 0.5  # of the crop, kept around it: a head that is farther away shows more of the picture


@dataclass(frozen=True)
class Analysis:
    """What rendering needs to know of a portrait.

    Attributes:
        image: (H, W, 3) uint8, the part of the picture that is worked on; the whole of it for `--full`.
        fit: the face, in pixels of `image`.
        crop: the square of `image` that becomes the video.
        warnings: what a person should know about this picture, one sentence each.
        report: what was found in it, in numbers.
        reach: the head distance at which the crop reaches the picture's border.
    """

    image: np.ndarray
    fit: FaceFit
    crop: Crop
    warnings: tuple[str, ...]
    report: dict[str, object]
    reach: float

    def notes(self, farthest: float) -> tuple[str, ...]:
        """The warnings, and one more when the head goes so far away that the picture ends too soon."""
        if farthest <= STRETCH * self.reach:
            return self.warnings
        ends = f"The picture ends at a head distance of {self.reach:.2g}; beyond, neck and surroundings are stretched."
        return (*self.warnings, ends)


def analyse(portrait: Portrait, options: RenderOptions, device: torch.device) -> Analysis:
    """Find, choose, frame and fit the face. Raises InputError when there is none to work with."""
    from talkface.face.fit import fit_face
    from talkface.face.tracker import FaceTracker

    image, warnings = portrait.image, list(portrait.notes)
    tracker = FaceTracker.load(device)
    faces = tracker(image)
    if not faces:
        refuse_turned(image, tracker)
    face, notes = choose_face(faces, options.face)
    view = head_shot(image, face.landmarks, options.full)
    view, more_notes = whole_picture(view) if options.full else (close_up(view), [])
    fit = fit_face(view.landmarks, image_size=view.image.shape[:2])
    warnings += [*notes, *more_notes, *fit.warnings]
    if face.likeness < UNSURE_LIKENESS:
        warnings.append("The face is seen from the side, or is hardly a person's; one seen from the front looks right.")
    if face_detail(view.image, view.landmarks) < BLURRED_DETAIL:
        warnings.append("The face is blurred; a sharper picture gives a sharper video.")
    reach = min(view.image.shape[:2]) / view.crop.size
    return Analysis(view.image, fit, view.crop, tuple(warnings), _report(fit, face, len(faces)), reach)


def choose_face(faces: tuple[TrackedFace, ...], number: int) -> tuple[TrackedFace, list[str]]:
    """Face `number` (1 = the largest) and what to say about the choice. Raises InputError."""
    if not faces:
        raise InputError(
            "No face was found in the portrait.",
            "Use a picture in which one face is large, sharp and seen from the front.",
        )
    if number > len(faces):
        count = "one face" if len(faces) == 1 else f"{len(faces)} faces"
        raise InputError(f"The portrait shows {count}; there is no face {number}.", "Choose another --face.")
    if len(faces) > 1 and number == 1:
        return faces[0], [f"The portrait shows {len(faces)} faces; the largest speaks (choose another with --face)."]
    return faces[number - 1], []


def refuse_turned(image: np.ndarray, find: Callable[[np.ndarray], Sequence[TrackedFace]]) -> None:
    """Raise InputError when there is a face in the picture after all, upside down or on its side."""
    small = shrink(image, TURNED_SIDE_PX)
    for quarters, how in ((1, "on its side"), (3, "on its side"), (2, "upside down")):
        if find(np.ascontiguousarray(np.rot90(small, quarters))):
            raise InputError(f"The face in the portrait lies {how}.", "Turn the picture upright and save it again.")


def face_detail(image: np.ndarray, landmarks: np.ndarray) -> float:
    """How sharp the face of landmarks (478, 3) is: its fine contrast over its whole contrast, at a size of 128 pixels.

    Measured on 2,950 portraits: sharp ones .13-.7, the same blurred by 1 % of the face .06-.16, by 2 % .04-.1.
    """
    limit = (image.shape[1], image.shape[0])
    box = [tuple(np.clip(edge, 0, limit)) for edge in (landmarks[:, :2].min(0), landmarks[:, :2].max(0))]
    grey = Image.fromarray(image).convert("L")
    face = np.asarray(grey.resize(_DETAIL_SIZE, Image.Resampling.LANCZOS, (*box[0], *box[1])), np.float32)
    laplacian = 4 * face[1:-1, 1:-1] - face[:-2, 1:-1] - face[2:, 1:-1] - face[1:-1, :-2] - face[1:-1, 2:]
    return float(laplacian.std() / max(face.std(), 1e-3))


@dataclass(frozen=True)
class View:
    """A picture (H, W, 3) uint8, or a part of one, with landmarks (478, 3) and crop in its pixels."""

    image: np.ndarray
    landmarks: np.ndarray
    crop: Crop

    def cut(self, left: int, top: int, right: int, bottom: int) -> View:
        """The columns left to right and the rows top to bottom, the ends excluded."""
        crop = dataclasses.replace(self.crop, x0=self.crop.x0 - left, y0=self.crop.y0 - top)
        return View(self.image[top:bottom, left:right], self.landmarks - np.float32([left, top, 0]), crop)

    def shrink(self, scale: float) -> View:
        """The same at `scale` of its size; unchanged for 1 and more."""
        if scale >= 1:
            return self
        image = shrink(self.image, round(scale * max(self.image.shape[:2])))
        scale = max(image.shape[:2]) / max(self.image.shape[:2])
        landmarks = self.landmarks * np.float32(scale)
        landmarks[:, :2] += (scale - 1) / 2  # pixel 0 has its centre at 0
        x0, y0 = ((start + 0.5) * scale - 0.5 for start in (self.crop.x0, self.crop.y0))
        return View(image, landmarks, Crop(x0, y0, self.crop.size * scale))


def head_shot(image: np.ndarray, landmarks: np.ndarray, full: bool) -> View:
    """The head with `landmarks` (478, 3) in its square, which has no part in bars around the picture; they are cut off,
    but for `full`."""
    from talkface.face.bars import inner_box
    from talkface.face.framing import frame_head

    left, top, right, bottom = box = inner_box(image)
    corner = np.float32([left, top, 0])
    crop = frame_head(landmarks - corner, (bottom - top, right - left))
    if not full:  # there the neck needs the room more: below the crop the picture goes on, and stands still
        crop = room_for_hair(image[top:bottom, left:right], landmarks[:SURFACE_COUNT, :2] - corner[:2], crop)
    view = View(image, landmarks, dataclasses.replace(crop, x0=crop.x0 + left, y0=crop.y0 + top))
    return view if full else view.cut(*box)


def room_for_hair(image: np.ndarray, landmarks: np.ndarray, crop: Crop) -> Crop:
    """The crop of the face with `landmarks` (K, 2), moved up where its top is near the hair and the picture has room:
    hair at the border cannot nod."""
    from talkface.rendering.canvas import still_frame
    from talkface.rendering.view import hair_top

    low, high = landmarks.min(0), landmarks.max(0)
    highest = max(-0.5, crop.y0 - MOST_RAISED * crop.size)
    raised = dataclasses.replace(crop, y0=highest)
    scale = HAIR_SIDE_PX / crop.size
    shift = np.array([raised.x0, raised.y0])
    low_seen, high_seen = ((edge - shift) * scale for edge in (low, high))
    guess = low_seen[1] - 0.4 * (high_seen - low_seen)[1]
    hair = hair_top(still_frame(image, raised, HAIR_SIDE_PX), low_seen, high_seen, guess) / scale + raised.y0
    lowest_chin = high[1] + NECK_ROOM * (high - low)[1]
    y0 = max(hair - HAIR_ROOM * crop.size, highest, lowest_chin - crop.size)
    return dataclasses.replace(crop, y0=float(min(y0, crop.y0)))


def close_up(view: View) -> View:
    """The surroundings of the crop, at most WORKING_SIDE_PX large; a picture that is small enough stays as it is."""
    height, width = view.image.shape[:2]
    if max(height, width) <= WORKING_SIDE_PX:
        return view
    margin = _MARGIN * view.crop.size
    left, top = (max(0, int(start - margin)) for start in (view.crop.x0, view.crop.y0))
    right, bottom = (int(start + view.crop.size + margin) + 1 for start in (view.crop.x0, view.crop.y0))
    part = view.cut(left, top, min(right, width), min(bottom, height))
    return part.shrink(WORKING_SIDE_PX / max(part.image.shape[:2]))


def whole_picture(view: View) -> tuple[View, list[str]]:
    """The picture as large as a video and the memory can hold, its crop on whole pixels, and a note if it shrank."""
    from talkface.rendering.compose import native_crop

    scale = min(MAX_SIDE_PX / max(view.image.shape[:2]), MAX_CROP_PX / view.crop.size)
    small = view.shrink(scale)
    height, width = small.image.shape[:2]
    notes = [] if small is view else [f"The whole picture was reduced to {width}x{height} pixels, the most that fits."]
    return dataclasses.replace(small, crop=native_crop(small.crop, (height, width))), notes


def _report(fit: FaceFit, face: TrackedFace, count: int) -> dict[str, object]:
    return {
        "faces": count,
        "score": round(float(face.score), 3),
        "yaw_deg": round(fit.yaw_deg, 1),
        "pitch_deg": round(fit.pitch_deg, 1),
        "roll_deg": round(fit.roll_deg, 1),
        "interocular_px": round(fit.interocular_px, 1),
        "error_px": round(fit.error_px, 2),
    }
