"""The CSV of Epic's Live Link Face app: ARKit's 52 blendshapes and the turns of head and eyes, frame by frame.

Columns, order, timecode and units are those of recordings made by the app (iOS, ARKit), and what Unreal's own importer
expects; Left and Right are the character's.

- Timecode `HH:MM:SS:FF.mmm` counts frames of 1/60 s, or of 1/30 s where no frame number goes beyond 30: nothing else in
  the file tells, so other frame rates cannot be said;
- blendshapes 0-1; `EyeLookDown`, `In` and `Out` reach 1 at 35 degrees, `EyeLookUp` at 25.5 (measured in recordings,
  where they are proportional to the eyes' angles);
- angles in radians: +yaw towards the character's right, +pitch down, +roll towards the character's left shoulder. That
  is the sign of `talkface.pose` for roll and its opposite for yaw and pitch.

Shift and distance of the head have no column and are lost.
"""

from __future__ import annotations

import numpy as np

from talkface.space import ANGLE_AXES, DYNAMICS_AXES, GAZE_AXES, MotionSpace

RATES = (30, 60)
LOOK_DEG, LOOK_UP_DEG = 35.0, 25.5
_EYE = ("EyeBlink", "EyeLookDown", "EyeLookIn", "EyeLookOut", "EyeLookUp", "EyeSquint", "EyeWide")
SHAPES = (
    *(f"{name}Left" for name in _EYE), *(f"{name}Right" for name in _EYE),
    "JawForward", "JawRight", "JawLeft", "JawOpen",
    "MouthClose", "MouthFunnel", "MouthPucker", "MouthRight", "MouthLeft",
    "MouthSmileLeft", "MouthSmileRight", "MouthFrownLeft", "MouthFrownRight",
    "MouthDimpleLeft", "MouthDimpleRight", "MouthStretchLeft", "MouthStretchRight",
    "MouthRollLower", "MouthRollUpper", "MouthShrugLower", "MouthShrugUpper",
    "MouthPressLeft", "MouthPressRight", "MouthLowerDownLeft", "MouthLowerDownRight",
    "MouthUpperUpLeft", "MouthUpperUpRight",
    "BrowDownLeft", "BrowDownRight", "BrowInnerUp", "BrowOuterUpLeft", "BrowOuterUpRight",
    "CheekPuff", "CheekSquintLeft", "CheekSquintRight", "NoseSneerLeft", "NoseSneerRight", "TongueOut",
)  # fmt: skip
ANGLES = tuple(f"{part}{turn}" for part in ("Head", "LeftEye", "RightEye") for turn in ("Yaw", "Pitch", "Roll"))
HEADER = ("Timecode", "BlendShapeCount", *SHAPES, *ANGLES)
_SIGNS = np.array([-1, -1, 1])
_HEAD = MotionSpace.columns(*ANGLE_AXES)
_LOOKS = tuple(f"{way}{side}" for way in ("In", "Out", "Up", "Down") for side in ("Left", "Right"))
_DYNAMICS = {name[0].upper() + name[1:]: MotionSpace.index(name) for name in DYNAMICS_AXES}


def to_rows(values: np.ndarray) -> np.ndarray:
    """Motion (T, D) as shapes and angles (T, 61), in the order of the columns after BlendShapeCount."""
    made = {name: values[:, column] for name, column in _DYNAMICS.items()}
    yaw, pitch = values[:, MotionSpace.gaze].astype(np.float64).T
    for side, outwards in (("Left", yaw), ("Right", -yaw)):
        made[f"EyeLookOut{side}"] = outwards / LOOK_DEG
        made[f"EyeLookIn{side}"] = -outwards / LOOK_DEG
        made[f"EyeLookUp{side}"] = pitch / LOOK_UP_DEG
        made[f"EyeLookDown{side}"] = -pitch / LOOK_DEG
    shapes = np.clip(np.stack([made[name] for name in SHAPES], 1), 0, 1)
    eye = np.stack([yaw, pitch, np.zeros_like(yaw)], 1)
    angles = np.concatenate([np.radians(turn * _SIGNS) for turn in (values[:, _HEAD], eye, eye)], 1)
    return np.concatenate([shapes, angles], 1)


def from_columns(columns: dict[str, np.ndarray]) -> np.ndarray:
    """Motion (T, D) from columns (T,) by name; missing ones are at rest.

    Head and gaze are taken relative to the first frame, as all motion is relative to the portrait: where a phone stood
    says nothing about the portrait.
    """
    frames = len(next(iter(columns.values())))
    none = np.zeros(frames)
    values = np.zeros((frames, MotionSpace.size))
    for name, column in _DYNAMICS.items():
        values[:, column] = columns.get(name, none)
    look = {name: columns.get(f"EyeLook{name}", none) for name in _LOOKS}
    yaw = (look["OutLeft"] - look["InLeft"] + look["InRight"] - look["OutRight"]) / 2 * LOOK_DEG
    up, down = (look[f"{way}Left"] + look[f"{way}Right"] for way in ("Up", "Down"))
    values[:, MotionSpace.columns(*GAZE_AXES)] = np.stack([yaw, (up * LOOK_UP_DEG - down * LOOK_DEG) / 2], 1)
    head = np.stack([columns.get(f"Head{turn}", none) for turn in ("Yaw", "Pitch", "Roll")], 1)
    values[:, _HEAD] = np.degrees(head) * _SIGNS
    relative = [*_HEAD, *MotionSpace.columns(*GAZE_AXES)]
    values[:, relative] -= values[0, relative]
    values[:, MotionSpace.index("headDistance")] = 1
    values[:, MotionSpace.speaking] = 1
    return values


def timecode(frame: int, fps: int) -> str:
    """Timecode of a frame at 30 or 60 frames a second, from zero on."""
    seconds, frames = divmod(frame, fps)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}:{frames:02d}.000"


def seconds_of(timecodes: list[str]) -> np.ndarray:
    """Times (T,) in seconds since the first of these timecodes, also past midnight. Raises ValueError."""
    parts = np.array([[float(part) for part in code.split(":")] for code in timecodes])
    if parts.ndim != 2 or parts.shape[1] != 4:
        raise ValueError("a timecode is HH:MM:SS:FF.mmm")
    base = RATES[1] if parts[:, 3].max() > RATES[0] else RATES[0]
    times_s = parts @ np.array([3600, 60, 1, 1 / base])
    return np.unwrap(times_s - times_s[0], period=86_400)
