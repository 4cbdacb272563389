"""The assembled performance: what each control means, and that it is the portrait at the start and at rest."""

import json
from pathlib import Path

import numpy as np
import pytest

from talkface.motion.conditions import GAZE_GAIN
from talkface.motion.controls import read_controls
from talkface.space import DYNAMICS_AXES, MotionSpace
from talkface.types import FEATURE_RATE_HZ, Controls, ControlTracks, SpeechFeatures
from training.teacher import perform as perform_module
from training.teacher.articulation import Articulation
from training.teacher.perform import perform, smile_of_speech

HEAD = MotionSpace.columns("headYaw", "headPitch", "headRoll")
LIDS = MotionSpace.columns("eyeBlinkLeft", "eyeBlinkRight")
DISTANCE = MotionSpace.index("headDistance")


def voice(duration_s: float, silent: bool = False) -> SpeechFeatures:
    """Syllables at 4 Hz in phrases of 2.5 s, pauses of half a second."""
    frames = int(duration_s * FEATURE_RATE_HZ)
    times_s = (np.arange(frames) + 0.5) / FEATURE_RATE_HZ
    loud = np.where(times_s % 3.0 < 2.5, -9 + 9 * np.sin(2 * np.pi * 4 * times_s), -60.0)
    level_db = np.full(frames, -80.0) if silent else loud
    voiced = (level_db > -12).astype(np.float32)
    silence = (level_db < -40).astype(np.float16)[:, None]
    return SpeechFeatures(silence, ("sil",), level_db.astype(np.float32), voiced, 130 * voiced, silent)


def loud_jaw(features: SpeechFeatures, fps: float, duration_s: float) -> Articulation:
    """A stand-in for the articulation: the jaw follows the loudness."""
    times_s = np.arange(round(duration_s * fps)) / fps
    heard_s = (np.arange(len(features.level_db)) + 0.5) / FEATURE_RATE_HZ
    level_db = np.interp(times_s, heard_s, features.level_db)
    mouth = np.zeros((len(times_s), len(DYNAMICS_AXES)))
    mouth[:, DYNAMICS_AXES.index("jawOpen")] = np.clip((level_db + 20) / 20, 0, 1) * 0.4
    return Articulation(mouth, (level_db > -40).astype(float))


@pytest.fixture(autouse=True)
def simple_lips(monkeypatch):
    monkeypatch.setattr(perform_module, "articulate", loud_jaw)


def values_of(duration_s=10.0, fps=25, seed=1, silent=False, **controls) -> np.ndarray:
    frames = round(duration_s * fps)
    return perform(voice(duration_s, silent), Controls(**controls), fps, frames, seed).values


def test_shape_type_and_range():
    motion = perform(voice(3.0), Controls(), 25.0, 75, 1)
    assert motion.values.shape == (75, MotionSpace.size)
    assert motion.values.dtype == np.float32
    assert motion.fps == 25.0
    dynamics = motion.values[:, MotionSpace.dynamics]
    assert dynamics.min() >= 0
    assert dynamics.max() <= 1


@pytest.mark.parametrize("seed", range(5))
def test_first_frame_is_the_portrait(seed):
    first = values_of(seed=seed)[0]
    portrait = np.zeros(MotionSpace.size)
    portrait[DISTANCE] = 1
    mouth = [MotionSpace.index("jawOpen"), MotionSpace.speaking]
    np.testing.assert_allclose(np.delete(first, mouth), np.delete(portrait, mouth), atol=1e-6)


def test_no_amplitude_and_no_voice_is_exactly_the_portrait():
    values = values_of(silent=True, amplitude=0.0)
    assert (values[:, DISTANCE] == 1).all()
    assert not np.delete(values, DISTANCE, axis=1).any()


def test_no_amplitude_moves_lips_only():
    values = values_of(amplitude=0.0)
    moved = {MotionSpace.names[i] for i in np.flatnonzero(np.ptp(values, axis=0))}
    assert moved == {"jawOpen", "speaking"}


def test_amplitude_scales_head_and_expression_and_is_bounded():
    small, half, twice, thrice = (values_of(amplitude=a) for a in (0.25, 0.5, 2.0, 3.0))
    np.testing.assert_allclose(half[:, HEAD], 2 * small[:, HEAD], atol=1e-4)
    np.testing.assert_array_equal(twice, thrice)
    assert np.abs(twice[:, HEAD]).max(0) == pytest.approx([17, 12, 12], abs=5)
    np.testing.assert_array_equal(small[:, MotionSpace.index("jawOpen")], twice[:, MotionSpace.index("jawOpen")])


def test_blinks_close_fully_at_any_amplitude():
    for amplitude in (0.2, 1.0, 2.0):
        lids = values_of(amplitude=amplitude)[:, LIDS]
        assert (lids.max(0) >= 0.99).all()
        shut = lids.min(1) > 0.95
        assert 2 <= (np.diff(shut.astype(int)) == 1).sum() <= 6


def test_same_seed_is_the_same_performance_at_every_frame_rate():
    slow, fast = values_of(fps=25), values_of(fps=50)
    np.testing.assert_allclose(slow, fast[::2], atol=1e-3)
    film = values_of(fps=24)[:, HEAD]
    again = np.stack([np.interp(np.arange(240) / 24, np.arange(500) / 50, c) for c in fast[:, HEAD].T], 1)
    assert np.abs(film - again).max() < 0.1


def test_another_seed_is_another_performance_with_the_same_lips():
    first, again, other = values_of(seed=1), values_of(seed=1), values_of(seed=2)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first[:, HEAD] - other[:, HEAD]).max() > 2
    np.testing.assert_array_equal(first[:, MotionSpace.index("jawOpen")], other[:, MotionSpace.index("jawOpen")])


def test_head_distance_is_the_users_in_every_frame():
    """It moves the whole view, so that a swaying distance would make the background swim."""
    for amplitude in (0, 1):
        assert (values_of(amplitude=amplitude, head_distance=1.3)[:, DISTANCE] == np.float32(1.3)).all()


def test_eyes_hold_their_target_while_the_head_moves():
    """Gaze in the room (head + eye) wanders much less than the head does."""
    values = values_of(seed=3, duration_s=20)
    head, eye = values[:, HEAD[:2]], values[:, MotionSpace.gaze]
    assert np.corrcoef(head[:, 0], eye[:, 0])[0, 1] < -0.6
    still = np.abs(np.diff(eye + 0.85 * head, axis=0)).max(1) < 0.15
    assert still.mean() > 0.7


def test_gaze_control_is_the_main_direction():
    plain, aside = values_of(duration_s=20), values_of(duration_s=20, gaze_yaw_deg=15.0, gaze_pitch_deg=-8.0)
    change = (aside - plain)[25:, MotionSpace.gaze].mean(0)
    np.testing.assert_allclose(change, GAZE_GAIN * (15, -8), atol=2)
    still = values_of(amplitude=0, gaze_yaw_deg=15.0)[10:, MotionSpace.gaze]
    assert (still == still[0]).all()
    assert still[0, 0] >= 15
    assert still[0, 1] == 0


def test_low_lids_go_with_low_brows():
    awake, brows = [], []
    for seed in range(8):
        values = values_of(seed=seed, duration_s=20)
        between = values[:, LIDS].max(1) < 0.35
        wide = values[:, MotionSpace.index("eyeWideLeft")] - values[:, LIDS[0]]
        high = values[:, MotionSpace.index("browInnerUp")] - values[:, MotionSpace.index("browDownLeft")]
        awake, brows = [*awake, *wide[between]], [*brows, *high[between]]
    assert np.corrcoef(awake, brows)[0, 1] > 0.3


def test_a_warm_face_widens_its_open_mouth_by_smiling_unless_it_is_round():
    dynamics = np.zeros((3, len(DYNAMICS_AXES)))
    dynamics[1:, DYNAMICS_AXES.index("jawOpen")] = 0.6
    dynamics[2, DYNAMICS_AXES.index("mouthPucker")] = 0.6
    closed, wide, rounded = smile_of_speech(dynamics)
    assert wide > 2 * closed
    assert rounded == closed


def test_emotion_comes_softly_and_stays():
    smile = MotionSpace.index("mouthSmileLeft")
    values = values_of(amplitude=0, emotions=(("happy", 1.0),))
    assert values[0, smile] == 0
    assert np.abs(np.diff(values[:, smile])).max() < 0.25
    assert values[15:, smile].min() > 0.4
    sad = values_of(emotions=(("sad", 1.0),))
    assert sad[25:, HEAD[1]].mean() < values_of()[25:, HEAD[1]].mean() - 1


def test_lips_articulation_is_kept_under_emotions():
    jaw = MotionSpace.index("jawOpen")
    plain, shocked = values_of(), values_of(emotions=(("surprised", 1.0),))
    closed = plain[:, jaw] == 0
    assert closed.any()
    assert (shocked[closed, jaw] == 0).all()
    assert shocked[:, jaw].max() > plain[:, jaw].max()


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_tiny_performances(frames):
    values = perform(voice(frames / 25), Controls(), 25.0, frames, 0).values
    assert values.shape == (frames, MotionSpace.size)
    assert np.isfinite(values).all()


def keyframes(folder: Path, rows: list[dict], frames: int) -> ControlTracks:
    """Controls as a file of keyframes says, at 25 frames/s."""
    (folder / "controls.json").write_text(json.dumps({"keyframes": rows}), encoding="utf-8")
    return read_controls(folder / "controls.json").tracks(Controls(), frames, 25.0)


def test_the_performance_follows_the_keyframes(tmp_path):
    rows = [
        {"time": 0, "gaze": [0, 0], "emotion": "neutral", "head_distance": 1, "amplitude": 0},
        {"time": 1.5, "emotion": "neutral"},
        {"time": 2, "gaze": [20, 0], "emotion": "happy", "head_distance": 1.3},
    ]
    values = perform(voice(4.0), keyframes(tmp_path, rows, 101), 25.0, 101, 1).values
    assert not values[:, HEAD].any()
    assert values[50:, MotionSpace.index("headDistance")] == pytest.approx(1.3)
    assert values[5, MotionSpace.index("gazeYaw")] < 3 < 20 < values[60, MotionSpace.index("gazeYaw")]
    smile = values[:, MotionSpace.index("mouthSmileLeft")]
    assert smile[40] < 0.1 < 0.4 < smile[60:].max()


def test_a_fixed_head_pose_is_exactly_that_and_the_eyes_keep_their_target(tmp_path):
    rows = [{"time": 0, "head": [10, -5, 3]}, {"time": 0.5, "amplitude": 1, "gaze": [0, 0]}]
    values = perform(voice(4.0), keyframes(tmp_path, rows, 101), 25.0, 101, 1).values
    np.testing.assert_allclose(values[:, HEAD], np.tile([10, -5, 3], (101, 1)))
    assert not values[:, MotionSpace.columns("headX", "headY")].any()
    assert np.median(values[:, MotionSpace.index("gazeYaw")]) == pytest.approx(-8.5, abs=1.5)


def test_liveliness_may_come_and_go(tmp_path):
    rows = [{"time": 0, "amplitude": 1}, {"time": 6, "amplitude": 1}, {"time": 7, "amplitude": 0}]
    values = perform(voice(14.0), keyframes(tmp_path, rows, 350), 25.0, 350, 1).values
    lids, head = values[:, MotionSpace.index("eyeBlinkLeft")], values[:, HEAD]
    assert lids[:160].max() > 0.9
    assert np.ptp(head[:150], axis=0).max() > 2
    assert not head[175:].any()
    assert lids[185:].max() < 0.1
