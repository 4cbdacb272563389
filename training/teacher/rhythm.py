"""What the body hears in a voice: when somebody speaks, where the stresses fall, where phrases begin and end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from talkface.motion.curves import runs
from talkface.types import FEATURE_RATE_HZ, SpeechFeatures

GRID_HZ = 100
"""Life is generated on this fixed grid and then read at the wanted frame times, so the frame rate changes nothing."""

_SPEECH_FLOOR_DB = -28.0
_PHRASE_GAP_S = 0.22
_LONGEST_PHRASE_S = 4.0
_ACCENT_GAP_S = 0.28


@dataclass(frozen=True)
class Rhythm:
    """The voice as the head and the eyes follow it, on a grid of GRID_HZ (sample i at i / GRID_HZ seconds).

    Attributes:
        activity: (N,) 0-1, smooth; 1 while the person speaks, 0 in pauses.
        loudness: (N,) 0-1, smooth over a syllable.
        accent_s, accent_strength: (A,) times of the stressed syllables, and how strong each is, 0-1.
        accent_pitch: (A,) 0-1, how far the voice rises there.
        phrase_s: (P, 2) start and end of each phrase.
        duration_s: length of the performance.
    """

    activity: np.ndarray
    loudness: np.ndarray
    accent_s: np.ndarray
    accent_strength: np.ndarray
    accent_pitch: np.ndarray
    phrase_s: np.ndarray
    duration_s: float

    @property
    def times_s(self) -> np.ndarray:
        """(N,) times of the grid."""
        return np.arange(len(self.activity)) / GRID_HZ


def smooth(curve: np.ndarray, sigma_s: float, rate_hz: float = GRID_HZ) -> np.ndarray:
    """Blur `curve` (N,) along time with a Gaussian of `sigma_s` seconds, the ends held."""
    radius = max(1, int(np.ceil(3 * sigma_s * rate_hz)))
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / (sigma_s * rate_hz)) ** 2)
    return np.convolve(np.pad(curve, radius, mode="edge"), kernel / kernel.sum(), mode="valid")


def rhythm_of(features: SpeechFeatures, duration_s: float) -> Rhythm:
    """Find activity, accents and phrases in a voice, for a performance of `duration_s` seconds."""
    grid_s = np.arange(int(np.ceil(duration_s * GRID_HZ)) + 1) / GRID_HZ
    heard = len(features.level_db) > 0 and not features.is_silent
    if not heard:
        none = np.zeros(0)
        quiet = np.zeros(len(grid_s))
        return Rhythm(quiet, quiet, none, none, none, np.zeros((0, 2)), duration_s)
    level_db = _resample(features.level_db, grid_s, outside=-60.0)
    speaking = (level_db > _SPEECH_FLOOR_DB) & (_resample(_voice_chance(features), grid_s, outside=0.0) > 0.3)
    phrase_s = _phrases(speaking, smooth(level_db, 0.08))
    inside = _inside(grid_s, phrase_s)
    loudness = smooth(np.clip((level_db - _SPEECH_FLOOR_DB) / -_SPEECH_FLOOR_DB, 0, 1.2), 0.045)
    rise = _pitch_rise(features, grid_s)
    accent_s, strength, pitch = _accents(loudness, rise, inside)
    return Rhythm(smooth(inside, 0.18), loudness, accent_s, strength, pitch, phrase_s, duration_s)


def _voice_chance(features: SpeechFeatures) -> np.ndarray:
    """Chance that somebody speaks, (T,) 0-1: what the phone classes leave for silence, taken from 1."""
    if "sil" not in features.phone_names:
        return np.ones(len(features.level_db))
    voice = 1 - np.asarray(features.phones[:, features.phone_names.index("sil")], np.float64)
    return smooth(voice, 0.05, FEATURE_RATE_HZ)


def _resample(curve: np.ndarray, grid_s: np.ndarray, outside: float) -> np.ndarray:
    times_s = (np.arange(len(curve)) + 0.5) / FEATURE_RATE_HZ
    return np.interp(grid_s, times_s, np.asarray(curve, np.float64), left=float(curve[0]), right=outside)


def _inside(grid_s: np.ndarray, phrase_s: np.ndarray) -> np.ndarray:
    inside = np.zeros(len(grid_s))
    for first, last in np.searchsorted(grid_s, phrase_s):
        inside[first : last + 1] = 1.0
    return inside


def _phrases(speaking: np.ndarray, level_db: np.ndarray) -> np.ndarray:
    """Phrases (P, 2) in seconds: speech between real gaps, long ones cut at their quietest place."""
    joined = speaking.copy()
    for start, end in runs(~speaking):
        if (end - start) < _PHRASE_GAP_S * GRID_HZ and start > 0 and end < len(speaking):
            joined[start:end] = True
    pieces = [run for run in runs(joined) if run[1] - run[0] > 0.08 * GRID_HZ]
    phrases: list[tuple[int, int]] = []
    while pieces:
        start, end = pieces.pop(0)
        if end - start <= _LONGEST_PHRASE_S * GRID_HZ:
            phrases.append((start, end))
            continue
        low, high = start + GRID_HZ, min(end - GRID_HZ // 2, start + int(_LONGEST_PHRASE_S * GRID_HZ))
        cut = low + int(np.argmin(level_db[low:high]))
        phrases.append((start, cut))
        pieces.insert(0, (cut, end))
    return np.array(phrases, np.float64).reshape(-1, 2) / GRID_HZ


def _pitch_rise(features: SpeechFeatures, grid_s: np.ndarray) -> np.ndarray:
    """How far the voice is above its own usual height, in semitones (N,); 0 where nobody voices."""
    voiced = (features.pitch_hz > 40) & (features.voiced > 0.5)
    if voiced.sum() < 5:
        return np.zeros(len(grid_s))
    semitones = 12 * np.log2(np.maximum(features.pitch_hz[voiced], 40.0))
    times_s = (np.flatnonzero(voiced) + 0.5) / FEATURE_RATE_HZ
    rise = np.interp(grid_s, times_s, semitones - np.median(semitones))
    return smooth(np.clip(rise, -8, 8), 0.06)


def _accents(loudness: np.ndarray, rise: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times (A,), strengths (A,) 0-1 and pitch rises (A,) 0-1 of the syllables that stand out."""
    stress = (loudness - smooth(loudness, 0.5)) / 0.25 + 0.25 * (rise - smooth(rise, 0.8))
    stress = np.where(inside > 0.5, stress, -9.0)
    peak = (stress[1:-1] > stress[:-2]) & (stress[1:-1] >= stress[2:]) & (stress[1:-1] > 0.35)
    chosen, gap = [], int(_ACCENT_GAP_S * GRID_HZ)
    free = np.ones(len(stress), bool)
    candidates = np.flatnonzero(peak) + 1
    for index in candidates[np.argsort(-stress[candidates], kind="stable")].tolist():
        if free[index]:
            chosen.append(index)
            free[max(0, index - gap + 1) : index + gap] = False
    at = np.array(sorted(chosen), int)
    strength = np.clip((stress[at] - 0.2) / 1.6, 0.1, 1)
    return at / GRID_HZ, strength, np.clip(rise[at] / 5, 0, 1)
