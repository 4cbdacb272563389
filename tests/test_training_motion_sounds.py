from __future__ import annotations

import numpy as np
import pytest

from training.motion_sounds import (
    LONGEST_S,
    Recording,
    groups,
    join,
    posteriors,
    shouted,
    swelling,
    voice_of,
    warped,
    whispered,
)
from training.speech_corpus import RATE_HZ, Utterance
from training.speech_phones import INDEX, UNKNOWN


def tone(seconds: float, pitch_hz: float = 150.0) -> np.ndarray:
    """A buzz (N,): harmonics of a pitch, as a voice has them."""
    time_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return sum(np.sin(2 * np.pi * pitch_hz * k * time_s) / k for k in range(1, 20)).astype(np.float32) * 0.05


def utterance(speaker: str, seconds: float = 2.0) -> Utterance:
    """Half silence, half AA."""
    sound = np.r_[np.zeros(int(seconds / 2 * RATE_HZ)), tone(seconds / 2)]
    rows = [(0, seconds / 2, INDEX["sil"]), (seconds / 2, seconds, INDEX["AA"])]
    return Utterance("name", speaker, (sound * 32767).astype(np.int16), np.array(rows, np.float32))


def test_posteriors_say_what_the_segments_say():
    phones = posteriors(utterance("a").segments, 120).astype(np.float64)
    np.testing.assert_allclose(phones.sum(1), 1, atol=2e-3)
    assert phones[10, INDEX["sil"]] > 0.9
    assert phones[75, INDEX["AA"]] > 0.9
    assert phones[110, INDEX["sil"]] > 0.9, "after the last segment there is silence"
    assert 0.1 < phones[50, INDEX["sil"]] < 0.9, "a little soft at the border"


def test_groups_never_mix_voices():
    people = [utterance(f"espeak/{language}+{k}") for k in range(6) for language in ("de", "fr")]
    found = list(groups(people, np.random.default_rng(0)))
    assert sum(map(len, found)) == len(people)
    assert all(len({voice_of(u) for u in group}) == 1 for group in found)
    assert max(map(len, found)) > 1


@pytest.mark.parametrize("seed", range(5))
def test_joined_sounds_keep_their_segments(seed: int):
    recording = join([utterance("a"), utterance("a"), utterance("a", 4.0)], np.random.default_rng(seed))
    assert recording.duration_s <= LONGEST_S
    assert_segments_hold(recording)


@pytest.mark.parametrize("sung", [False, True])
def test_warped_sounds_keep_their_segments(sung: bool):
    recording = join([utterance("a"), utterance("a")], np.random.default_rng(1))
    changed = warped(recording, np.random.default_rng(2), sung=sung)
    assert changed.duration_s != pytest.approx(recording.duration_s, rel=0.01)
    assert_segments_hold(changed)


def assert_segments_hold(recording: Recording) -> None:
    """Sound where AA is said, silence elsewhere."""
    times_s = np.arange(len(recording.samples)) / RATE_HZ
    said = np.zeros(len(times_s), bool)
    for start_s, end_s, phone in recording.segments:
        if phone == INDEX["AA"]:
            said |= (times_s >= start_s + 0.002) & (times_s < end_s - 0.002)
    loud = np.convolve(np.abs(recording.samples), np.ones(160) / 160, "same") > 1e-3
    assert (loud == said).mean() > 0.99


def test_a_recording_with_unknown_phones_is_not_whole():
    known = join([utterance("a")], np.random.default_rng(0))
    assert known.whole
    rows = known.segments.copy()
    rows[0, 2] = UNKNOWN
    assert not Recording("a", "b", known.samples, rows).whole


def periodicity(samples: np.ndarray, pitch_hz: float = 150.0) -> float:
    lag = round(RATE_HZ / pitch_hz)
    return float(np.corrcoef(samples[lag:], samples[:-lag])[0, 1])


def test_a_whisper_has_the_spectrum_but_no_pitch():
    voice = tone(1.0)
    quiet = whispered(voice, np.random.default_rng(0))
    assert quiet.shape == voice.shape
    assert periodicity(voice) > 0.9
    assert abs(periodicity(quiet[2000:-2000])) < 0.3


def test_shouts_are_bright_and_swells_vary():
    voice, rng = tone(9.0), np.random.default_rng(0)
    highs = [np.abs(np.diff(s)).mean() / np.abs(s).mean() for s in (voice, shouted(voice, rng))]
    assert highs[1] > highs[0]
    level = np.abs(swelling(voice, rng)).reshape(-1, 1600).mean(1)
    assert level.max() > 1.5 * level.min()
