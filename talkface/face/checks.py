"""What a person should know about a portrait before it speaks: refusals and warnings, from its landmarks."""

from __future__ import annotations

import numpy as np

from talkface import landmarks as marks_of
from talkface.errors import InputError

MIN_FACE_PX, GOOD_FACE_PX = 64, 128
MAX_YAW_DEG, GOOD_YAW_DEG = 48.0, 35.0  # trackers see a profile as 48 degrees and more
CLOSED_EYE = 0.12  # lid opening / eye width
WIDE_MOUTH = 0.3  # lip opening / inter-ocular distance
POOR_FIT = 0.05  # rms error / inter-ocular distance
EYE_CORNERS = (marks_of.RIGHT_EYE_CORNERS, marks_of.LEFT_EYE_CORNERS)
LID_PAIRS = ((159, 145, *marks_of.RIGHT_EYE_CORNERS), (386, 374, *marks_of.LEFT_EYE_CORNERS))  # upper, lower, corners
LIP_MIDDLE = (13, 14)


def interocular(landmarks: np.ndarray) -> float:
    """Distance between the middles of the eye corners of landmarks (478, 2+), in their unit."""
    right, left = (landmarks[list(pair), :2].mean(0) for pair in EYE_CORNERS)
    return float(np.linalg.norm(left - right))


def face_size_px(landmarks: np.ndarray) -> float:
    """The larger side, in pixels, of the box around a face's landmarks (478, 2+)."""
    return float(np.ptp(landmarks[: marks_of.SURFACE_COUNT, :2], axis=0).max())


def refuse_small(landmarks: np.ndarray) -> None:
    """Raise InputError when the face is too small to be animated."""
    size = face_size_px(landmarks)
    if size < MIN_FACE_PX:
        raise InputError(
            f"The face is only {size:.0f} pixels large; at least {MIN_FACE_PX} are needed.",
            "Use a larger picture, or a closer view of the face.",
        )


def refuse_profile(yaw_deg: float) -> None:
    """Raise InputError when the face is seen from the side."""
    if abs(yaw_deg) > MAX_YAW_DEG:
        raise InputError(
            f"The face is seen in profile ({abs(yaw_deg):.0f} degrees; up to {GOOD_YAW_DEG:.0f} look right).",
            "Use a picture in which both eyes are well visible.",
        )


def warnings(landmarks: np.ndarray, yaw_deg: float, error: float) -> tuple[str, ...]:
    """One sentence for each weakness of the portrait; `error` is the fit's rms error / inter-ocular distance."""
    found = []
    size = face_size_px(landmarks)
    if size < GOOD_FACE_PX:
        found.append(f"The face is small ({size:.0f} pixels); {GOOD_FACE_PX} or more look better.")
    if abs(yaw_deg) > GOOD_YAW_DEG:
        found.append(f"The face is turned by {abs(yaw_deg):.0f} degrees; up to {GOOD_YAW_DEG:.0f} look right.")
    if max(lid_opening(landmarks)) < CLOSED_EYE:
        found.append("The eyes are closed and stay closed in the video; a picture with open eyes looks more alive.")
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
