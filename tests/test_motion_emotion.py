"""Emotions move the features FACS names."""

import numpy as np
import pytest

from talkface.motion.emotion import emotion_offset
from talkface.options import EMOTIONS
from talkface.space import DYNAMICS_AXES

COLUMN = DYNAMICS_AXES.index


def strengths(**named: float) -> np.ndarray:
    return np.array([named.get(name, 0.0) for name in EMOTIONS])


def test_neutral_and_no_emotion_are_nothing():
    assert not emotion_offset(strengths(neutral=1.0)).any()
    assert not emotion_offset(strengths()).any()


@pytest.mark.parametrize(
    ("name", "axes"),
    [
        ("happy", ("mouthSmileLeft", "mouthSmileRight", "cheekSquintLeft")),
        ("surprised", ("browInnerUp", "browOuterUpLeft", "eyeWideRight")),
        ("angry", ("browDownLeft", "browDownRight")),
        ("sad", ("mouthFrownLeft", "mouthFrownRight", "browInnerUp")),
        ("disgusted", ("noseSneerLeft", "noseSneerRight")),
        ("afraid", ("mouthStretchLeft", "eyeWideLeft")),
        ("contempt", ("mouthSmileLeft", "mouthDimpleLeft")),
    ],
)
def test_each_emotion_moves_its_features_in_proportion_to_its_strength(name, axes):
    full, half = emotion_offset(strengths(**{name: 1.0})), emotion_offset(strengths(**{name: 0.5}))
    for axis in axes:
        assert full[COLUMN(axis)] >= 0.3
    np.testing.assert_allclose(half, full / 2)


def test_contempt_is_one_sided_and_the_others_are_not():
    for name in EMOTIONS:
        offset = emotion_offset(strengths(**{name: 1.0}))
        sides = [abs(offset[COLUMN(a)] - offset[COLUMN(a[:-4] + "Right")]) for a in DYNAMICS_AXES if a.endswith("Left")]
        assert (max(sides) > 0.1) == (name == "contempt")


def test_emotions_add_up_within_the_range():
    offset = emotion_offset(strengths(happy=1.0, surprised=1.0, sad=1.0))
    assert offset.min() >= 0
    assert offset.max() == 1.0


def test_emotions_over_time_are_the_emotions_of_each_moment():
    track = np.stack([strengths(happy=0.5), strengths(sad=1.0)])
    np.testing.assert_allclose(emotion_offset(track)[1], emotion_offset(strengths(sad=1.0)))
