"""Speech features -> mouth: coarticulated targets, as blendshape curves.

1. Every phone asks for a mouth shape (`visemes`), weighted by its posterior and its insistence, and spread in time by
   the channel's dominance kernel: Cohen and Massaro's coarticulation (1993), in expectation over the phones heard.
2. Loudness widens the opening within bounds; silence closes it.
3. Contacts, which the eye checks most (lips closed, lower lip under the teeth), override the rest when due.
4. The channels become axes of `space.DYNAMICS_AXES`: jaw and lips share the opening as in JALI (Edwards et al. 2016).

Openings and widths are those of `talkface.motion.mouth`. `WIDE_OPENING` and `WIDE_WIDTH` scale the channels, so that
95 % of a speech stays below about .35, as on real and on VASA-1's mouths; `WIDEST` is the channel's soft upper bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from talkface.motion.curves import reaching_kernel, runs, smooth
from talkface.motion.mouth import JAW_RISES, OPENING_PER_UNIT, PRESSED, WIDTH_PER_UNIT
from talkface.motion.voice import (
    CONTACTS,
    contact_curve,
    expectation,
    sample,
    silence_of,
    speaking_curve,
)
from talkface.space import DYNAMICS_AXES
from talkface.types import FEATURE_RATE_HZ, SpeechFeatures
from training.teacher.visemes import CHANNELS, tables

WIDE_OPENING = 0.59
WIDEST = 1.1
WIDE_WIDTH = 0.4
NARROWING_UNDONE = 0.5
MOST_PUCKER = 0.95

KERNEL_MS = {
    "opening": (50, 40),
    "spread": (75, 60),
    "funnel": (80, 60),
    "teeth": (60, 50),
}
SMOOTH_MS = 16.0
PAUSE_MS = 350.0


@dataclass(frozen=True)
class Articulation:
    """The speaking mouth.

    Attributes:
        dynamics: (T, K) float32 in the axes of `space.DYNAMICS_AXES`; only mouth axes are non-zero.
        speaking: (T,) float32 0-1, how far these axes replace the portrait's own mouth.
    """

    dynamics: np.ndarray
    speaking: np.ndarray


def articulate(features: SpeechFeatures, fps: float, duration_s: float) -> Articulation:
    """The mouth over round(duration_s * fps) frames (at least one), frame t at t / fps seconds."""
    count = max(1, round(duration_s * fps))
    if features.is_silent:
        return Articulation(np.zeros((count, len(DYNAMICS_AXES)), np.float32), np.zeros(count, np.float32))
    channels = mouth_channels(features)
    talking = speaking_curve(features)
    times_s = np.arange(count) / fps
    at_frames = {name: sample(curve, times_s) for name, curve in channels.items()}
    return Articulation(axes_of(at_frames), sample(talking, times_s).astype(np.float32))


def mouth_channels(features: SpeechFeatures) -> dict[str, np.ndarray]:
    """Curves (T,) at `FEATURE_RATE_HZ` of every channel of `visemes.CHANNELS`, on the clock of the features."""
    targets, dominance = tables(features.phone_names)
    weights = expectation(features.phones, dominance)
    wishes = expectation(features.phones, dominance * targets)
    curves = {}
    for column, name in enumerate(CHANNELS):
        kernel = reaching_kernel(*KERNEL_MS[name])
        curves[name] = smooth(wishes[:, column], kernel) / np.maximum(smooth(weights[:, column], kernel), 1e-6)
    silence = silence_of(features)
    louder = curves["opening"] * loudness_gain(features.level_db, silence)
    curves["opening"] = WIDEST * np.tanh(louder / WIDEST)
    curves |= {name: contact_curve(features.phones, features.phone_names, name) for name in CONTACTS}
    awake, final = 1 - pause_curve(silence), reaching_kernel(SMOOTH_MS, SMOOTH_MS)
    return {name: smooth(curve * awake, final) for name, curve in curves.items()}


def pause_curve(silence: np.ndarray) -> np.ndarray:
    """(T,) 0-1: 1 in pauses of at least `PAUSE_MS`, with soft edges inside the pause."""
    quiet = smooth(silence, reaching_kernel(30, 30)) > 0.5
    rest = np.zeros(len(quiet))
    for start, stop in runs(quiet):
        at_edge = start == 0 or stop == len(quiet)
        if at_edge or (stop - start) * 1000 / FEATURE_RATE_HZ >= PAUSE_MS:
            rest[start:stop] = 1
    rest = np.minimum(rest, smooth(rest, np.ones(5) / 5))
    return smooth(rest, reaching_kernel(40, 40))


def loudness_gain(level_db: np.ndarray, silence: np.ndarray) -> np.ndarray:
    """Factor (T,) .55-1.25 on the opening from the loudness of the syllable."""
    voice_db = np.where(silence > 0.5, -40.0, np.clip(level_db, -40, 6)).astype(np.float64)
    power = smooth(10 ** (voice_db / 10), reaching_kernel(70, 70))
    return np.clip(1 + 0.035 * (10 * np.log10(power + 1e-6) + 7), 0.55, 1.25)


def axes_of(channels: dict[str, np.ndarray]) -> np.ndarray:
    """Blendshapes (T, K) that make the channels (T,): jaw and lips share the opening, closure joins the lips."""
    opening, close, tuck = (np.clip(channels[name], 0, 1.4) for name in ("opening", "close", "tuck"))
    funnel, teeth = np.clip(channels["funnel"], 0, 1), np.clip(channels["teeth"], 0, 1)
    free = (1 - close) * (1 - 0.8 * tuck)
    axes = {
        "mouthFunnel": 0.45 * funnel * free,
        "mouthLowerDown": np.clip(0.60 * teeth + 0.25 * opening, 0, 0.7) * free,
        "mouthUpperUp": np.clip(0.25 * teeth + 0.12 * opening, 0, 0.4) * free + 0.18 * tuck,
        "mouthPress": PRESSED * close,
        "mouthRollLower": 0.12 * close + 0.55 * tuck,
        "mouthRollUpper": 0.10 * close,
    }
    by_lips = sum(OPENING_PER_UNIT[name] * axes[name] for name in ("mouthFunnel", "mouthLowerDown", "mouthUpperUp"))
    by_jaw = np.clip(WIDE_OPENING * opening - by_lips * (1 - tuck), 0, None)
    axes["jawOpen"] = np.clip(by_jaw / OPENING_PER_UNIT["jawOpen"], 0, 1) * (1 - JAW_RISES * np.maximum(close, tuck))
    axes["mouthClose"] = axes["jawOpen"] * close
    narrowing = sum(WIDTH_PER_UNIT[name] * axes[name] for name in ("jawOpen", "mouthFunnel"))
    axes |= width_axes(WIDE_WIDTH * channels["spread"] * (1 - 0.4 * close) - NARROWING_UNDONE * narrowing)
    return spread_over_axes(axes, len(opening))


def width_axes(change: np.ndarray) -> dict[str, np.ndarray]:
    """Axes that change the mouth's width by `change` (T,) inter-ocular distances: lips pursed or corners apart."""
    apart, together = np.clip(change, 0, None), np.clip(-change, 0, None)
    return {
        "mouthPucker": MOST_PUCKER * np.tanh(together / (MOST_PUCKER * -WIDTH_PER_UNIT["mouthPucker"])),
        "mouthStretch": np.clip(0.6 * apart / WIDTH_PER_UNIT["mouthStretch"], 0, 0.6),
        "mouthSmile": np.clip(0.4 * apart / WIDTH_PER_UNIT["mouthSmile"], 0, 0.4),
    }


def spread_over_axes(axes: dict[str, np.ndarray], count: int) -> np.ndarray:
    """Put named curves into (T, K); a name without a side goes to both sides."""
    out = np.zeros((count, len(DYNAMICS_AXES)), np.float32)
    for name, curve in axes.items():
        sides = [name] if name in DYNAMICS_AXES else [name + "Left", name + "Right"]
        for side in sides:
            out[:, DYNAMICS_AXES.index(side)] = np.clip(curve, 0, 1)
    return out
