"""The speaking mouth means what is said: closed on p b m and in silence, open on "ah", round on "oo", wide on "ee"."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.closures import Phone
from benchmarks.closures import closures as closures_of
from talkface.motion.mouth import measure
from talkface.motion.voice import silence_of
from talkface.options import EMOTIONS
from talkface.space import DYNAMICS_AXES, MOUTH_AXES
from talkface.types import FEATURE_RATE_HZ, SpeechFeatures
from tests.test_motion_voice import at
from tests.test_motion_voice import voice as voice_of
from training.teacher.articulation import articulate, pause_curve
from training.teacher.perform import perform
from training.teacher.visemes import CHANNELS, tables

PHONES = ("sil", "AA", "IY", "UW", "P", "M", "F", "S", "K")


def spoken(*parts: tuple[str, float], level_db: float = -6.0) -> SpeechFeatures:
    """Features of a made-up speech: (phone, seconds) one after the other, heard without a doubt."""
    labels = np.concatenate([np.full(round(s * FEATURE_RATE_HZ), PHONES.index(p)) for p, s in parts])
    phones = np.eye(len(PHONES), dtype=np.float16)[labels]
    level = np.where(labels == 0, -60.0, np.where(labels == PHONES.index("P"), -35.0, level_db)).astype(np.float32)
    zeros = np.zeros(len(labels), np.float32)
    return SpeechFeatures(phones, PHONES, level, zeros, zeros, bool((labels == 0).all()))


def mouth(features: SpeechFeatures, fps: float = 25.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Opening, width and dynamics of a speech."""
    made = articulate(features, fps, len(features.level_db) / FEATURE_RATE_HZ)
    return (*measure(made.dynamics), made.dynamics)


def axis(dynamics: np.ndarray, name: str) -> np.ndarray:
    return dynamics[:, DYNAMICS_AXES.index(name)]


def test_lips_close_on_every_p_and_open_on_every_a():
    parts = [("sil", 0.4)] + [("P", 0.1), ("AA", 0.2)] * 4 + [("sil", 0.6)]
    opening, _, _ = mouth(spoken(*parts))
    for i in range(4):
        closure = slice(round((0.4 + 0.3 * i) * 25) - 1, round((0.5 + 0.3 * i) * 25) + 1)
        vowel = slice(round((0.5 + 0.3 * i) * 25), round((0.7 + 0.3 * i) * 25))
        assert opening[closure].min() < 0.02
        assert opening[vowel].max() > 0.15


@pytest.mark.parametrize("fps", [24.0, 25.0, 29.97, 30.0, 50.0, 60.0])
def test_an_m_between_vowels_closes_at_every_frame_rate(fps: float):
    opening, _, dynamics = mouth(spoken(("AA", 0.3), ("M", 0.07), ("AA", 0.3)), fps)
    assert opening[round(0.25 * fps) : round(0.42 * fps)].min() < 0.03
    assert axis(dynamics, "mouthPressLeft").max() > 0.15


@pytest.mark.parametrize("emotion", EMOTIONS)
@pytest.mark.parametrize("doubt", [0.0, 0.75])
def test_every_p_and_m_of_a_quick_sentence_closes_whatever_the_mood_and_the_doubt(emotion: str, doubt: float):
    """40-80 ms closures between all vowels, the recogniser three quarters sure that it hears something else."""
    parts, at_s, closures = [("sil", 0.3)], 0.3, []
    for i, vowel in enumerate(("AA", "IY", "UW", "AA", "S", "IY", "K", "AA")):
        bilabial, length_s = "PM"[i % 2], (0.04, 0.06, 0.08)[i % 3]
        parts += [(vowel, 0.12), (bilabial, length_s)]
        closures.append(Phone(at_s + 0.12, at_s + 0.12 + length_s, bilabial))
        at_s += 0.12 + length_s
    features = spoken(*parts, ("AA", 0.2), ("sil", 0.4))
    heard = features.phones.astype(np.float32)
    bilabials = heard[:, [PHONES.index("P"), PHONES.index("M")]].sum(1)
    heard[bilabials > 0] *= 1 - doubt
    heard[:, PHONES.index("K")] += doubt * bilabials
    unsure = replace(features, phones=heard.astype(np.float16))
    found = closures_of(unsure, closures, emotion, perform)
    assert (found.frames_near > 0).all()
    assert found.inside.mean() > 0.75


def test_rounding_spreading_and_tucking():
    _, round_width, round_axes = mouth(spoken(("K", 0.2), ("UW", 0.4), ("K", 0.2)))
    _, wide_width, wide_axes = mouth(spoken(("K", 0.2), ("IY", 0.4), ("K", 0.2)))
    assert round_width.min() < -0.05 < 0.04 < wide_width.max()
    assert axis(round_axes, "mouthPucker").max() > 0.4 > 0.05 > axis(wide_axes, "mouthPucker").max()
    tuck_opening, _, tuck_axes = mouth(spoken(("AA", 0.3), ("F", 0.12), ("AA", 0.3)))
    assert axis(tuck_axes, "mouthRollLower").max() > 0.3
    assert tuck_opening[7:11].min() < 0.35 * tuck_opening.max()


def test_a_sibilant_keeps_the_jaw_up_and_shows_the_teeth():
    _, _, dynamics = mouth(spoken(("AA", 0.4), ("S", 0.2), ("AA", 0.4)))
    jaw, lips = axis(dynamics, "jawOpen"), axis(dynamics, "mouthLowerDownLeft")
    assert jaw[12] < 0.4 * jaw.max()
    assert lips[12] > 0.1


def test_rounding_starts_before_the_sound():
    _, _, dynamics = mouth(spoken(("K", 0.4), ("UW", 0.4)))
    pucker = axis(dynamics, "mouthPucker")
    assert pucker[9] > 0.3 * pucker.max()
    assert pucker[5] < 0.2 * pucker.max()


def test_louder_is_wider_within_bounds():
    loud, soft = (mouth(spoken(("AA", 1.0), level_db=level))[0].max() for level in (0.0, -20.0))
    assert 1.3 * soft < loud < 3 * soft
    assert mouth(spoken(("AA", 1.0), level_db=30.0))[0].max() < 0.7


def test_silence_is_a_closed_still_mouth():
    made = articulate(spoken(("sil", 2.0)), 25.0, 2.0)
    assert made.dynamics.shape == (50, len(DYNAMICS_AXES)) and not made.dynamics.any() and not made.speaking.any()


def test_long_pauses_close_and_short_ones_need_not():
    opening, _, dynamics = mouth(spoken(("AA", 0.5), ("sil", 0.8), ("AA", 0.5)))
    pause = slice(round(0.7 * 25), round(1.15 * 25))
    assert opening[pause].max() < 0.03
    assert np.abs(np.diff(dynamics[pause], axis=0)).max() < 0.03


def test_speaking_covers_the_voice_and_rests_outside_it():
    features = spoken(("sil", 2.0), ("AA", 1.0), ("sil", 1.0), ("AA", 1.0), ("sil", 3.0))
    speaking = articulate(features, 25.0, 8.0).speaking
    assert speaking[:20].max() < 0.1 and speaking[-25:].max() < 0.1
    assert speaking[50:75].min() > 0.95 and speaking[80:95].min() > 0.95
    assert speaking.min() >= 0 and speaking.max() <= 1


def test_only_mouth_axes_move_and_stay_in_range():
    rng = np.random.default_rng(0)
    phones = rng.dirichlet(np.full(len(PHONES), 0.1), 300).astype(np.float16)
    zeros = np.zeros(300, np.float32)
    made = articulate(SpeechFeatures(phones, PHONES, zeros, zeros, zeros, False), 25.0, 6.0)
    moving = {DYNAMICS_AXES[k] for k in np.flatnonzero(made.dynamics.any(0))}
    assert moving and moving <= set(MOUTH_AXES)
    assert made.dynamics.min() >= 0 and made.dynamics.max() <= 1


def test_smooth_even_when_the_encoder_is_not():
    rng = np.random.default_rng(1)
    labels = rng.integers(1, len(PHONES), 500)
    zeros = np.zeros(500, np.float32)
    features = SpeechFeatures(np.eye(len(PHONES), dtype=np.float16)[labels], PHONES, zeros, zeros, zeros, False)
    speed = np.diff(mouth(features)[0])
    power = np.abs(np.fft.rfft(speed)) ** 2
    assert power[np.fft.rfftfreq(len(speed), 1 / 25) > 8].sum() < 0.35 * power.sum()


@pytest.mark.parametrize(
    ("fps", "duration_s", "frames"), [(25.0, 1.0, 25), (29.97, 10.0, 300), (60.0, 0.2, 12), (24.0, 0.01, 1)]
)
def test_frame_count(fps: float, duration_s: float, frames: int):
    made = articulate(spoken(("AA", 0.2)), fps, duration_s)
    assert made.dynamics.shape == (frames, len(DYNAMICS_AXES)) and made.speaking.shape == (frames,)


def test_tables_know_every_phone_of_the_encoder_and_forgive_others():
    targets, dominance = tables(("sil", "AA", "??"))
    assert targets.shape == dominance.shape == (3, len(CHANNELS))
    assert targets[1, 0] > 0.7 and 0 < targets[2, 0] < 1 and (dominance > 0).all()


def test_only_pauses_that_are_long_enough_count():
    curve = pause_curve(silence_of(voice_of((True, 1), (False, 0.2), (True, 1), (False, 0.8), (True, 1))))
    assert at(curve, 1.1) < 0.05
    assert at(curve, 2.6) > 0.95
