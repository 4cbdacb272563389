"""What windows are told: with emotions that were held, and not too many of them at once."""

from dataclasses import replace

import numpy as np
import pytest

from talkface.motion.conditions import AUDIO_EXTRAS, AXES
from talkface.motion.denoiser import DenoiserConfig
from talkface.motion.emotion import emotion_offset
from talkface.motion.inputs import GUESSES_AT_ONCE, Inputs
from talkface.options import EMOTIONS
from talkface.space import DYNAMICS_AXES
from talkface.types import Controls, ControlTracks, SpeechFeatures

PHONES = ("sil", "AA")
CONFIG = DenoiserConfig(AXES, PHONES, ("teacher",), len(PHONES) + AUDIO_EXTRAS, window=30, context=10)


def inputs(tracks: ControlTracks) -> Inputs:
    """A silent recording as long as the controls."""
    zeros = np.zeros(2 * len(tracks), np.float32)
    return Inputs(
        SpeechFeatures(np.stack([1 - zeros, zeros], 1), PHONES, zeros - 60, zeros, zeros, True), tracks, CONFIG
    )


def test_the_frames_before_a_window_are_told_as_if_its_emotion_had_been_held():
    emotion = np.zeros((120, len(EMOTIONS)), np.float32)
    emotion[:66, EMOTIONS.index("happy")] = 1
    tracks = replace(ControlTracks.constant(Controls(), 120, 25.0), emotion=emotion)
    (told,) = inputs(tracks).told(66)
    assert not told.rows["emotion"].any()
    smile = AXES.index("mouthSmileLeft")
    np.testing.assert_allclose(
        told.apart[:10, smile], -emotion_offset(emotion[0])[DYNAMICS_AXES.index("mouthSmileLeft")]
    )
    assert not told.apart[10:].any()


@pytest.mark.parametrize("changes", [False, True])
def test_windows_are_guessed_together_in_order_and_as_many_as_their_emotions_allow(changes):
    tracks = ControlTracks.constant(Controls(), 400, 25.0)
    happy = np.eye(len(EMOTIONS), dtype=np.float32)[EMOTIONS.index("happy")]
    if changes:
        tracks = replace(tracks, emotion=(np.sin(np.arange(400) / 9) ** 2)[:, None].astype(np.float32) * happy)
    begins = range(-10, 400, 8)
    batches = list(inputs(tracks).in_batches(begins))
    assert [start for batch in batches for start in batch] == list(begins)
    sizes = [sum(map(len, batch.values())) for batch in batches]
    assert max(sizes) <= GUESSES_AT_ONCE
    assert (max(map(len, batches)) == GUESSES_AT_ONCE) is not changes
