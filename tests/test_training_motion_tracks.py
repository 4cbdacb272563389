from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from talkface.motion.mouth import measure
from talkface.space import DYNAMICS_AXES, MotionSpace
from talkface.types import SPEECH_RATE_HZ
from training.motion_data import FPS
from training.motion_tracks import (
    FACEGOOD,
    FACEGOOD_FPS,
    FACEGOOD_LATE_S,
    KNOWN_OF_GRID,
    MOUTH_GAIN,
    OVERLAP_FRAMES,
    Moved,
    articulated,
    as_drawn,
    facegood_motion,
    faded,
    joined,
    retimed,
    shut_eye,
)


def dynamics(**curves: np.ndarray) -> np.ndarray:
    out = np.zeros((len(next(iter(curves.values()))), len(DYNAMICS_AXES)))
    for axis, curve in curves.items():
        out[:, DYNAMICS_AXES.index(axis)] = curve
    return out


def test_lips_that_touch_are_shut_and_others_open_wider():
    values = dynamics(jawOpen=np.array([0.0, 0.02, 0.1, 0.3]), browInnerUp=np.full(4, 0.2))
    before, after = (measure(v)[0] for v in (values, articulated(values, MOUTH_GAIN)))
    np.testing.assert_allclose(after[:2], 0, atol=1e-3)
    np.testing.assert_allclose(after[2:], MOUTH_GAIN * before[2:], rtol=1e-6)
    np.testing.assert_allclose(articulated(values, MOUTH_GAIN)[:, DYNAMICS_AXES.index("browInnerUp")], 0.2)


def test_a_persons_blinks_tell_what_shut_is():
    lids = np.zeros(500)
    for k in range(10):
        lids[50 * k + 10 : 50 * k + 13] = (0.3, 0.6 + 0.01 * k, 0.3)
    shut = shut_eye(dynamics(eyeBlinkLeft=lids, eyeBlinkRight=lids))
    assert 0.6 < shut < 0.65
    assert shut_eye(np.zeros((100, len(DYNAMICS_AXES)))) > 0.5, "nobody blinked: the usual value"


def test_fading_is_smooth_and_keeps_the_length():
    out = faded(np.zeros(20), np.ones(30), 6)
    assert len(out) == 44
    assert np.abs(np.diff(out)).max() < 0.2
    assert (np.diff(out) >= 0).all()


def test_joined_recordings_stay_in_time():
    """A click in the sound where the jaw opens, in every recording."""
    parts = []
    for k in range(8):
        samples, motion = np.zeros(48_000 - 200 * k, np.float32), np.zeros((75, MotionSpace.size), np.float32)
        frame = 20 + 5 * k
        samples[frame * 640], motion[frame, MotionSpace.index("jawOpen")] = 1, 1
        parts.append(Moved(f"r{k}", "s", False, samples, motion, KNOWN_OF_GRID))
    for whole in joined(parts):
        assert len(whole.motion) == 4 * 75 - 3 * OVERLAP_FRAMES
        clicks = np.flatnonzero(whole.samples > 0.5) / 640
        np.testing.assert_allclose(
            clicks, np.flatnonzero(whole.motion[:, MotionSpace.index("jawOpen")] > 0.5), atol=0.01
        )
    assert [whole.held_out for whole in joined(parts)] == [True, False]


def test_head_and_eyes_of_grid_are_not_learned():
    assert not KNOWN_OF_GRID[MotionSpace.pose].any()
    assert not KNOWN_OF_GRID[MotionSpace.columns("gazeYaw", "eyeBlinkLeft", "speaking")].any()
    assert KNOWN_OF_GRID[MotionSpace.columns("jawOpen", "browInnerUp")].all()


def test_a_turn_that_is_read_too_small_is_asked_for_larger():
    read = np.array([[9.0, 0.0, 5.0, 0.0945, 0.0, 1.0], [0.0, 6.6, 0.0, 0.0, -0.0891, 1.0]])
    wanted = [[12.0, 0.0, 5.0, 0.0, 0.0, 1.0], [0.0, 10.0, 0.0, 0.0, 0.0, 1.0]]
    np.testing.assert_allclose(as_drawn(read), wanted, atol=1e-9)


def test_facegood_is_resampled_and_named(tmp_path: Path):
    names = np.array(["mouth_stretch_c", "mouth_pucker_l", "mouth_pucker_r"])
    weights = np.zeros((90, 3), np.float16)
    weights[42:48, 0], weights[60:, 1:] = 0.5, 0.4
    np.savez(tmp_path / "a.npz", weights=weights, names=names)
    motion = facegood_motion(tmp_path / "a.npz")
    assert len(motion) == 75
    jaw = motion[:, MotionSpace.index("jawOpen")]
    assert np.flatnonzero(jaw > 0.5).mean() / 25 == pytest.approx(44.5 / FACEGOOD_FPS - FACEGOOD_LATE_S, abs=0.03)
    assert jaw.max() == pytest.approx(0.5 * FACEGOOD["jawOpen"]["mouth_stretch_c"] * MOUTH_GAIN, rel=0.01)
    assert motion[70, MotionSpace.index("mouthPucker")] == pytest.approx(0.4 * 1.24 * MOUTH_GAIN, rel=0.01)


@pytest.mark.parametrize("speed", [0.8, 1.25])
def test_a_retimed_recording_keeps_sound_and_movement_together(speed):
    frames, rate = 100, SPEECH_RATE_HZ
    motion = np.zeros((frames, MotionSpace.size), np.float32)
    samples = np.zeros(frames * rate // int(FPS), np.float32)
    motion[60:, 0], samples[60 * rate // int(FPS) :] = 1, 1
    played = retimed(Moved("a", "b", False, samples, motion, np.ones(MotionSpace.size, bool)), speed)
    assert len(played.samples) * FPS == len(played.motion) * rate
    assert len(played.motion) == pytest.approx(frames / speed, abs=1)
    begins_s = np.flatnonzero(played.samples > 0.5)[0] / rate
    assert begins_s == pytest.approx(60 / FPS / speed, abs=0.01)
    assert np.flatnonzero(played.motion[:, 0] > 0.5)[0] / FPS == pytest.approx(begins_s, abs=1 / FPS)
