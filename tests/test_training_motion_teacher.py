from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from talkface.options import EMOTIONS, GAZE_PITCH_LIMIT_DEG, GAZE_YAW_LIMIT_DEG, HEAD_DISTANCE_RANGE, RenderOptions
from talkface.space import MotionSpace
from talkface.types import Controls, SpeechFeatures
from tests.test_training_motion_sounds import utterance
from training.motion_sounds import posteriors
from training.motion_teacher import Teacher, draw_controls, recordings, relative_motion
from training.speech_corpus import CorpusWriter
from training.speech_phones import INDEX, PHONES

FRAMES = 200


@pytest.fixture(scope="module")
def words() -> SpeechFeatures:
    """Eight seconds: AA, M, AA, M ... each a quarter of a second."""
    rows = [(k / 4, (k + 1) / 4, INDEX["M" if k % 2 else "AA"]) for k in range(32)]
    count = 2 * FRAMES
    level = np.zeros(count, np.float32)
    return SpeechFeatures(posteriors(np.array(rows, np.float32), count), PHONES, level, level + 1, level + 120, False)


def test_motion_is_relative_to_what_was_asked(words):
    asked = Controls(gaze_yaw_deg=25.0, gaze_pitch_deg=-10.0, head_distance=1.4)
    plain, aside = (relative_motion(words, controls, FRAMES, 5) for controls in (Controls(), asked))
    assert np.abs(aside[:, MotionSpace.gaze].mean(0)).max() < 5
    np.testing.assert_allclose(aside[:, MotionSpace.index("headDistance")], 1, atol=1e-6)
    np.testing.assert_allclose(aside[:, MotionSpace.dynamics], plain[:, MotionSpace.dynamics], atol=1e-5)


def test_lips_close_on_m_and_open_on_a(words):
    motion = relative_motion(words, Controls(), FRAMES, 1)
    opening = motion[:, MotionSpace.index("jawOpen")] - motion[:, MotionSpace.index("mouthClose")]
    middles = np.round((np.arange(4, 28) + 0.5) / 4 * 25).astype(int)
    assert opening[middles[::2]].min() > 0.15
    assert opening[middles[1::2]].max() < 0.03


def test_wishes_are_within_the_options_and_half_of_them_are_none():
    rng = np.random.default_rng(0)
    wishes = [draw_controls(rng) for _ in range(400)]
    for wish in wishes[:50]:
        RenderOptions(gaze=(wish.gaze_yaw_deg, wish.gaze_pitch_deg), head_distance=wish.head_distance,
                      emotions=wish.emotions)  # fmt: skip
    assert 0.4 < np.mean([not wish.emotions for wish in wishes]) < 0.6
    assert {name for wish in wishes for name, _ in wish.emotions} == set(EMOTIONS[1:])
    assert max(abs(wish.gaze_yaw_deg) for wish in wishes) > 0.9 * GAZE_YAW_LIMIT_DEG
    assert max(abs(wish.gaze_pitch_deg) for wish in wishes) > 0.9 * GAZE_PITCH_LIMIT_DEG
    distances = [wish.head_distance for wish in wishes]
    assert min(distances) < HEAD_DISTANCE_RANGE[0] * 1.1
    assert max(distances) > HEAD_DISTANCE_RANGE[1] * 0.9


class Deaf:
    """Stands for the encoder: hears silence, and counts how often it is asked."""

    def encode(self, speech) -> SpeechFeatures:
        count = -(-len(speech.samples) // 320)
        phones = np.zeros((count, len(PHONES)), np.float16)
        phones[:, INDEX["sil"]] = 1
        nothing = np.zeros(count, np.float32)
        return SpeechFeatures(phones, PHONES, nothing - 20, nothing, nothing, True)


class NoSurroundings:
    """Stands for `Surroundings`: changes nothing."""

    def augment(self, sound, rng):
        return sound

    def bed(self, rng):
        return rng.normal(size=16 * 16_000).astype(np.float32)


def test_the_teacher_knows_what_the_hearing_missed(tmp_path):
    writer = CorpusWriter(tmp_path / "corpus.npz")
    writer.utterances = [utterance("somebody", 4.0), utterance("facegood/1114", 4.0), utterance("espeak/sv+m1", 4.0)]
    writer.save()
    rng = np.random.default_rng(0)
    found = list(recordings(tmp_path / "corpus.npz", 1.0, rng))
    assert {(r.speaker, held) for r, held in found} == {("somebody", False), ("espeak/sv", True)}, "tracks are left out"
    clip = Teacher(Deaf(), NoSurroundings()).clip(found[0][0], False, rng)
    assert clip.is_silent
    assert clip.motion[:, MotionSpace.index("jawOpen")].max() > 0.15
    assert clip.known.all()


def test_who_listens_keeps_the_mouth_shut():
    clip = Teacher(Deaf(), NoSurroundings()).silent_clip(1, np.random.default_rng(0))
    emotion_free = replace(clip, emotion=np.zeros(len(EMOTIONS), np.float32))
    motion = relative_motion(emotion_free.features, emotion_free.controls, len(clip.motion), 3)
    assert motion[:, MotionSpace.index("jawOpen")].max() < 0.02
    assert motion[:, MotionSpace.index("headYaw")].std() > 0.1
    assert motion[:, MotionSpace.index("eyeBlinkLeft")].max() > 0.9
