"""The speech encoder: the same whatever the chunks, deaf to what is no voice, and right about real words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from talkface.motion.mouth import measure
from talkface.speech.encoder import ChannelNorm, PhoneNet, PhoneNetConfig, SpeechEncoder
from talkface.speech.features import MEL_BANDS
from talkface.types import Speech, SpeechFeatures
from training.teacher.articulation import articulate

VOICE = Path(__file__).parent / "data" / "flite_slt_mama_baked.flac"
"""flite 2.2, voice slt: "Mama baked a big apple pie, and Bob opened the door.", half a second of silence before it."""

LIP_CLOSURES_S = [0.96, 1.09, 1.39, 1.81, 2.0, 2.65, 2.92, 3.13]
OPEN_VOWELS_S = [0.85, 1.68, 2.15, 2.80]


def speech_of(samples: np.ndarray) -> Speech:
    return Speech(samples.astype(np.float32), len(samples) / 16000, Path("made-up.wav"))


@pytest.fixture(scope="module")
def encoder() -> SpeechEncoder:
    return SpeechEncoder.load()


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    return soundfile.read(VOICE, dtype="float32")[0]


@pytest.fixture(scope="module")
def heard(encoder: SpeechEncoder, voice: np.ndarray) -> SpeechFeatures:
    return encoder.encode(speech_of(voice))


def opening_of(features: SpeechFeatures, duration_s: float, fps: float = 25.0) -> np.ndarray:
    return measure(articulate(features, fps, duration_s).dynamics)[0]


def test_reach_is_as_far_as_the_net_sees():
    torch.manual_seed(0)
    net = PhoneNet(PhoneNetConfig(("sil", "AA"), width=16)).eval()
    mel = torch.randn(1, 400, MEL_BANDS)
    changed = mel.clone()
    changed[0, 200:202] += 5
    moved = torch.nonzero((net(mel) - net(changed)).abs().amax(-1)[0] > 0)[:, 0]
    assert 100 - net.reach_frames <= moved.min() and moved.max() <= 100 + net.reach_frames


def test_channel_norm_treats_frames_alone():
    x = torch.randn(1, 8, 5)
    assert torch.allclose(ChannelNorm(8)(x)[:, :, 2:3], ChannelNorm(8)(x[:, :, 2:3]))
    assert torch.allclose(ChannelNorm(8)(x).square().mean(1), torch.ones(1, 5), atol=1e-3)


def test_shapes_and_ranges(heard: SpeechFeatures, voice: np.ndarray):
    frames = -(-len(voice) // 320)
    assert heard.phones.shape == (frames, len(heard.phone_names)) and heard.phones.dtype == np.float16
    assert np.abs(heard.phones.astype(np.float32).sum(1) - 1).max() < 0.01
    assert len(heard.level_db) == len(heard.voiced) == len(heard.pitch_hz) == frames
    assert heard.voiced.min() >= 0 and heard.voiced.max() <= 1 and not heard.is_silent


@pytest.mark.parametrize("chunk_frames", [13, 100])
def test_chunks_do_not_matter(encoder: SpeechEncoder, voice: np.ndarray, heard: SpeechFeatures, chunk_frames: int):
    again = encoder.encode(speech_of(voice), chunk_frames)
    for name in ("phones", "level_db", "voiced", "pitch_hz"):
        assert np.abs(getattr(again, name).astype(np.float64) - getattr(heard, name)).max() < 2e-3, name


@pytest.mark.parametrize("factor", [0.02, 3.0])
def test_volume_does_not_matter(encoder: SpeechEncoder, voice: np.ndarray, heard: SpeechFeatures, factor: float):
    again = encoder.encode(speech_of(voice * factor))
    assert (again.phones.argmax(1) == heard.phones.argmax(1)).mean() > 0.97


def test_lips_close_where_the_words_close_them(heard: SpeechFeatures, voice: np.ndarray):
    opening = opening_of(heard, len(voice) / 16000)
    closed = [opening[round(t * 25) - 2 : round(t * 25) + 2].min() < 0.05 for t in LIP_CLOSURES_S]
    assert sum(closed) >= len(closed) - 2
    assert all(opening[round(t * 25) - 2 : round(t * 25) + 3].max() > 0.12 for t in OPEN_VOWELS_S)


def test_closed_in_silence_and_open_when_loud(heard: SpeechFeatures, voice: np.ndarray):
    opening = opening_of(heard, len(voice) / 16000)
    assert opening[:12].max() < 0.02 and opening[-8:].max() < 0.02
    level = heard.level_db[::2][: len(opening)]
    assert opening[: len(level)][level > -10].mean() > 5 * opening[: len(level)][level < -40].mean()


def test_the_voice_is_a_womans(heard: SpeechFeatures):
    assert 120 < np.median(heard.pitch_hz[heard.pitch_hz > 0]) < 260


@pytest.mark.parametrize("seconds", [0.0, 0.05, 1.0])
def test_no_sound_is_silent(encoder: SpeechEncoder, seconds: float):
    features = encoder.encode(speech_of(np.zeros(round(seconds * 16000))))
    assert features.is_silent and (features.phones.argmax(1) == features.phone_names.index("sil")).all()


@pytest.mark.parametrize("kind", ["tone", "noise", "hum"])
def test_what_is_no_voice_hardly_moves_the_mouth(encoder: SpeechEncoder, kind: str):
    time_s, rng = np.arange(48000) / 16000, np.random.default_rng(0)
    sound = {"tone": np.sin(2 * np.pi * 440 * time_s), "noise": rng.normal(0, 0.3, 48000),
             "hum": np.sign(np.sin(2 * np.pi * 50 * time_s))}[kind]  # fmt: skip
    features = encoder.encode(speech_of(0.2 * sound))
    opening = opening_of(features, 3.0)
    assert np.abs(np.diff(opening)).mean() < 0.01


def test_noise_behind_the_voice_is_forgiven(encoder: SpeechEncoder, voice: np.ndarray, heard: SpeechFeatures):
    noise = np.random.default_rng(1).normal(0, 0.1 * voice[8000:40000].std(), len(voice))
    noisy = encoder.encode(speech_of(voice + noise))
    duration_s = len(voice) / 16000
    assert np.corrcoef(opening_of(noisy, duration_s), opening_of(heard, duration_s))[0, 1] > 0.85
