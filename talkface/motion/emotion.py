"""Emotions as offsets on the face: named presets over the dynamics axes, after FACS.

Sources: Ekman & Friesen's action units for the basic emotions (happiness 6+12, sadness 1+4+15, surprise 1+2+5+26, fear
1+2+4+5+20+26, anger 4+5+7+23, disgust 9+15+16, contempt 12+14 on one side), written with ARKit's blendshapes.
"""

from __future__ import annotations

import numpy as np

from talkface.options import EMOTIONS
from talkface.space import DYNAMICS_AXES

_PRESETS: dict[str, dict[str, float]] = {
    "neutral": {},
    "happy": {"mouthSmile": 0.7, "cheekSquint": 0.55, "eyeSquint": 0.22, "mouthDimple": 0.12,
              "mouthUpperUp": 0.12, "browInnerUp": 0.08, "browOuterUp": 0.1},
    "sad": {"browInnerUp": 0.95, "browDown": 0.1, "mouthFrown": 0.9, "eyeBlink": 0.15, "eyeSquint": 0.05,
            "mouthShrugLower": 0.15, "mouthPress": 0.08},
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


def _preset_row(preset: dict[str, float]) -> list[float]:
    """A preset over the dynamics axes (K,); a name without a side stands for both."""
    return [
        preset.get(axis, preset.get(axis.removesuffix("Left").removesuffix("Right"), 0.0)) for axis in DYNAMICS_AXES
    ]


_TABLE = np.array([_preset_row(_PRESETS[name]) for name in EMOTIONS])


def emotion_offset(strengths: np.ndarray) -> np.ndarray:
    """Sum of the presets, each times its strength: (..., 8) in the order of `options.EMOTIONS` -> (..., K), 0-1."""
    return np.clip(strengths @ _TABLE, 0.0, 1.0)
