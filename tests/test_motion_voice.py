"""When somebody speaks: from just before the first sound to just after the last."""

import numpy as np

from talkface.motion.voice import LEAD_MS, sample, speaking_curve
from talkface.types import FEATURE_RATE_HZ, SpeechFeatures


def voice(*parts: tuple[bool, float]) -> SpeechFeatures:
    """(somebody speaks, seconds) one after the other."""
    spoken = np.concatenate([np.full(round(s * FEATURE_RATE_HZ), speaks) for speaks, s in parts])
    zeros = np.zeros(len(spoken), np.float32)
    return SpeechFeatures(np.stack([~spoken, spoken], 1).astype(np.float16), ("sil", "AA"), zeros, zeros, zeros, False)


def at(curve: np.ndarray, time_s: float) -> float:
    return float(curve[round(time_s * FEATURE_RATE_HZ)])


def test_somebody_speaks_through_short_pauses_but_not_before_after_and_in_very_long_ones():
    curve = speaking_curve(voice((False, 2), (True, 1), (False, 1), (True, 1), (False, 5), (True, 1), (False, 2)))
    assert min(at(curve, t) for t in (2.2, 3.5, 4.5, 10.5)) > 0.95
    assert max(at(curve, t) for t in (0.5, 7.5, 12.8)) < 0.05


def test_lips_are_ahead_of_the_sound():
    line = np.arange(50.0)
    np.testing.assert_allclose(sample(line, np.array([0.5])), (0.5 + LEAD_MS / 1000) * FEATURE_RATE_HZ - 0.5)
