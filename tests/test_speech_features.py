"""Signal processing of speech against closed forms, and independence of where a stretch is cut."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from talkface.speech import features
from talkface.types import SPEECH_RATE_HZ


def tone(hz: float, duration_s: float = 1.0, amplitude: float = 0.3, harmonics: int = 1) -> np.ndarray:
    time_s = np.arange(round(duration_s * SPEECH_RATE_HZ)) / SPEECH_RATE_HZ
    return (amplitude * sum(np.sin(2 * np.pi * hz * k * time_s) / k for k in range(1, harmonics + 1))).astype(
        np.float32
    )


def stretch_of(samples: np.ndarray) -> torch.Tensor:
    end = features.frame_count(len(samples)) * features.FRAME
    return features.cut(samples, -features.STRETCH_PAD, end + features.STRETCH_PAD)


def test_cut_pads_with_zeros_on_both_sides():
    assert features.cut(np.arange(1, 4, dtype=np.float32), -2, 5).tolist() == [0, 0, 1, 2, 3, 0, 0]
    assert features.cut(np.ones(3, np.float32), 10, 14).tolist() == [0, 0, 0, 0]
    assert features.cut(np.ones(3, np.float32), -9, -5).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(("samples", "frames"), [(0, 1), (1, 1), (320, 1), (321, 2), (16000, 50)])
def test_frame_count_covers_the_sound(samples: int, frames: int):
    assert features.frame_count(samples) == frames


def test_filters_have_unit_weight_and_rising_centres():
    filters = features.mel_filters().numpy()
    centres = (filters * np.arange(len(filters))[:, None]).sum(0)
    assert filters.sum(0) == pytest.approx(np.ones(features.MEL_BANDS), abs=1e-5)
    assert (np.diff(centres) > -1e-4).all() and filters.min() >= 0


def test_a_tone_lights_its_own_band():
    mel = features.log_mel(stretch_of(tone(1000.0)), 1.0)
    centres_hz = features.mel_filters().numpy().T @ np.arange(features.FFT // 2 + 1) * SPEECH_RATE_HZ / features.FFT
    assert abs(centres_hz[int(mel[50].argmax())] - 1000) < 40
    assert mel.shape == (100, features.MEL_BANDS)


def test_twice_as_loud_adds_log_four():
    sound = stretch_of(tone(500.0))
    quiet, loud = features.log_mel(sound, 1.0), features.log_mel(sound, 2.0)
    band = int(quiet[50].argmax())
    assert float(loud[50, band] - quiet[50, band]) == pytest.approx(np.log(4) / 4, abs=1e-3)


@pytest.mark.parametrize("hz", [90.0, 130.0, 220.0, 380.0])
def test_pitch_of_a_voice_like_tone(hz: float):
    pitch_hz, voicing = features.pitch(stretch_of(tone(hz, harmonics=6)))
    assert np.median(pitch_hz.numpy()) == pytest.approx(hz, rel=0.02)
    assert voicing[5:-5].min() > 0.9


def test_noise_and_silence_have_no_pitch():
    noise = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    assert features.pitch(stretch_of(noise))[1].mean() < 0.25
    assert features.pitch(stretch_of(np.zeros(16000, np.float32)))[1].max() == 0


def test_loudness_finds_the_loud_parts_and_ignores_silence_and_clicks():
    voice = tone(200.0, 2.0, amplitude=0.1)
    with_pauses = np.concatenate([voice, np.zeros(80_000, np.float32), voice])
    with_click = with_pauses.copy()
    with_click[50_000] = 1.0
    for samples in (voice, with_pauses, with_click):
        assert features.measure_loudness(samples).loud_rms == pytest.approx(0.1 / np.sqrt(2), rel=0.05)
    assert features.measure_loudness(np.concatenate([voice] * 3), block_frames=7) == features.measure_loudness(
        np.concatenate([voice] * 3)
    )


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(5), np.zeros(16000), np.full(16000, 1e-4)])
def test_silence_is_silent(samples: np.ndarray):
    assert features.measure_loudness(samples.astype(np.float32)).is_silent


def test_level_is_zero_at_the_loud_parts():
    voice = tone(200.0, 1.0)
    level_db = features.frame_level_db(stretch_of(voice), features.measure_loudness(voice).gain).numpy()
    assert np.abs(level_db[3:-3]).max() < 0.5


def test_everything_is_heard_on_the_device_alone():
    """On torch's "meta" device, which bears neither a stray CPU tensor nor a value read back."""
    stretch = torch.empty(2 * features.STRETCH_PAD + 10 * features.FRAME, device="meta")
    heard = (features.log_mel(stretch, 1.0), features.frame_level_db(stretch, 1.0), *features.pitch(stretch))
    assert [len(x) for x in heard] == [20, 10, 10, 10]
    assert {x.device.type for x in heard} == {"meta"}
