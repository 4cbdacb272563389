"""A tracked speaker's own vowels give way to everybody's; what else the lips do stays."""

import numpy as np
import pytest

from talkface.motion.mouth import OPENING_PER_UNIT, measure
from talkface.space import DYNAMICS_AXES, MotionSpace
from training.motion_data import FPS, MotionClip
from training.motion_habits import habits_of, heard_phones, openings, without_habits
from training.speech_phones import PHONES
from training.teacher.articulation import articulate

FRAMES = 400
JAW = DYNAMICS_AXES.index("jawOpen")
VOWELS = ("AA", "AE", "EH", "IY", "AH", "EY", "OW", "UW", "IH", "AO")


def clip(source: str, seed: int = 0, habit: dict[str, float] | None = None) -> MotionClip:
    """Syllables of s or m and a vowel, performed by the rules with a jaw that opens by `habit` further."""
    rng = np.random.default_rng(seed)
    syllables = [(rng.choice(["S", "M"]), rng.choice(VOWELS)) for _ in range(FRAMES // 10)]
    said = np.repeat([PHONES.index(phone) for syllable in syllables for phone in syllable], 10)
    phones = np.eye(len(PHONES), dtype=np.float16)[said]
    steady = np.zeros(len(said), np.float32)
    values = {
        "name": f"{source}{seed}", "source": source, "speaker": "somebody", "held_out": False, "phones": phones,
        "level_db": steady, "voiced": steady + 1, "pitch_hz": steady + 120, "is_silent": False,
        "motion": np.zeros((FRAMES, MotionSpace.size), np.float16), "known": np.ones(MotionSpace.size, bool),
        "gaze_deg": np.zeros(2, np.float32), "head_distance": 1.0, "emotion": np.zeros(8, np.float32), "opening": False,
    }  # fmt: skip
    made = MotionClip(**values)
    motion = np.zeros((FRAMES, MotionSpace.size), np.float32)
    motion[:, MotionSpace.dynamics] = articulate(made.features, FPS, FRAMES / FPS).dynamics
    further = heard_phones(made) @ np.array([(habit or {}).get(name, 0.0) for name in PHONES])
    motion[:, MotionSpace.dynamics.start + JAW] += further / OPENING_PER_UNIT["jawOpen"]
    return MotionClip(**values | {"motion": motion.astype(np.float16)})


def test_who_opens_as_the_rules_do_has_no_habits():
    assert np.abs(habits_of([clip("grid_s1", seed) for seed in range(4)])).max() < 0.03


def test_a_habit_is_found_and_given_up():
    odd = [clip("grid_s1", seed, {"IY": 0.15}) for seed in range(4)]
    habits = habits_of(odd)
    assert PHONES[int(habits.argmax())] == "IY"
    assert habits.max() > 0.07
    heard = np.concatenate([heard_phones(c)[:, PHONES.index("IY")] for c in odd]) > 0.9
    apart = [np.concatenate([openings(c) for c in some])[heard] for some in (odd, without_habits(odd))]
    before, after = (float(np.mean(one[:, 0] - one[:, 1])) for one in apart)
    assert 0 < after < 0.6 * before


def test_only_vowels_have_habits():
    habits = habits_of([clip("facegood", seed, {"S": 0.1}) for seed in range(4)])
    assert habits[PHONES.index("S")] == habits[PHONES.index("M")] == habits[PHONES.index("sil")] == 0


def test_lips_that_touch_still_touch_and_the_teacher_keeps_its_own():
    odd = [clip("grid_s1", seed, {"IY": 0.15}) for seed in range(3)]
    teacher = clip("teacher", 9, {"IY": 0.15})
    *changed, same = without_habits([*odd, teacher])
    assert same is teacher
    for before, after in zip(odd, changed, strict=True):
        mouths = [c.motion[:, MotionSpace.dynamics].astype(np.float64) for c in (before, after)]
        touching = measure(mouths[0])[0] == 0
        assert touching.any()
        assert measure(mouths[1])[0][touching] == pytest.approx(0)
        others = [axis for axis in range(len(DYNAMICS_AXES)) if axis != JAW]
        np.testing.assert_array_equal(mouths[0][:, others], mouths[1][:, others])
