"""Blinks and gaze: events drawn from the seed and the voice, read at any frame times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from talkface.motion.curves import ease
from training.teacher.life import Style, stream
from training.teacher.rhythm import Rhythm

BLINKS_PER_MINUTE = 20.0
FIRST_BLINK_S = (0.6, 1.7)
_SHUT_S = 0.05
"""A lid stays shut longer than one 25-fps frame, so that every blink is drawn fully closed."""

_HOLD_MAIN_S = (1.2, 3.6)
_HOLD_AWAY_S = (0.6, 1.5)
_LARGEST_SHIFT_DEG = 8.0


@dataclass(frozen=True)
class Blink:
    """One blink: when the lids touch, how long they take to close and open, how far the right one lags."""

    shut_s: float
    closing_s: float
    opening_s: float
    lag_s: float


@dataclass(frozen=True)
class Fixations:
    """Where the eyes rest: from `start_s[i]` on at `target_deg[i]` (yaw, pitch from the main direction)."""

    start_s: np.ndarray
    target_deg: np.ndarray


def fixations(rhythm: Rhythm, seed: int) -> Fixations:
    """Draw the places looked at: mostly the main direction, held 1-4 s, with shorter looks a few degrees aside."""
    rng = stream(seed, "gaze")
    starts, targets, now_s, away = [0.0], [np.zeros(2)], 0.0, False
    hold_s = rng.uniform(0.8, 2.0)
    while now_s + hold_s < rhythm.duration_s:
        now_s += hold_s
        away = not away and rng.random() < 0.55
        if away:
            size_deg = min(_LARGEST_SHIFT_DEG, 1.2 + rng.gamma(2.0, 1.1))
            angle = rng.uniform(0, 2 * np.pi)
            target = size_deg * np.array([np.cos(angle), 0.6 * np.sin(angle) - 0.1])
        else:
            target = rng.normal(size=2) * np.array([0.7, 0.45])
        starts.append(now_s)
        targets.append(target)
        hold_s = rng.uniform(*(_HOLD_AWAY_S if away else _HOLD_MAIN_S))
    return Fixations(np.array(starts), np.array(targets))


def gaze_curve(fixed: Fixations, times_s: np.ndarray, seed: int) -> np.ndarray:
    """Gaze around the main direction at `times_s` (T,): (T, 2) degrees.

    Saccades take 21 ms + 2.2 ms/deg (the main sequence), tiny ones fall between them.
    """
    rng = stream(seed, "microsaccades")
    events = list(zip(fixed.start_s, fixed.target_deg, strict=True))
    ends = [*fixed.start_s[1:], times_s[-1] if len(times_s) else 0.0]
    for (start_s, target), end_s in zip(list(events), ends, strict=True):
        at_s = start_s + rng.uniform(0.35, 0.9)
        while at_s < end_s - 0.25:
            events.append((at_s, target + rng.normal(size=2) * 0.18))
            at_s += rng.uniform(0.45, 1.1)
    events.sort(key=lambda event: event[0])
    firsts = np.searchsorted(times_s, [at_s for at_s, _ in events])
    curve, here = np.zeros((len(times_s), 2)), np.zeros(2)
    for (at_s, target), low, high in zip(events, firsts, [*firsts[1:], len(times_s)], strict=True):
        length_s = 0.021 + 0.0022 * float(np.hypot(*(target - here)))
        curve[low:high] = here + ease((times_s[low:high] - at_s) / length_s)[:, None] * (target - here)
        here = target
    return curve


def blinks(rhythm: Rhythm, fixed: Fixations, seed: int, style: Style) -> list[Blink]:
    """Draw the blinks: the first within 3 s, then about BLINKS_PER_MINUTE, drawn to pauses and to gaze shifts."""
    rng = stream(seed, "blinks")
    mean_s = 60.0 / (BLINKS_PER_MINUTE * style.blink)
    lures = np.concatenate([rhythm.phrase_s[:, 1] + 0.12, fixed.start_s[1:]])
    lures = lures[lures < rhythm.duration_s - 0.3]
    found: list[Blink] = []
    wanted_s = min(rng.uniform(*FIRST_BLINK_S), max(FIRST_BLINK_S[0], rhythm.duration_s - 0.6))
    while wanted_s < rhythm.duration_s - 0.25:
        near = lures[np.abs(lures - wanted_s) < 0.45]
        lured, pick = rng.random() < 0.6, rng.random()
        shut_s = float(near[int(pick * len(near))]) + 0.02 if lured and len(near) else wanted_s
        shut_s = max(shut_s, found[-1].shut_s + 0.5) if found else max(shut_s, 0.45)
        shape = (rng.uniform(0.08, 0.105), rng.uniform(0.12, 0.17), rng.uniform(-0.012, 0.012))
        if shut_s < rhythm.duration_s - 0.2:
            found.append(Blink(shut_s, *shape))
        wanted_s = max(wanted_s, shut_s) + mean_s * (0.4 + rng.gamma(4.0, 0.6 / 4.0))
    return found


def _half_wave(x: np.ndarray) -> np.ndarray:
    """From 0 to 1 over x in 0-1 along half a cosine: gentler than `ease`, as a lid is between two frames."""
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(x, 0.0, 1.0))


def lid_curve(events: list[Blink], times_s: np.ndarray) -> np.ndarray:
    """How far each lid is shut at `times_s` (T,): (T, 2) left and right, 0-1; fast down, a moment shut, slower up."""
    lids = np.zeros((len(times_s), 2))
    for blink in events:
        first = int(np.searchsorted(times_s, blink.shut_s - blink.closing_s - 0.02))
        last = int(np.searchsorted(times_s, blink.shut_s + _SHUT_S + blink.opening_s + 0.02))
        for side, lag_s in ((0, 0.0), (1, blink.lag_s)):
            from_shut_s = times_s[first:last] - blink.shut_s - lag_s
            closing = _half_wave(1 + from_shut_s / blink.closing_s)
            opening = 1 - _half_wave((from_shut_s - _SHUT_S) / blink.opening_s) ** 0.9
            lids[first:last, side] = np.maximum(lids[first:last, side], np.minimum(closing, opening))
    return lids
