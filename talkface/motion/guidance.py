"""Which guesses a step of the motion model blends: classifier-free guidance by the voice and by an asked emotion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from talkface.motion.conditions import AXES, axis_names
from talkface.motion.mouth import OPENING_PER_UNIT, WIDTH_PER_UNIT
from talkface.motion.schedule import DIFFUSION_STEPS

WIDTH_GUIDANCE, OPENING_GUIDANCE = 0.6, 0.4
"""lambda_A of the lips (VASA-1, sec. 3.2, has .5 for everything): more opens them wider than tracked mouths follow."""

EMOTION_GUIDANCE = 0.15
"""How much an asked emotion is pressed. An asked gaze is put back exactly: guided too (lambda_g = 1), heads turned away
from it."""

TEACHER, REAL = "teacher", "grid_s1"
REAL_SHARE = 0.6
"""How much of the lips' opening and width is guessed as for tracked real lips; the rest, as the teacher's."""

OPENING = axis_names(*OPENING_PER_UNIT, *WIDTH_PER_UNIT, but="mouthSmile")
LIPS = OPENING + axis_names("mouthPress", "mouthRollLower", "mouthRollUpper")
"""What the voice determines, so that its mean is wanted; smiles and moods, head, gaze, lids and brows are drawn."""

HEAD_GUIDANCE = {"headPitch": 4.0, "headYaw": 1.0, "headRoll": 1.0}
"""lambda_A of the head: so guided, its nods follow the stresses of the voice as closely as those it learned from."""

HEAD_DECIDED = DIFFUSION_STEPS // 2 - 1
"""Step below which the course of a head is decided, so that the voice need not guide it any more."""


@dataclass(frozen=True)
class Pass:
    """One of the guesses that a step blends: the kind of recording imitated, the condition left out, and its weight
    (N, M) in each of N sequences, per axis."""

    source: str
    without: str | None
    weight: np.ndarray


Plan = Callable[[np.ndarray], list[Pass]]
"""Emotions (N, 8), each held throughout one of N sequences -> the guesses that are blended for these."""


def course_passes(emotions: np.ndarray, *, nodding: bool) -> list[Pass]:
    """The guesses of a step on the way from noise to motion, guided by an asked emotion, and as long as the head's
    course is open (`nodding`) by the voice."""
    head = np.array([HEAD_GUIDANCE.get(name, 0.0) for name in AXES], np.float32)
    return _guidance(({"audio": head} if nodding else {}) | _by_emotion(emotions), len(emotions))


def lip_passes(emotions: np.ndarray) -> list[Pass]:
    """The guesses whose blend is the mean of the lips, guided by the voice and by an asked emotion."""
    opens = np.isin(AXES, axis_names(*OPENING_PER_UNIT))
    audio = np.where(opens, OPENING_GUIDANCE, WIDTH_GUIDANCE).astype(np.float32)
    first, *others = _guidance({"audio": audio} | _by_emotion(emotions), len(emotions))
    calm = 1 - emotions[:, 1:].max(1, keepdims=True).astype(np.float64)  # the real lips were read without any emotion
    real = (REAL_SHARE * calm * np.isin(AXES, OPENING)).astype(np.float32)
    return [replace(first, weight=first.weight - real), Pass(REAL, None, real), *others]


def _by_emotion(emotions: np.ndarray) -> dict[str, np.ndarray]:
    """How much each sequence is guided by its emotion; nothing where none is asked of any."""
    asked = emotions.any(1, keepdims=True)
    return {"emotion": np.float32(EMOTION_GUIDANCE) * asked} if asked.any() else {}


def _guidance(strengths: dict[str, np.ndarray], count: int) -> list[Pass]:
    """Classifier-free guidance of `count` sequences, its strengths (M,) or (count, 1): everything known, less the guess
    without each."""
    every = np.ones((count, len(AXES)), np.float32)
    return [
        Pass(TEACHER, None, (1 + sum(strengths.values())) * every),
        *(Pass(TEACHER, name, -strength * every) for name, strength in strengths.items()),
    ]
