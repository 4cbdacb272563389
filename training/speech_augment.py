"""Making one clean recording sound like many: other speakers, rooms, microphones, beds of noise and music."""

from __future__ import annotations

import numpy as np
from scipy.signal import fftconvolve

from talkface.types import SPEECH_RATE_HZ


def coloured_noise(count: int, slope: float, rng: np.random.Generator) -> np.ndarray:
    """Noise (count,) of unit variance whose power falls with frequency ** slope (0 white, 1 pink, 2 brown)."""
    spectrum = np.fft.rfft(rng.standard_normal(count).astype(np.float32))
    spectrum *= np.maximum(np.arange(len(spectrum)), 1) ** (-slope / 2)
    noise = np.fft.irfft(spectrum, count)
    return (noise / (noise.std() + 1e-9)).astype(np.float32)


def music(count: int, rng: np.random.Generator) -> np.ndarray:
    """A crude piece of music (count,) of unit variance: chords of decaying harmonic tones, with or without a beat."""
    time_s = np.arange(count, dtype=np.float32) / SPEECH_RATE_HZ
    out = np.zeros(count, np.float32)
    beat_s, root = rng.uniform(0.25, 0.9), rng.uniform(80, 300)
    for start_s in np.arange(0, count / SPEECH_RATE_HZ, beat_s):
        first = int(start_s * SPEECH_RATE_HZ)
        local = time_s[: count - first]
        decay = np.exp(-local * rng.uniform(0.8, 6)) * np.minimum(local * rng.uniform(20, 400), 1)
        for _ in range(int(rng.integers(1, 4))):
            tone_hz = root * 2 ** (rng.choice([0, 2, 4, 5, 7, 9, 11, 12, 16, 19]) / 12)
            for harmonic in range(1, int(rng.integers(2, 7))):
                if tone_hz * harmonic < 7500:
                    out[first:] += (
                        decay * np.sin(2 * np.pi * tone_hz * harmonic * local) / harmonic ** rng.uniform(0.6, 2)
                    )
        if rng.random() < 0.5:
            hit = coloured_noise(min(len(local), 4000), rng.uniform(0, 1), rng)
            out[first : first + len(hit)] += hit * np.exp(-local[: len(hit)] * 40) * rng.uniform(0, 2)
    return out / (out.std() + 1e-6)


def bed(count: int, voices: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Something to hear behind the voice (count,), unit variance: noise, hum, music, or many people at once."""
    kind = rng.random()
    if kind < 0.45:
        noise = coloured_noise(count, rng.uniform(-0.3, 2.2), rng)
        if rng.random() < 0.4:
            knots = rng.uniform(0.1, 1, max(2, count // 8000))
            noise *= np.interp(np.arange(count), np.linspace(0, count, len(knots)), knots).astype(np.float32)
        return noise / (noise.std() + 1e-6)
    if kind < 0.55:
        hum_hz, time_s = rng.choice([50, 60, rng.uniform(80, 3000)]), np.arange(count) / SPEECH_RATE_HZ
        hum = sum(np.sin(2 * np.pi * hum_hz * k * time_s) / k for k in range(1, int(rng.integers(2, 8))))
        return (hum / (hum.std() + 1e-6)).astype(np.float32)
    if kind < 0.85:
        return music(count, rng)
    crowd = np.zeros(count, np.float32)
    for _ in range(int(rng.integers(4, 8))):
        voice = voices[rng.integers(len(voices))]
        if len(voice) > count:
            start = int(rng.integers(len(voice) - count))
            part = voice[start : start + count].astype(np.float32)
            crowd += part / (part.std() + 1.0)
    return crowd / (crowd.std() + 1e-6)


def room(rng: np.random.Generator) -> np.ndarray:
    """Impulse response of a random room: the direct path, then exponentially decaying noise (no delay of the voice)."""
    length = int(rng.uniform(0.1, 0.6) * SPEECH_RATE_HZ)
    tail = rng.standard_normal(length).astype(np.float32) * np.exp(-np.linspace(0, 6.9, length, dtype=np.float32))
    tail[: int(rng.uniform(0.001, 0.02) * SPEECH_RATE_HZ)] = 0
    tail *= rng.uniform(0.1, 0.9) / (np.sqrt((tail**2).sum()) + 1e-6)
    tail[0] = 1
    return tail


def band_limit(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The sound through a telephone, a cheap microphone or a codec: band edges fall off steeply."""
    spectrum, bins_hz = np.fft.rfft(sound), np.fft.rfftfreq(len(sound), 1 / SPEECH_RATE_HZ)
    high_hz, low_hz = rng.choice([3400, 3900, rng.uniform(3000, 7500)]), rng.uniform(20, 350)
    fall = np.clip((high_hz - bins_hz) / 200 + 1, 0, 1) * np.clip((bins_hz - low_hz) / 50 + 1, 0, 1)
    return np.fft.irfft(spectrum * fall, len(sound)).astype(np.float32)


def companded(sound: np.ndarray) -> np.ndarray:
    """8-bit mu-law and back, as on a telephone line."""
    peak = np.abs(sound).max() + 1e-9
    code = np.sign(sound) * np.log1p(255 * np.abs(sound) / peak) / np.log(256)
    code = np.round(code * 127) / 127
    return (np.sign(code) * np.expm1(np.abs(code) * np.log(256)) / 255 * peak).astype(np.float32)


class Surroundings:
    """A stock of beds and rooms made once, from which every crop draws its own mixture."""

    def __init__(self, count: int, voices: list[np.ndarray], rng: np.random.Generator, stock: int = 160) -> None:
        self.beds = [bed(count, voices, rng) for _ in range(stock)]
        self.rooms = [room(rng) for _ in range(stock // 2)]

    def bed(self, rng: np.random.Generator) -> np.ndarray:
        """One bed, or two mixed, from a random point on and perhaps backwards."""
        sound = np.roll(self.beds[rng.integers(len(self.beds))], int(rng.integers(1 << 16)))
        if rng.random() < 0.4:
            sound = sound + self.beds[rng.integers(len(self.beds))][::-1] * np.float32(rng.uniform(0.1, 1))
        return sound

    def augment(self, sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A random mixture of all of the above for a sound (n,) of any scale."""
        sound = sound / (np.sqrt((sound**2).mean()) + 1e-6)
        if rng.random() < 0.35:
            sound = fftconvolve(sound, self.rooms[rng.integers(len(self.rooms))])[: len(sound)]
        if rng.random() < 0.6:
            sound = sound + self.bed(rng) * 10 ** (-rng.uniform(0, 32) / 20)
        else:
            noise = rng.standard_normal(len(sound), dtype=np.float32)
            sound = sound + noise * 10 ** (-rng.uniform(30, 70) / 20)
        if rng.random() < 0.25:
            sound = band_limit(sound, rng)
        if rng.random() < 0.08:
            sound = companded(sound)
        if rng.random() < 0.06:
            sound = np.clip(sound, -rng.uniform(1, 3), rng.uniform(1, 3))
        return sound.astype(np.float32)
