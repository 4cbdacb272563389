"""The records that compute something."""

import numpy as np

from talkface.options import EMOTIONS
from talkface.types import Controls, ControlTracks


def test_constant_controls_become_tracks():
    emotions = (("happy", 0.6), ("happy", 0.7), ("sad", 0.2))
    tracks = ControlTracks.constant(Controls(5.0, -3.0, 1.2, emotions, 0.5), 4, 25.0)
    np.testing.assert_allclose(tracks.gaze_deg, np.tile([5, -3], (4, 1)))
    np.testing.assert_allclose(tracks.head_distance, np.full(4, 1.2), rtol=1e-6)
    np.testing.assert_allclose(tracks.amplitude, np.full(4, 0.5))
    assert tracks.emotion.shape == (4, len(EMOTIONS))
    assert tracks.emotion[3, EMOTIONS.index("happy")] == 1
    assert tracks.emotion.sum(1)[0] == np.float32(1.2)
    assert tracks.head_deg is None
    assert len(tracks) == 4
