"""Recordings for the motion model's teacher: utterances joined with pauses, sung, whispered, shouted, spoiled.

A recording keeps its phone segments through all that happens to it, so that the teacher knows what is said even where
the encoder hears it badly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from talkface.types import FEATURE_RATE_HZ
from training.speech_augment import Surroundings
from training.speech_corpus import RATE_HZ, Utterance
from training.speech_phones import INDEX, PHONES, UNKNOWN

LONGEST_S = 16.0
SHORTEST_S = 2.0
_LENGTHS_S = (5.0, 13.0)
_LEVEL = 0.05
_LONG_PAUSE = 0.22
_SCALE = (-7, -5, -3, -2, 0, 2, 4, 5)
_CERTAINTY = 0.97


@dataclass(frozen=True)
class Recording:
    """A voice: sound (N,) float32 at 16 kHz, within +-1, and segments (M, 3) of start_s, end_s, phone class.

    `whole` says that every segment is known, so that the segments can stand for a hearing.
    """

    name: str
    speaker: str
    samples: np.ndarray
    segments: np.ndarray

    @property
    def duration_s(self) -> float:
        """Length of the sound."""
        return len(self.samples) / RATE_HZ

    @property
    def whole(self) -> bool:
        """Whether every phone is known."""
        return bool((self.segments[:, 2] != UNKNOWN).all())


def groups(utterances: list[Utterance], rng: np.random.Generator) -> Iterator[list[Utterance]]:
    """Utterances of one voice (of one language, where voices are synthetic) that make one recording together."""
    group: list[Utterance] = []
    length_s, wanted_s = 0.0, rng.uniform(*_LENGTHS_S)
    for utterance in sorted(utterances, key=lambda u: u.speaker):
        extra_s = len(utterance.samples) / RATE_HZ
        same = group and voice_of(group[0]) == voice_of(utterance)
        if group and (not same or length_s + extra_s > wanted_s):
            yield group
            group, length_s, wanted_s = [], 0.0, rng.uniform(*_LENGTHS_S)
        group.append(utterance)
        length_s += extra_s
    if group:
        yield group


def voice_of(utterance: Utterance) -> str:
    """Who speaks; for synthetic voices, which language."""
    return utterance.speaker.split("+")[0]


def join(group: list[Utterance], rng: np.random.Generator) -> Recording:
    """One recording from utterances, with pauses before, between and after them, at most `LONGEST_S` long."""
    parts, rows, now_s = [], [], 0.0
    for utterance in (None, *group):
        if utterance is not None:
            sound = utterance.samples.astype(np.float32)
            parts.append(sound * (_LEVEL * 10 ** (rng.normal(0, 1.5) / 20) / (np.sqrt((sound**2).mean()) + 1e-6)))
            rows.append(utterance.segments + [now_s, now_s, 0])
            now_s += len(sound) / RATE_HZ
        quiet = np.zeros(int(_pause_s(rng) * RATE_HZ), np.float32)
        parts.append(quiet)
        now_s += len(quiet) / RATE_HZ
    samples = np.concatenate(parts)[: int(LONGEST_S * RATE_HZ)]
    segments = np.concatenate(rows)
    segments = segments[segments[:, 0] < len(samples) / RATE_HZ].astype(np.float32)
    return Recording(group[0].name, voice_of(group[0]), np.clip(samples, -1, 1), segments)


def _pause_s(rng: np.random.Generator) -> float:
    return rng.uniform(1.0, 5.0) if rng.random() < _LONG_PAUSE else rng.uniform(0.05, 0.7)


def warped(recording: Recording, rng: np.random.Generator, *, sung: bool) -> Recording:
    """The recording faster or slower (and so higher or lower); sung: in steps of a scale, held longer, with vibrato."""
    count = len(recording.samples)
    speed = np.full(count, rng.uniform(0.82, 1.25))
    if sung:
        notes = np.cumsum(rng.uniform(0.18, 0.7, 200))
        steps = rng.choice(_SCALE, len(notes))
        time_s = np.arange(count) / RATE_HZ
        tune = 2.0 ** (steps[np.searchsorted(notes, time_s)] / 12)
        speed = tune * rng.uniform(0.75, 0.95) * (1 + 0.03 * np.sin(2 * np.pi * rng.uniform(4.5, 6.5) * time_s))
    arrival = np.concatenate([[0.0], np.cumsum(1 / speed)])
    length = min(int(arrival[-1]), int(LONGEST_S * RATE_HZ))
    place = np.interp(np.arange(length), arrival, np.arange(count + 1))
    samples = np.interp(place, np.arange(count), recording.samples).astype(np.float32)
    segments = recording.segments.copy()
    segments[:, :2] = np.interp(segments[:, :2] * RATE_HZ, np.arange(count + 1), arrival) / RATE_HZ
    return replace(recording, samples=samples, segments=segments[segments[:, 0] < length / RATE_HZ])


def whispered(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The sound (N,) without its pitch: each spectrum smoothed over 300 Hz, given random phases, and lightened."""
    size, hop = 400, 100
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    padded = np.pad(samples, (size, 2 * size))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop] * window
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    width = 2 * int(150 * size / RATE_HZ) + 1
    padded_power = np.pad(power, ((0, 0), (width // 2, width // 2)), mode="edge")
    smooth = np.lib.stride_tricks.sliding_window_view(padded_power, width, axis=1).mean(-1)
    bins_hz = np.fft.rfftfreq(size, 1 / RATE_HZ)
    phase = np.exp(2j * np.pi * rng.random(power.shape))
    noisy = np.fft.irfft(np.sqrt(smooth) * phase * np.clip(bins_hz / 700, 0.1, 1), size, axis=1) * window
    out = np.zeros(len(padded), np.float32)
    for shift in range(0, size, hop):  # frames a window apart do not overlap
        rows = noisy[shift // hop :: size // hop]
        out[shift : shift + rows.size] += rows.ravel()
    return out[size : size + len(samples)] * (samples.std() / (out.std() + 1e-9))


def shouted(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The sound (N,) as if shouted: high frequencies raised, everything near its peak."""
    bright = samples - rng.uniform(0.4, 0.8) * np.concatenate([[0], samples[:-1]])
    bright *= rng.uniform(2, 5) / (np.percentile(np.abs(bright), 99) + 1e-9)
    return (0.3 * np.tanh(bright)).astype(np.float32)


def swelling(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The sound (N,) spoken now louder, now softer, by up to 9 dB."""
    knots = rng.uniform(-9, 3, max(2, len(samples) // 24_000))
    gain_db = np.interp(np.arange(len(samples)), np.linspace(0, len(samples), len(knots)), knots)
    return (samples * 10 ** (gain_db / 20)).astype(np.float32)


def performed(recording: Recording, rng: np.random.Generator) -> Recording:
    """The recording spoken in some manner, mostly as it is: faster, sung, whispered, shouted, swelling."""
    draw = rng.random()
    if draw < 0.25:
        recording = warped(recording, rng, sung=draw < 0.08)
    manner = rng.random()
    if manner < 0.22:
        change = whispered if manner < 0.06 else shouted if manner < 0.12 else swelling
        recording = replace(recording, samples=change(recording.samples, rng))
    return recording


def spoiled(samples: np.ndarray, surroundings: Surroundings, rng: np.random.Generator) -> np.ndarray:
    """The sound (N,) in some place, through some microphone; N at most `LONGEST_S`."""
    padded = np.pad(samples, (0, int(LONGEST_S * RATE_HZ) - len(samples)))
    return (_LEVEL * surroundings.augment(padded, rng)[: len(samples)]).clip(-1, 1).astype(np.float32)


def posteriors(segments: np.ndarray, frames: int) -> np.ndarray:
    """Phone posteriors (F, P) float16 at 50 Hz of someone who hears perfectly: each frame's shares, a little soft."""
    times_s = (np.arange(frames * 4) + 0.5) / (4 * FEATURE_RATE_HZ)
    place = np.searchsorted(segments[:, 1], times_s, side="right")
    inside = place < len(segments)
    place = np.minimum(place, len(segments) - 1)
    inside &= segments[place, 0] <= times_s
    labels = np.where(inside, segments[place, 2], INDEX["sil"]).astype(int)
    shares = np.eye(len(PHONES), dtype=np.float32)[labels].reshape(frames, 4, -1).mean(1)
    padded = np.pad(shares, ((1, 1), (0, 0)), mode="edge")
    soft = 0.15 * padded[:-2] + 0.7 * shares + 0.15 * padded[2:]
    return (_CERTAINTY * soft + (1 - _CERTAINTY) / len(PHONES)).astype(np.float16)
