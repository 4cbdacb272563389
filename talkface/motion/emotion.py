"""Emotions as offsets on the face: named presets over the dynamics axes, after FACS, and how each changes the bearing.

Sources: Ekman & Friesen's action units for the basic emotions (happiness 6+12, sadness 1+4+15, surprise 1+2+5+26, fear
1+2+4+5+20+26, anger 4+5+7+23, disgust 9+15+16, contempt 12+14 on one side), written with ARKit's blendshapes.
"""

from __future__ import annotations

import numpy as np

from talkface.motion.articulation import PRESSED, measure
from talkface.motion.life import Style
from talkface.options import EMOTIONS
from talkface.space import DYNAMICS_AXES

_PRESETS: dict[str, dict[str, float]] = {
    "neutral": {},
    "happy": {"mouthSmile": 0.7, "cheekSquint": 0.55, "eyeSquint": 0.22, "mouthDimple": 0.12,
              "mouthUpperUp": 0.12, "browInnerUp": 0.08, "browOuterUp": 0.1},
    "sad": {"browInnerUp": 0.65, "browDown": 0.18, "mouthFrown": 0.75, "eyeBlink": 0.18, "eyeSquint": 0.1,
            "mouthShrugLower": 0.08, "mouthPress": 0.08},
    "angry": {"browDown": 0.85, "eyeSquint": 0.3, "eyeWide": 0.25, "noseSneer": 0.3, "mouthPress": 0.25,
              "mouthFrown": 0.22, "mouthShrugLower": 0.12, "mouthRollLower": 0.1, "jawForward": 0.12},
    "surprised": {"browInnerUp": 0.65, "browOuterUp": 0.6, "eyeWide": 0.5, "jawOpen": 0.14, "mouthFunnel": 0.06},
    "afraid": {"browInnerUp": 0.65, "browOuterUp": 0.3, "browDown": 0.2, "eyeWide": 0.45, "mouthStretch": 0.45,
               "jawOpen": 0.05, "mouthFrown": 0.15},
    "disgusted": {"noseSneer": 0.7, "browDown": 0.5, "eyeSquint": 0.35, "cheekSquint": 0.3, "mouthUpperUp": 0.18,
                  "mouthFrown": 0.3, "mouthShrugLower": 0.35},
    "contempt": {"mouthSmileLeft": 0.42, "mouthDimpleLeft": 0.5, "cheekSquintLeft": 0.25, "noseSneerLeft": 0.12,
                 "eyeSquint": 0.2, "browOuterUpRight": 0.2, "mouthPressLeft": 0.2, "eyeBlink": 0.05},
}  # fmt: skip

_STYLES: dict[str, Style] = {
    "neutral": Style(),
    "happy": Style(head=1.15, pace=1.15, pitch_deg=1.0, brow=1.2),
    "sad": Style(head=0.65, pace=0.7, pitch_deg=-3.0, gaze_pitch_deg=-3.0, blink=0.85, brow=0.6),
    "angry": Style(head=1.1, pace=1.25, pitch_deg=-2.0, gaze_pitch_deg=1.0, blink=0.8, brow=0.4),
    "surprised": Style(head=1.1, pace=1.1, pitch_deg=1.5, blink=0.8, brow=0.6),
    "afraid": Style(head=0.8, pace=1.35, pitch_deg=0.5, blink=1.3, brow=0.6),
    "disgusted": Style(head=0.95, pace=0.9, pitch_deg=1.0, blink=1.1, brow=0.5),
    "contempt": Style(head=0.85, pace=0.85, pitch_deg=2.0, gaze_pitch_deg=-2.0, brow=0.7),
}

_SCALES = ("head", "pace", "blink", "brow")
_RESTS = ("pitch_deg", "gaze_pitch_deg")


def _preset_row(preset: dict[str, float]) -> list[float]:
    """A preset over the dynamics axes (K,); a name without a side stands for both."""
    return [
        preset.get(axis, preset.get(axis.removesuffix("Left").removesuffix("Right"), 0.0)) for axis in DYNAMICS_AXES
    ]


_TABLE = np.array([_preset_row(_PRESETS[name]) for name in EMOTIONS])

_OPENING = (
    "jawOpen",
    "mouthFunnel",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
)
"""Axes that part the lips; an emotion may not use them while the voice needs the lips closed."""

_STRETCHING = {"mouthSmile": 0.5, "mouthStretch": 0.5, "noseSneer": 0.4}
"""Axes that make closing harder, and the share of them that stays on p, b and m."""

_CLOSING = {"mouthShrugLower": 0.65, "mouthPressLeft": 0.3, "mouthPressRight": 0.3,
            "mouthRollUpper": 0.15, "mouthRollLower": 0.15}  # fmt: skip
"""What brings the lips together against a full smile or a wrinkled nose."""

_AT_REST = 0.6
"""How much of this closed lips need while they are not pressed for p, b or m."""

_LID_AXES = ("eyeWide", "eyeSquint", "cheekSquint")
"""Axes that move the lids: they give way to a blink, so that it closes exactly."""

_YIELDING = (0.03, 0.13)
"""Lip openings, in inter-ocular distances, at which an emotion yields to the articulation wholly and not at all."""


def emotion_offset(strengths: np.ndarray) -> np.ndarray:
    """Sum of the presets, each times its strength: (..., 8) in the order of `options.EMOTIONS` -> (..., K), 0-1."""
    return np.clip(strengths @ _TABLE, 0.0, 1.0)


def emotion_style(strengths: np.ndarray) -> Style:
    """How emotions of these strengths (8,) change the bearing: scales multiply, rests add up, each by its strength."""
    styles = [(_STYLES[name], strength) for name, strength in zip(EMOTIONS, strengths.tolist(), strict=True)]
    scale = {key: np.prod([getattr(style, key) ** strength for style, strength in styles]) for key in _SCALES}
    rest = {key: sum(getattr(style, key) * strength for style, strength in styles) for key in _RESTS}
    return Style(**{key: float(np.clip(value, 0.5, 1.6)) for key, value in scale.items()}, **rest)


def add_emotion(dynamics: np.ndarray, offset: np.ndarray, onset: np.ndarray) -> np.ndarray:
    """Lay an emotion over moving lips and lids so that p, b, m and blinks still close.

    Args:
        dynamics: (T, K) articulation, where jawOpen = mouthClose is a closed mouth.
        offset: (T, K) or (K,) from `emotion_offset`.
        onset: (T,) 0-1, how far the emotion has come.

    Returns:
        (T, K) sum, within 0-1.
    """
    if not offset.any():
        return dynamics
    column = DYNAMICS_AXES.index
    closed, open_enough = _YIELDING
    freedom = np.clip((measure(dynamics)[0] - closed) / (open_enough - closed), 0.0, 1.0)
    share = np.ones_like(dynamics)
    share[:, [column(axis) for axis in _OPENING]] = freedom[:, None]
    pressed = np.clip(dynamics[:, column("mouthPressLeft")] / PRESSED, 0.0, 1.0)
    yielding = (1 - freedom) * (_AT_REST + (1 - _AT_REST) * pressed)
    for axis, kept in _STRETCHING.items():
        share[:, [column(axis + "Left"), column(axis + "Right")]] = (1 - (1 - kept) * yielding)[:, None]
    smile, sneer = offset[..., column("mouthSmileLeft")], offset[..., column("noseSneerLeft")]
    effort = np.maximum(smile, 0.6 * sneer) * yielding
    closing = np.zeros_like(share)
    for axis, size in _CLOSING.items():
        closing[:, column(axis)] = size * effort
    for side in ("Left", "Right"):
        awake = 1 - dynamics[:, column("eyeBlink" + side)]
        for axis in _LID_AXES:
            share[:, column(axis + side)] = awake
    return np.clip(dynamics + onset[:, None] * (share * offset + closing), 0.0, 1.0)
