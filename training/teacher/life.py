"""What keeps a speaking head alive: sway, nods on stresses, posture shifts, breathing, brows, small smiles.

All curves live on the grid of `rhythm.GRID_HZ`, come from a seed and a voice, and start at zero, because the portrait
is the first frame. Figures follow VASA-1's videos and real speakers as measured by `training/life_statistics.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from talkface.motion.curves import ease
from training.teacher.rhythm import GRID_HZ, Rhythm, smooth

HEAD_SCALE = 1.0
"""One knob for the size of all head motion; 1 matches VASA-1."""

_LIMIT_DEG = np.array([16.0, 10.0, 10.0])
_SLOW_BAND_HZ = (0.08, 0.45)
_FAST_BAND_HZ = (0.7, 3.6)
_SLOW_DEG = np.array([3.2, 2.4, 2.1])
_FAST_DEG = np.array([1.0, 1.15, 0.55])
_NOD_DEG = np.array([0.8, 3.2, 0.8])
_POSTURE_DEG = np.array([5.6, 4.4, 3.6])
_POSTURE_GAP_S = 0.8
_IDLE_SHARE = 0.55
"""How much of a speaker's movement somebody who listens keeps."""
_IDLE_VIGOUR = 0.5
_IDLE_GAP_S = (0.8, 2.0)
_STEP_DEG = 0.62
_SPREAD_DEG = np.array([8.4, 5.2, 4.0])
"""Spread within `_SPREAD_WINDOW_S` before the limits bend it; a shorter clip has to reach it too."""
_SPREAD_WINDOW_S = 8.0
_SPREAD_GAIN = (0.6, 4.0)
_WARMTH, _MOST_WARMTH = (0.13, 0.14), 0.5


@dataclass(frozen=True)
class Style:
    """How a mood changes the way somebody moves; the defaults are an ordinary speaker.

    Attributes:
        head: scale of head motion.
        pace: scale of its speed.
        pitch_deg: where the head rests (+ chin up).
        gaze_pitch_deg: where the eyes rest.
        blink: scale of the blink rate.
        brow: scale of how far brows play.
        warmth: scale of the hints of a smile.
        lids: scale of how far lids hang between blinks.
    """

    head: float = 1.0
    pace: float = 1.0
    pitch_deg: float = 0.0
    gaze_pitch_deg: float = 0.0
    blink: float = 1.0
    brow: float = 1.0
    warmth: float = 1.0
    lids: float = 1.0


def stream(seed: int, name: str) -> np.random.Generator:
    """An independent source of chance for one purpose, so that changing one part leaves the others as they were."""
    return np.random.default_rng([seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF, *name.encode()])


def band_noise(rng: np.random.Generator, samples: int, low_hz: float, high_hz: float) -> np.ndarray:
    """Gaussian noise (samples,) of unit spread whose *speed* is spread evenly over low_hz-high_hz, with soft edges."""
    length = 2 ** int(np.ceil(np.log2(max(samples, 40 * GRID_HZ))))
    freq_hz = np.fft.rfftfreq(length, 1 / GRID_HZ)
    safe_hz = np.maximum(freq_hz, 1e-3)
    gain = np.exp(-((low_hz / safe_hz) ** 4) - (safe_hz / high_hz) ** 4) / safe_hz
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(length)) * gain, length)
    return (noise / noise.std())[:samples]


def head_angles(rhythm: Rhythm, seed: int, style: Style) -> np.ndarray:
    """Yaw, pitch and roll of the head relative to the portrait, (N, 3) degrees on the grid, starting at zero."""
    rng = stream(seed, "head")
    samples = len(rhythm.activity)
    drive = _IDLE_SHARE + (1 - _IDLE_SHARE) * smooth(rhythm.activity, 0.6)
    vigour = smooth(np.maximum(_IDLE_VIGOUR, rhythm.activity * (0.45 + 0.9 * rhythm.loudness)), 0.2)
    slow = np.stack([band_noise(rng, samples, *(f * style.pace for f in _SLOW_BAND_HZ)) for _ in range(3)], 1)
    fast = np.stack([band_noise(rng, samples, *(f * style.pace for f in _FAST_BAND_HZ)) for _ in range(3)], 1)
    fast[:, 2] = 0.8 * fast[:, 2] - 0.6 * fast[:, 0]
    places = slow * _SLOW_DEG * drive[:, None] + _posture(rhythm, stream(seed, "posture"), style)
    places *= _spread_gain(places, rhythm, drive)
    quick = fast * _FAST_DEG * vigour[:, None] + _nods(rhythm, stream(seed, "nods"))
    target_deg = _STEP_DEG * rng.uniform(0.93, 1.07)
    angles = (places + quick * _speed_gain(places, quick, rhythm, target_deg)) * style.head * HEAD_SCALE
    angles = _from_rest(angles, rhythm.times_s) + np.outer(ease(rhythm.times_s / 0.8), [0.0, style.pitch_deg, 0.0])
    return _LIMIT_DEG * np.tanh(angles / _LIMIT_DEG)


def _spread_gain(places: np.ndarray, rhythm: Rhythm, drive: np.ndarray) -> np.ndarray:
    """Gains (3,) that bring the spread of `places` (N, 3) within a few seconds to `_SPREAD_DEG`, less while listening.

    `drive` (N,) says how much of a speaker's movement is wanted; `places` begin wherever they do, the head at zero.
    """
    places = _from_rest(places, rhythm.times_s)
    window = min(len(places), round(_SPREAD_WINDOW_S * GRID_HZ))
    starts = range(0, max(1, len(places) - window + 1), GRID_HZ)
    spread = np.mean([places[i : i + window].std(0) for i in starts], axis=0)
    return np.clip(_SPREAD_DEG * drive.mean() / np.maximum(spread, 1e-3), *_SPREAD_GAIN)


def _speed_gain(places: np.ndarray, quick: np.ndarray, rhythm: Rhythm, target_deg: float) -> float:
    """Gain on `quick` (N, 3) that brings the mean change per 25-fps frame, while speaking, to `target_deg`."""
    step = GRID_HZ // 25
    talking = rhythm.activity[::step][1:] > 0.5
    if talking.sum() < 12:
        return 1.0
    base, extra = (np.diff(curve[::step], axis=0)[talking] for curve in (places, quick))
    low, high = 0.5, 2.0
    for _ in range(8):
        middle = (low + high) / 2
        low, high = (middle, high) if np.abs(base + middle * extra).mean() < target_deg else (low, middle)
    return low


def _from_rest(curve: np.ndarray, times_s: np.ndarray, settle_s: float = 1.0) -> np.ndarray:
    """Take the start value out of `curve` (N, C), giving it back over `settle_s`, and let the motion swell in."""
    curve = curve - curve[:1] * (1 - ease(times_s / settle_s))[:, None]
    return curve * ease(times_s / 0.5)[:, None]


def _bump(times_s: np.ndarray, at_s: float, rise_s: float, fall_s: float) -> np.ndarray:
    """0 to 1 and back, peak at `at_s`; smooth everywhere."""
    return ease((times_s - at_s + rise_s) / rise_s) * ease((at_s + fall_s - times_s) / fall_s)


def add_bump(curve: np.ndarray, at_s: float, rise_s: float, fall_s: float, size: np.ndarray | float) -> None:
    """Add a bump to `curve` (N,) or (N, C) in place, touching only the samples it covers."""
    low = max(0, int((at_s - rise_s) * GRID_HZ))
    high = min(len(curve), int((at_s + fall_s) * GRID_HZ) + 2)
    if high > low:
        bump = _bump(np.arange(low, high) / GRID_HZ, at_s, rise_s, fall_s)
        curve[low:high] += bump[:, None] * size if curve.ndim == 2 else bump * size


def _add_step(steps: np.ndarray, curve: np.ndarray, at_s: float, length_s: float, size: np.ndarray) -> None:
    """Move by `size` (C,) from `at_s` on: the way there into `curve` (N, C), the rest into `steps`, to be summed up."""
    low = min(max(0, int(np.ceil(at_s * GRID_HZ))), len(curve))
    high = min(max(low, int(np.ceil((at_s + length_s) * GRID_HZ))), len(curve))
    curve[low:high] += ease((np.arange(low, high) / GRID_HZ - at_s) / length_s)[:, None] * size
    if high < len(curve):
        steps[high] += size


def _nods(rhythm: Rhythm, rng: np.random.Generator) -> np.ndarray:
    """Movements on stressed syllables (N, 3): mostly the chin dips, sometimes it lifts, with a little turn and tilt."""
    angles = np.zeros((len(rhythm.activity), 3))
    for at_s, strength in zip(rhythm.accent_s, rhythm.accent_strength, strict=True):
        taken, lifted = rng.random() < 0.35 + 0.6 * strength, rng.random() < 0.28
        size = rng.normal(size=3) * np.array([1.0, 0.25, 1.0])
        size[1] = (0.7 if lifted else -1.0) * rng.uniform(0.5, 1.2) + 0.1 * size[1]
        rise_s, fall_s, late_s = rng.uniform(0.2, 0.3), rng.uniform(0.32, 0.5), rng.uniform(0.0, 0.12)
        if taken:
            add_bump(angles, at_s + late_s, rise_s, fall_s, size * _NOD_DEG * (0.4 + 0.6 * strength))
    return angles


def _posture(rhythm: Rhythm, rng: np.random.Generator, style: Style) -> np.ndarray:
    """Where the head rests (N, 3): a new place with every phrase, some stresses, now and then in pauses; then held."""
    steps, angles = np.zeros((len(rhythm.activity), 3)), np.zeros((len(rhythm.activity), 3))
    here, last_s = np.zeros(3), -_POSTURE_GAP_S
    moves = [(start_s - 0.15, 1.0) for start_s, _ in rhythm.phrase_s]
    moves += [(at_s - 0.2, 0.75 * s) for at_s, s in zip(rhythm.accent_s, rhythm.accent_strength, strict=True)]
    moves += [(at_s, _IDLE_SHARE) for at_s in _idle_moves(rhythm, rng)]
    for at_s, size in sorted(moves):
        draw, late_s = rng.normal(size=3) * rng.uniform(0.5, 1.4), rng.uniform(-0.1, 0.1)
        length_s, skipped = rng.uniform(0.32, 0.85) / style.pace, rng.random() < 0.25
        if at_s - last_s < _POSTURE_GAP_S or (skipped and size < 1):
            continue
        draw[2] -= 0.3 * draw[0]
        there = 0.45 * here + draw * size * _POSTURE_DEG
        _add_step(steps, angles, max(0.0, at_s + late_s), length_s, there - here)
        here, last_s = there, at_s
    return angles + np.cumsum(steps, axis=0)


def _idle_moves(rhythm: Rhythm, rng: np.random.Generator) -> list[float]:
    """When somebody who does not speak shifts, in seconds: every second or two of each pause."""
    moves = []
    edges_s = np.concatenate([[0.0], rhythm.phrase_s.ravel(), [rhythm.duration_s]]).reshape(-1, 2)
    for start_s, end_s in edges_s:
        at_s = start_s + rng.uniform(0.3, 0.8)
        while at_s < end_s - 0.5:
            moves.append(at_s)
            at_s += rng.uniform(*_IDLE_GAP_S)
    return moves


def head_shift(angles_deg: np.ndarray, rhythm: Rhythm, seed: int) -> np.ndarray:
    """Shift of the head (N, 2), x and y in inter-ocular distances: it leans as it turns and tilts, and breathes."""
    rng = stream(seed, "shift")
    samples = len(angles_deg)
    drive = (_IDLE_SHARE + (1 - _IDLE_SHARE) * rhythm.activity)[:, None]
    sway = np.stack([band_noise(rng, samples, 0.1, 0.5) for _ in range(2)], 1) * np.array([0.012, 0.008])
    lean = np.stack([angles_deg[:, 0] * 0.0030 + angles_deg[:, 2] * 0.0022, -angles_deg[:, 1] * 0.002], 1)
    shift = _from_rest(sway * drive * HEAD_SCALE, rhythm.times_s) + lean
    shift[:, 1] -= 0.005 * breathing(rhythm, seed)
    return shift


def breathing(rhythm: Rhythm, seed: int) -> np.ndarray:
    """The breath, (N,) about 0-1, near a quarter hertz, never quite regular; 0 at the start."""
    rng = stream(seed, "breath")
    rate_hz = rng.uniform(0.22, 0.29) * (1 + 0.12 * band_noise(rng, len(rhythm.activity), 0.05, 0.2))
    phase = np.cumsum(rate_hz) / GRID_HZ
    return 0.5 - 0.5 * np.cos(2 * np.pi * (phase - phase[0]))


def brows(rhythm: Rhythm, seed: int, style: Style) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inner brow raise, outer brow raise and frown, each (N,) 0-1.

    One height that goes up on stresses, higher where the voice rises, has a level of its own for every phrase and plays
    slowly in between; below its rest it is a frown.
    """
    rng = stream(seed, "brows")
    samples = len(rhythm.activity)
    height, tilt = np.zeros(samples), np.zeros(samples)
    for start_s, end_s in rhythm.phrase_s:
        level, lean = np.clip(rng.normal(0.2, 0.5), -0.7, 1.1), rng.uniform(-0.35, 0.35)
        length_s, late_s = end_s - start_s, rng.uniform(0.0, 0.25)
        for curve, size in ((height, level), (tilt, lean)):
            add_hold(curve, start_s - 0.1 + late_s, rng.uniform(0.25, 0.45), 0.75 * length_s, 0.6, size)
    for at_s, strength, pitch in zip(rhythm.accent_s, rhythm.accent_strength, rhythm.accent_pitch, strict=True):
        taken, frowned = rng.random() < 0.3 + 0.5 * pitch, rng.random() < 0.2
        size = rng.uniform(0.4, 1.1) * (0.4 + 0.6 * max(strength, pitch)) * (-0.5 if frowned else 1.0)
        if taken:
            add_bump(height, at_s - 0.02, rng.uniform(0.16, 0.24), rng.uniform(0.3, 0.7), size)
    play = band_noise(rng, samples, 0.08, 0.6) * 0.17 * (0.25 + 0.75 * rhythm.activity)
    height = smooth(height + play, 0.03) * ease(rhythm.times_s / 0.4) * style.brow
    up, down = 0.85 * np.tanh(np.maximum(height, 0) / 0.85), np.clip(-height, 0, 0.65)
    return up * (1 + tilt), up * (1 - tilt), down


def add_hold(curve: np.ndarray, at_s: float, rise_s: float, hold_s: float, fall_s: float, size: float) -> None:
    """Add a plateau to `curve` (N,) in place: from `at_s` up, held, and down again."""
    low, high = max(0, int(at_s * GRID_HZ)), min(len(curve), int((at_s + rise_s + hold_s + fall_s) * GRID_HZ) + 2)
    since_s = np.arange(low, high) / GRID_HZ - at_s
    curve[low:high] += size * ease(since_s / rise_s) * (1 - ease((since_s - rise_s - hold_s) / fall_s))


def warmth(rhythm: Rhythm, seed: int, style: Style) -> np.ndarray:
    """How warm the face is (N, 2), left and right corner 0-1: its own level for every phrase, gone soon after it."""
    rng = stream(seed, "warmth")
    level = np.zeros((len(rhythm.activity), 2))
    for start_s, end_s in rhythm.phrase_s:
        size = style.warmth * max(0.0, rng.normal(*_WARMTH))
        length_s, late_s, rise_s = end_s - start_s, rng.uniform(-0.2, 0.4), rng.uniform(0.3, 0.7)
        for side in level.T:
            add_hold(side, start_s + late_s, rise_s, max(0.2, length_s - rise_s), 0.7, size * rng.uniform(0.8, 1.0))
    return _MOST_WARMTH * np.tanh(level / _MOST_WARMTH) * ease(rhythm.times_s / 0.4)[:, None]
