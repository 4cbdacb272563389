"""What a person should know about a portrait before it speaks: refusals and warnings, from landmarks and pixels."""

from __future__ import annotations

import numpy as np
from PIL import Image

from talkface import landmarks as marks_of
from talkface.errors import InputError

MIN_FACE_PX, GOOD_FACE_PX = 64, 128
MAX_YAW_DEG, GOOD_YAW_DEG = 60.0, 35.0
CLOSED_EYE = 0.12  # lid opening / eye width
WIDE_MOUTH = 0.3  # lip opening / inter-ocular distance
POOR_FIT = 0.08  # rms error / inter-ocular distance
BLURRED = 0.58  # `blur` of a picture that looks out of focus (sharp photographs: .3-.5)
BLUR_FACE_PX = 110  # the size of a face at which blur is measured
_BLUR_TAPS = 9
EYE_CORNERS = ((33, 133), (362, 263))
LID_PAIRS = ((159, 145, 33, 133), (386, 374, 362, 263))  # upper, lower, corners
LIP_MIDDLE = (13, 14)


def interocular(landmarks: np.ndarray) -> float:
    """Distance between the middles of the eye corners of landmarks (478, 2+), in their unit."""
    right, left = (landmarks[list(pair), :2].mean(0) for pair in EYE_CORNERS)
    return float(np.linalg.norm(left - right))


def face_width_px(landmarks: np.ndarray) -> float:
    """The face's size (478, 2+) in pixels: the larger side of the landmarks' box."""
    return float(np.ptp(landmarks[: marks_of.SURFACE_COUNT, :2], axis=0).max())


def refuse_small(landmarks: np.ndarray) -> None:
    """Raise InputError when the face is too small to be animated."""
    width = face_width_px(landmarks)
    if width < MIN_FACE_PX:
        raise InputError(
            f"The face is only {width:.0f} pixels large; at least {MIN_FACE_PX} are needed.",
            "Use a larger picture, or a closer view of the face.",
        )


def refuse_profile(yaw_deg: float) -> None:
    """Raise InputError when the face is seen from the side."""
    if abs(yaw_deg) > MAX_YAW_DEG:
        raise InputError(
            f"The face is seen in profile (turned by {abs(yaw_deg):.0f} degrees; up to {MAX_YAW_DEG:.0f} can be used).",
            "Use a picture in which both eyes are well visible.",
        )


def warnings(landmarks: np.ndarray, yaw_deg: float, error: float) -> tuple[str, ...]:
    """One sentence for each weakness of the portrait; `error` is the fit's rms error / inter-ocular distance."""
    found = []
    width = face_width_px(landmarks)
    if width < GOOD_FACE_PX:
        found.append(f"The face is small ({width:.0f} pixels); {GOOD_FACE_PX} or more look better.")
    if abs(yaw_deg) > GOOD_YAW_DEG:
        found.append(f"The face is turned by {abs(yaw_deg):.0f} degrees; up to {GOOD_YAW_DEG:.0f} look right.")
    if max(lid_opening(landmarks)) < CLOSED_EYE:
        found.append("The eyes are closed; open eyes in the video will be invented.")
    if lip_opening(landmarks) > WIDE_MOUTH:
        found.append("The mouth is wide open; a calm, closed mouth gives better results.")
    if error > POOR_FIT:
        found.append("The face is unusual or partly hidden, so its shape is only roughly known.")
    return tuple(found)


def lid_opening(landmarks: np.ndarray) -> tuple[float, float]:
    """Opening of the subject's right and left eye / its width, from landmarks (478, 2+)."""
    openings = []
    for upper, lower, first, last in LID_PAIRS:
        along = landmarks[last, :2] - landmarks[first, :2]
        gap = landmarks[lower, :2] - landmarks[upper, :2]
        across = gap[1] * along[0] - gap[0] * along[1]  # lids also slide sideways, which is no opening
        openings.append(float(max(across, 0.0) / max(along @ along, 1e-6)))
    return openings[0], openings[1]


def lip_opening(landmarks: np.ndarray) -> float:
    """Distance between the inner lip edges / inter-ocular distance, from landmarks (478, 2+)."""
    upper, lower = LIP_MIDDLE
    return float(np.linalg.norm(landmarks[upper, :2] - landmarks[lower, :2]) / max(interocular(landmarks), 1e-6))


def blur_warnings(image: np.ndarray, landmarks: np.ndarray) -> tuple[str, ...]:
    """The warning for a face that is out of focus, if it is; `image` (H, W, 3) uint8."""
    if blur(image, landmarks) < BLURRED:
        return ()
    return ("The face is blurred; a sharper picture gives a sharper video.",)


def blur(image: np.ndarray, landmarks: np.ndarray) -> float:
    """How blurred the face is, 0-1: the share of its detail that survives another blur.

    Crete et al., "The blur effect: perception and estimation with a new no-reference perceptual blur metric" (2007), on
    the face alone, reduced to BLUR_FACE_PX; `image` (H, W, 3) uint8, landmarks (478, 2+) in its pixels.
    """
    face = landmarks[: marks_of.SURFACE_COUNT, :2]
    limit = np.array([image.shape[1], image.shape[0]], float)
    low, high = (np.clip(edge + 0.5, 0.0, limit) for edge in (face.min(0), face.max(0)))
    if (high - low).min() < _BLUR_TAPS:
        return 1.0
    size = np.maximum((high - low) * min(1.0, BLUR_FACE_PX / (high - low).max()), 2 * _BLUR_TAPS).round().astype(int)
    grey = Image.fromarray(image).convert("L").resize(tuple(size), Image.Resampling.LANCZOS, box=(*low, *high))
    plane = np.asarray(grey, np.float64)
    return max(_blur_along_rows(plane), _blur_along_rows(plane.T))


def _blur_along_rows(plane: np.ndarray) -> float:
    blurred = np.lib.stride_tricks.sliding_window_view(plane, _BLUR_TAPS, axis=1).mean(-1)
    detail = np.abs(np.diff(plane[:, _BLUR_TAPS // 2 : -(_BLUR_TAPS // 2)], axis=1))
    lost = np.maximum(detail - np.abs(np.diff(blurred, axis=1)), 0.0)
    return float(1.0 - lost.sum() / max(detail.sum(), 1e-9))
