"""Blinks, gaze and how far lids hang: events drawn from the seed and the voice, read at any frame times.

Eyes that are evenly open between evenly short blinks look dead. VASA-1's lids have another height after every other
blink, come up again slowly, stay shut a little longer at times, and blink twice in a row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from talkface.motion.curves import ease
from training.teacher.life import Style, add_bump, add_hold, band_noise, stream
from training.teacher.rhythm import GRID_HZ, Rhythm

BLINKS_PER_MINUTE = 20.0
"""Beside the second ones of those that come in pairs."""
FIRST_BLINK_S = (0.6, 1.7)
_SHUT_S = 0.05
"""A lid stays shut longer than one 25-fps frame, so that every blink is drawn fully closed."""

_PAIR_SHARE, _PAIR_GAP_S = 0.16, (0.42, 0.6)
_LONG_SHARE, _LONG_S = 0.12, (0.03, 0.1)
"""Of the blinks, how many stay shut for longer, and by how much."""

_LID_LEVEL, _LID_CHANGE = (0.0, 0.08), 0.1
"""Between which heights a person's lids hang, as shares of a blink, and by how much they differ from blink to blink."""
_HEAVY_SHARE, _HEAVY, _HEAVY_S = 0.3, (0.06, 0.16), (0.2, 0.6)
"""Of the ends of phrases, how many lids grow heavy at; by how much, and for how long."""
_LOWEST_LID, _HIGHEST_LID = 0.2, 0.3

_HOLD_MAIN_S = (1.2, 3.6)
_HOLD_AWAY_S = (0.6, 1.5)
_LARGEST_SHIFT_DEG = 8.0


@dataclass(frozen=True)
class Blink:
    """One blink: when the lids touch, how long they take to close and open, how far the right one lags, and for how
    long they stay shut."""

    shut_s: float
    closing_s: float
    opening_s: float
    lag_s: float
    held_s: float = _SHUT_S


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
    """Draw the blinks: the first within 3 s, then about BLINKS_PER_MINUTE, drawn to pauses and to gaze shifts.

    Some come in pairs, some are long.
    """
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
        shape, again = _blink_shape(rng), rng.random() < _PAIR_SHARE
        second_s, second = shut_s + rng.uniform(*_PAIR_GAP_S), _blink_shape(rng)
        if again and found and second_s < rhythm.duration_s - 0.5:
            found += [Blink(shut_s, *shape), Blink(second_s, *second)]
        elif shut_s < rhythm.duration_s - 0.2:
            long_s = rng.uniform(*_LONG_S) if found and rng.random() < _LONG_SHARE else 0.0
            found.append(Blink(shut_s, *shape, _SHUT_S + min(long_s, max(0.0, rhythm.duration_s - 0.5 - shut_s))))
        wanted_s = max(wanted_s, found[-1].shut_s if found else shut_s) + mean_s * (0.4 + rng.gamma(4.0, 0.6 / 4.0))
    return found


def _blink_shape(rng: np.random.Generator) -> tuple[float, float, float]:
    """How long lids take to close and open, and how far the right one lags, in seconds."""
    return rng.uniform(0.08, 0.105), rng.uniform(0.12, 0.17), rng.uniform(-0.012, 0.012)


def lid_height(rhythm: Rhythm, events: list[Blink], seed: int, style: Style) -> np.ndarray:
    """How far the lids hang between blinks, (N,) on the grid, as a share of a blink: .4 half shut, below 0 wide.

    Every blink and every phrase leaves them at another height, from a blink they come back slowly, on stresses they
    rise, and at the ends of some phrases they grow heavy.
    """
    rng = stream(seed, "lids")
    height = band_noise(rng, len(rhythm.activity), 0.08, 0.7) * 0.035
    own = rng.uniform(*_LID_LEVEL)
    changes = [(blink.shut_s, 0.15) for blink in events]
    changes += [(start_s - 0.1, rng.uniform(0.4, 0.9)) for start_s in rhythm.phrase_s[:, 0]]
    before = 0.0
    for at_s, length_s in sorted(changes):
        level = own + _LID_CHANGE * rng.normal()
        first = max(0, round(at_s * GRID_HZ))
        height[first:] += (level - before) * ease((rhythm.times_s[first:] - at_s) / length_s)
        before = level
    for blink in events:
        add_bump(height, blink.shut_s + blink.held_s + 0.1, 0.1, rng.uniform(0.3, 0.6), rng.uniform(0.0, 0.2))
    for at_s, strength in zip(rhythm.accent_s, rhythm.accent_strength, strict=True):
        if rng.random() < 0.4:
            add_bump(height, at_s, 0.15, 0.35, rng.uniform(-0.25, 0.05) * strength)
    for end_s in rhythm.phrase_s[:, 1]:
        heavy, size, length_s = rng.random() < _HEAVY_SHARE, rng.uniform(*_HEAVY), rng.uniform(*_HEAVY_S)
        if heavy:
            add_hold(height, end_s - rng.uniform(0.1, 0.6), rng.uniform(0.3, 0.6), length_s, 0.5, size)
    return height * style.lids * ease(rhythm.times_s / 0.8)


def lid_limit(height: np.ndarray) -> np.ndarray:
    """`height` (T,) of hanging lids within bounds: lower, people look sleepy."""
    most = np.where(height > 0, _LOWEST_LID, _HIGHEST_LID)
    return most * np.tanh(height / most)


def _half_wave(x: np.ndarray) -> np.ndarray:
    """From 0 to 1 over x in 0-1 along half a cosine: gentler than `ease`, as a lid is between two frames."""
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(x, 0.0, 1.0))


def lid_curve(events: list[Blink], times_s: np.ndarray) -> np.ndarray:
    """How far each lid is shut at `times_s` (T,): (T, 2) left and right, 0-1; fast down, a moment shut, slower up."""
    lids = np.zeros((len(times_s), 2))
    for blink in events:
        first = int(np.searchsorted(times_s, blink.shut_s - blink.closing_s - 0.02))
        last = int(np.searchsorted(times_s, blink.shut_s + blink.held_s + blink.opening_s + 0.02))
        for side, lag_s in ((0, 0.0), (1, blink.lag_s)):
            from_shut_s = times_s[first:last] - blink.shut_s - lag_s
            closing = _half_wave(1 + from_shut_s / blink.closing_s)
            opening = 1 - _half_wave((from_shut_s - blink.held_s) / blink.opening_s) ** 0.9
            lids[first:last, side] = np.maximum(lids[first:last, side], np.minimum(closing, opening))
    return lids
