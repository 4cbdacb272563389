"""Emotions never keep the lips from closing nor the lids from blinking, and change the bearing."""

import numpy as np
import pytest

from talkface.motion.emotion import emotion_offset
from talkface.motion.mouth import PRESSED
from talkface.options import EMOTIONS
from talkface.space import DYNAMICS_AXES
from tests.test_motion_emotion import strengths
from training.teacher.moods import add_emotion, emotion_style

COLUMN = DYNAMICS_AXES.index
OPENING = (
    "jawOpen",
    "mouthFunnel",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
)


def test_each_moment_has_its_own_emotion():
    track = np.stack([strengths(happy=0.5), strengths(sad=1.0)])
    dynamics = np.zeros((2, len(DYNAMICS_AXES)))
    moved = add_emotion(dynamics, emotion_offset(track), np.ones(2))
    alone = add_emotion(dynamics[:1], emotion_offset(strengths(happy=0.5)), np.ones(1))
    np.testing.assert_allclose(moved[:1], alone)


@pytest.mark.parametrize("name", EMOTIONS)
def test_closed_lips_stay_closed_and_open_lips_may_open_more(name):
    """On p, b and m the jaw may be open under closed lips: jawOpen = mouthClose."""
    dynamics = np.zeros((2, len(DYNAMICS_AXES)))
    dynamics[:, COLUMN("jawOpen")] = 0.2, 0.4
    dynamics[:, COLUMN("mouthClose")] = 0.2, 0.0
    moved = add_emotion(dynamics, emotion_offset(strengths(**{name: 1.0})), np.ones(2))
    for axis in OPENING:
        assert moved[0, COLUMN(axis)] == dynamics[0, COLUMN(axis)]
    assert moved[1, COLUMN("jawOpen")] >= dynamics[1, COLUMN("jawOpen")]
    assert moved.min() >= 0
    assert moved.max() <= 1


def test_a_smile_rests_and_gives_way_to_a_p():
    dynamics = np.zeros((2, len(DYNAMICS_AXES)))
    dynamics[1, [COLUMN("mouthPressLeft"), COLUMN("mouthPressRight")]] = PRESSED
    rest, pressed = add_emotion(dynamics, emotion_offset(strengths(happy=1.0)), np.ones(2))
    assert 0.6 * rest[COLUMN("mouthSmileLeft")] < pressed[COLUMN("mouthSmileLeft")] < rest[COLUMN("mouthSmileLeft")]
    assert pressed[COLUMN("mouthShrugLower")] > rest[COLUMN("mouthShrugLower")]


def test_sadness_slows_and_lowers_and_happiness_enlivens():
    sad, happy = emotion_style(strengths(sad=1.0)), emotion_style(strengths(happy=1.0))
    assert sad.pace < 1 < happy.pace
    assert sad.head < 1 < happy.head
    assert sad.pitch_deg < 0
    assert emotion_style(strengths(sad=0.0)) == emotion_style(strengths())


def test_bearing_changes_in_proportion_to_the_emotion():
    """A trace of anger must not take all warmth away."""
    half, trace = (emotion_style(strengths(angry=strength)) for strength in (0.5, 0.05))
    assert half.warmth == pytest.approx(0.5)
    assert trace.warmth == pytest.approx(0.95)
    assert emotion_style(strengths(angry=1.0)).warmth == 0
    both = emotion_style(strengths(angry=0.5, sad=0.5))
    assert both.warmth == pytest.approx(0.5 * 0.55)


def test_a_blink_closes_wide_and_squinting_eyes():
    dynamics = np.zeros((2, len(DYNAMICS_AXES)))
    dynamics[1, [COLUMN("eyeBlinkLeft"), COLUMN("eyeBlinkRight")]] = 1
    for name, axis in (("surprised", "eyeWideLeft"), ("happy", "cheekSquintRight")):
        moved = add_emotion(dynamics, emotion_offset(strengths(**{name: 1.0})), np.ones(2))
        assert moved[0, COLUMN(axis)] > 0.3
        assert moved[1, COLUMN(axis)] == 0
