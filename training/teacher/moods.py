"""How an emotion changes the bearing, and how it is laid over lips and lids that have to close all the same."""

from __future__ import annotations

import numpy as np

from talkface.motion.mouth import PRESSED, measure
from talkface.options import EMOTIONS
from talkface.space import DYNAMICS_AXES
from training.teacher.life import Style

_STYLES: dict[str, Style] = {
    "neutral": Style(),
    "happy": Style(head=1.15, pace=1.15, pitch_deg=1.0, brow=1.2, warmth=1.3, lids=0.7),
    "sad": Style(head=0.65, pace=0.7, pitch_deg=-3.0, gaze_pitch_deg=-3.0, blink=0.85, brow=0.6, warmth=0.1, lids=0.8),
    "angry": Style(head=1.1, pace=1.25, pitch_deg=-2.0, gaze_pitch_deg=1.0, blink=0.8, brow=0.4, warmth=0.0, lids=0.6),
    "surprised": Style(head=1.1, pace=1.1, pitch_deg=1.5, blink=0.8, brow=0.6, warmth=0.5, lids=0.2),
    "afraid": Style(head=0.8, pace=1.35, pitch_deg=0.5, blink=1.3, brow=0.6, warmth=0.0, lids=0.2),
    "disgusted": Style(head=0.95, pace=0.9, pitch_deg=1.0, blink=1.1, brow=0.5, warmth=0.0, lids=0.8),
    "contempt": Style(head=0.85, pace=0.85, pitch_deg=2.0, gaze_pitch_deg=-2.0, brow=0.7, warmth=0.3),
}

_SCALES = ("head", "pace", "blink", "brow", "warmth", "lids")
_RESTS = ("pitch_deg", "gaze_pitch_deg")

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


def emotion_style(strengths: np.ndarray) -> Style:
    """How emotions of these strengths (8,) change the bearing, each in proportion: scales multiply, rests add up."""
    styles = [(_STYLES[name], strength) for name, strength in zip(EMOTIONS, strengths.tolist(), strict=True)]
    scale = {key: np.prod([1 + strength * (getattr(style, key) - 1) for style, strength in styles]) for key in _SCALES}
    rest = {key: sum(getattr(style, key) * strength for style, strength in styles) for key in _RESTS}
    least = {"warmth": 0.0, "lids": 0.0}
    return Style(**{key: float(np.clip(value, least.get(key, 0.5), 1.6)) for key, value in scale.items()}, **rest)


def add_emotion(dynamics: np.ndarray, offset: np.ndarray, onset: np.ndarray) -> np.ndarray:
    """Lay an emotion over moving lips and lids so that p, b, m and blinks still close.

    Args:
        dynamics: (T, K) articulation, where jawOpen = mouthClose is a closed mouth.
        offset: (T, K) or (K,) from `talkface.motion.emotion.emotion_offset`.
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
