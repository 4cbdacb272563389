"""The motion vector: every axis has a name, a unit and a place, and this module alone knows the place.

A motion vector (D,) describes one frame *relative to the portrait*: all zeros (head distance 1) is the portrait.

- pose: head rotation in degrees (conventions in `talkface.pose`), shift in inter-ocular distances (x right, y down),
  and head distance as a ratio (1 = as in the portrait, 2 = twice as far, so half as large);
- gaze: rotation of both eyes in their sockets in degrees from where the portrait looks, +yaw to the image's right,
  +pitch up;
- speaking: 0-1, how far the mouth axes replace the portrait's own mouth. At 0 the lips are the portrait's plus the
  axes; at 1 the axes are absolute, so that all zeros closes the lips of a portrait with an open mouth;
- dynamics: activations 0-1 of blendshapes under ARKit's names (Left and Right are the subject's). As in ARKit,
  `mouthClose` brings the lips together over an open jaw: jawOpen = mouthClose is a closed mouth.
"""

from __future__ import annotations

ANGLE_AXES = ("headYaw", "headPitch", "headRoll")
POSE_AXES = (*ANGLE_AXES, "headX", "headY", "headDistance")
GAZE_AXES = ("gazeYaw", "gazePitch")
EYE_AXES = ("eyeBlinkLeft", "eyeBlinkRight", "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight")
MOUTH_AXES = (
    "jawForward", "jawLeft", "jawRight", "jawOpen",
    "mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight",
    "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    "mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight",
    "mouthUpperUpLeft", "mouthUpperUpRight", "tongueOut",
)  # fmt: skip
UPPER_AXES = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight",
)  # fmt: skip
DYNAMICS_AXES = EYE_AXES + MOUTH_AXES + UPPER_AXES


UNITS = {
    **dict.fromkeys((*ANGLE_AXES, *GAZE_AXES), "deg"),
    **dict.fromkeys(("headX", "headY"), "iod"),
    "headDistance": "ratio",
}
"""Units of the axes, iod = inter-ocular distances; the others are activations 0-1."""

LARGEST_TURN_DEG = (17.0, 12.0, 12.0)
LARGEST_GAZE_DEG = (50.0, 36.0)
"""How far the head (yaw, pitch, roll) and the eyes (yaw, pitch) can be drawn turned from the portrait's, both ways."""


class MotionSpace:
    """Names and places of the axes of a motion vector (D,)."""

    names: tuple[str, ...] = (*POSE_AXES, *GAZE_AXES, "speaking", *DYNAMICS_AXES)
    size: int = len(names)
    _start = len(POSE_AXES)
    pose = slice(0, _start)
    gaze = slice(_start, _start + len(GAZE_AXES))
    speaking: int = _start + len(GAZE_AXES)
    dynamics = slice(speaking + 1, size)

    @classmethod
    def index(cls, name: str) -> int:
        """Column of the axis called `name`; KeyError names the axis when there is none."""
        try:
            return cls.names.index(name)
        except ValueError:
            raise KeyError(f"no motion axis is called {name!r}") from None

    @classmethod
    def columns(cls, *names: str) -> list[int]:
        """Columns of several axes, in the order asked."""
        return [cls.index(name) for name in names]
