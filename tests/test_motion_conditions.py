"""From controls and voice to tensors and back: round trips, exact gaze and distance, the portrait at rest."""

from dataclasses import replace

import numpy as np
import pytest

from talkface.motion import conditions
from talkface.motion.conditions import (
    AXES,
    COLUMNS,
    EMOTION_ONSET_S,
    GAZE_GAIN,
    HEAD_SHARE,
    MOST_HELD,
    NO_CORNER,
    STEADY_EYES,
    emotional_departure,
    from_departure,
    held_rows,
    mirrored,
    to_departure,
)
from talkface.motion.curves import ease, soft_limit
from talkface.motion.emotion import emotion_offset
from talkface.motion.mouth import measure
from talkface.options import EMOTIONS
from talkface.space import DYNAMICS_AXES, LARGEST_GAZE_DEG, MotionSpace
from talkface.types import Controls, ControlTracks, SpeechFeatures

FPS, FRAMES = 25.0, 40
TIMES_S = np.arange(FRAMES) / FPS
ANGLES = MotionSpace.columns("headYaw", "headPitch", "headRoll")


def tracks(**controls) -> ControlTracks:
    return ControlTracks.constant(Controls(**controls), FRAMES, FPS)


def small_departure(seed: int = 0) -> np.ndarray:
    """Head within the free range, dynamics within 0-1, lips and lids open."""
    values = np.random.default_rng(seed).uniform(0.05, 0.9, (FRAMES, len(AXES))).astype(np.float32)
    values[:, AXES.index("headDistance")] = 0.01
    values[:, [AXES.index(name) for name in ("eyeBlinkLeft", "eyeBlinkRight", "mouthPressRight")]] /= 16
    return values


def motion(departure: np.ndarray, silent: bool = False, **controls) -> np.ndarray:
    return from_departure(departure, tracks(**controls), TIMES_S, silent=silent)


def test_motion_and_departure_are_inverse():
    departure = small_departure()
    there = motion(departure)
    there[:, MotionSpace.index("headDistance")] /= 1.0
    np.testing.assert_allclose(to_departure(there)[10:], departure[10:], atol=1e-5)


@pytest.mark.parametrize("distance", [0.7, 1.0, 1.5])
def test_the_asked_distance_is_exact(distance):
    values = motion(np.zeros((FRAMES, len(AXES)), np.float32), head_distance=distance)
    np.testing.assert_allclose(values[:, MotionSpace.index("headDistance")], distance, rtol=1e-6)


def test_the_asked_gaze_is_held_while_the_head_turns():
    departure = np.zeros((FRAMES, len(AXES)), np.float32)
    departure[:, AXES.index("headYaw")] = np.linspace(-5, 5, FRAMES)
    values = motion(departure, gaze_yaw_deg=8.0, gaze_pitch_deg=-4.0)
    held = values[:, MotionSpace.gaze] + STEADY_EYES * values[:, ANGLES[:2]]
    np.testing.assert_allclose(held[10:], np.tile(GAZE_GAIN * [8.0, -4.0], (FRAMES - 10, 1)), atol=1e-5)


def test_the_head_takes_its_share_of_a_gaze_far_aside_and_the_eyes_keep_theirs():
    still, turns = np.zeros((FRAMES, len(AXES)), np.float32), MotionSpace.columns("headYaw", "headPitch")
    near, far = motion(still, gaze_yaw_deg=10.0), motion(still, gaze_yaw_deg=-20.0, gaze_pitch_deg=10.0)
    assert not near[:, turns].any()
    np.testing.assert_allclose(far[-1, turns], HEAD_SHARE * np.array([-10, 5]), atol=1e-5)
    eyes_deg = soft_limit(GAZE_GAIN * [-20, 10], LARGEST_GAZE_DEG)
    np.testing.assert_allclose(far[-1, MotionSpace.gaze], eyes_deg, atol=1e-5)
    assert not motion(still, gaze_yaw_deg=20.0, amplitude=0.0)[:, turns].any()
    held = replace(tracks(gaze_yaw_deg=20.0), head_deg=np.ones((FRAMES, 3)))
    assert (from_departure(still, held, TIMES_S, silent=False)[:, ANGLES] == 1).all()


def test_the_first_frame_is_the_portrait():
    first = motion(small_departure())[0]
    still = [*ANGLES, *MotionSpace.columns("headX", "headY", "eyeBlinkLeft", "browInnerUp")]
    assert (first[still] == 0).all()
    assert first[MotionSpace.index("headDistance")] == 1
    assert (first[MotionSpace.gaze] == 0).all()


def test_amplitude_scales_head_and_upper_face_but_not_the_lips():
    departure = small_departure()
    whole, half, none = (motion(departure, amplitude=a)[10:] for a in (1.0, 0.5, 0.0))
    brow, jaw, lid = MotionSpace.columns("browInnerUp", "jawOpen", "eyeBlinkLeft")
    np.testing.assert_allclose(half[:, ANGLES], whole[:, ANGLES] / 2, rtol=1e-5)
    np.testing.assert_allclose(half[:, brow], whole[:, brow] / 2, rtol=1e-5)
    np.testing.assert_array_equal(half[:, lid], whole[:, lid])
    for values in (whole, half, none):
        np.testing.assert_array_equal(values[:, jaw], whole[:, jaw])
    assert not none[:, [*ANGLES, brow, lid]].any()


def test_silence_without_amplitude_is_exactly_the_portrait():
    values = motion(small_departure(), silent=True, amplitude=0.0)
    assert (values[:, MotionSpace.index("headDistance")] == 1).all()
    assert not np.delete(values, MotionSpace.index("headDistance"), axis=1).any()


def test_an_emotion_stays_without_amplitude():
    values = motion(small_departure(), silent=True, amplitude=0.0, emotions=(("happy", 1.0),))
    assert values[-1, MotionSpace.index("mouthSmileLeft")] > 0.3
    assert values[-1, MotionSpace.index("cheekSquintLeft")] > 0.3
    assert not values[:, ANGLES].any()


def test_a_fixed_head_replaces_the_made_one():
    asked = replace(tracks(), head_deg=np.full((FRAMES, 3), 6.0))
    values = from_departure(small_departure(), asked, TIMES_S, silent=False)
    assert (values[:, ANGLES] == 6.0).all()
    assert not values[:, MotionSpace.columns("headX", "headY")].any()


def test_pressed_lips_meet_at_the_peak_of_the_press():
    dynamics = np.zeros((7, len(DYNAMICS_AXES)))
    jaw = DYNAMICS_AXES.index("jawOpen")
    dynamics[:, jaw] = 0.1
    before = measure(dynamics)[0]
    closed = conditions.touching(dynamics, np.array([0.0, 0.02, 0.08, 0.2, 0.1, 0.05, 0.0]), 25.0)
    opening = measure(closed)[0]
    assert opening[3] == pytest.approx(0, abs=1e-9)
    assert closed[3, jaw] == pytest.approx(0.4 * dynamics[3, jaw])
    assert (np.diff(opening[1:4]) < 0).all() and (np.diff(opening[3:6]) > 0).all()  # towards it and back, no snap
    np.testing.assert_array_equal(opening[[0, 1, 5, 6]], before[[0, 1, 5, 6]])  # however long the press lasts


def test_a_long_press_stays_shut_and_a_weak_one_does_nothing():
    dynamics = np.zeros((9, len(DYNAMICS_AXES)))
    dynamics[:, DYNAMICS_AXES.index("jawOpen")] = 0.1
    assert measure(conditions.touching(dynamics, np.full(9, 0.3), 25.0))[0] == pytest.approx(0, abs=1e-9)
    np.testing.assert_array_equal(conditions.touching(dynamics, np.full(9, 0.05), 25.0), dynamics)


def test_lips_wide_apart_are_not_shut():
    dynamics = np.zeros((5, len(DYNAMICS_AXES)))
    dynamics[:, DYNAMICS_AXES.index("jawOpen")] = 0.8
    assert (measure(conditions.touching(dynamics, np.full(5, 0.35), 25.0))[0] > 0.25).all()


def test_low_lids_close():
    dynamics, lid = np.zeros((5, len(DYNAMICS_AXES))), DYNAMICS_AXES.index("eyeBlinkLeft")
    dynamics[:, lid] = [0.0, 0.2, 0.5, 0.8, 1.0]
    closed = conditions.touching(dynamics, np.zeros(5), 25.0)[:, lid]
    np.testing.assert_allclose(closed[:2], [0.0, 0.2])
    assert closed[2] > 0.5
    np.testing.assert_allclose(closed[3:], 1.0)


def test_a_smile_gives_way_where_lips_meet():
    dynamics = np.zeros((5, len(DYNAMICS_AXES)))
    smile = DYNAMICS_AXES.index("mouthSmileLeft")
    dynamics[:, smile] = 0.8
    smiling = conditions.touching(dynamics, np.array([0.0, 0.0, 0.35, 0.0, 0.0]), 25.0)[:, smile]
    assert smiling[2] == pytest.approx(0.8 * (1 - conditions.SMILE_YIELDS))
    assert smiling[2] < smiling[1] < smiling[0] == pytest.approx(0.8)


def test_mirroring_twice_changes_nothing_and_once_swaps_sides():
    departure = small_departure()
    np.testing.assert_array_equal(mirrored(mirrored(departure)), departure)
    once = mirrored(departure)
    np.testing.assert_array_equal(once[:, AXES.index("eyeBlinkLeft")], departure[:, AXES.index("eyeBlinkRight")])
    np.testing.assert_array_equal(once[:, AXES.index("mouthLeft")], departure[:, AXES.index("mouthRight")])
    np.testing.assert_array_equal(once[:, AXES.index("headYaw")], -departure[:, AXES.index("headYaw")])
    np.testing.assert_array_equal(once[:, AXES.index("headPitch")], departure[:, AXES.index("headPitch")])


def test_axes_are_all_but_speaking():
    assert set(AXES) == set(MotionSpace.names) - {"speaking"}
    assert [MotionSpace.names[i] for i in COLUMNS] == list(AXES)
    assert set(DYNAMICS_AXES) <= set(AXES)


def features(pitch_hz: float = 200.0) -> SpeechFeatures:
    phones = np.tile(np.array([0.36, 0.64], np.float16), (10, 1))
    voiced = np.ones(10, np.float32)
    pitch = np.full(10, pitch_hz, np.float32)
    pitch[5:] *= 2 ** (3 / 12)
    return SpeechFeatures(phones, ("sil", "AA"), -20 * voiced, voiced, pitch, False)


def test_audio_rows_do_not_depend_on_the_speakers_pitch():
    low, high = conditions.audio_rows(features(100.0)), conditions.audio_rows(features(230.0))
    assert low.shape == (10, 2 + conditions.AUDIO_EXTRAS)
    np.testing.assert_allclose(low, high, atol=1e-4)
    np.testing.assert_allclose(low[0, :2], [0.6, 0.8], atol=1e-3)
    assert low[9, 5] - low[0, 5] == pytest.approx(0.5, abs=1e-3)


def test_silent_row_is_silence():
    row = conditions.silent_row(("sil", "AA"))
    assert row[0] == 1
    assert row[1] == 0
    assert row[2] < -1.5


def test_control_rows():
    rows = conditions.control_rows(tracks(gaze_yaw_deg=20.0, head_distance=1.5, emotions=(("sad", 0.5),)))
    np.testing.assert_allclose(rows["gaze"][0], [1, 0])
    np.testing.assert_allclose(rows["distance"][0], [2])
    assert rows["emotion"][3, EMOTIONS.index("sad")] == 0.5


def test_tracks_are_read_between_their_rows():
    asked = tracks(gaze_yaw_deg=10.0)
    moving = ControlTracks(
        asked.gaze_deg * np.linspace(0, 1, FRAMES)[:, None],
        asked.head_distance,
        asked.emotion,
        asked.amplitude,
        None,
        FPS,
    )
    read = conditions.tracks_at(moving, np.array([0.0, TIMES_S[1] / 2, 99.0]), 50.0)
    assert read.rate_hz == 50.0
    assert read.head_deg is None
    np.testing.assert_allclose(read.gaze_deg[:, 0], [0.0, 5 / (FRAMES - 1), 10.0], rtol=1e-4, atol=1e-6)
    assert read.emotion.shape == (3, 8)


def test_stretch_pads_both_sides():
    rows = np.arange(4, dtype=np.float32)[:, None]
    before, after = np.array([-1.0]), np.array([9.0])
    found = [conditions.stretch(rows, first, 4, before, after)[:, 0].tolist() for first in (-2, 1, 3, 7, -9)]
    assert found == [[-1, -1, 0, 1], [1, 2, 3, 9], [3, 9, 9, 9], [9, 9, 9, 9], [-1, -1, -1, -1]]


def test_emotions_that_change_are_a_mixture_of_held_ones():
    happy, sad = np.eye(len(EMOTIONS), dtype=np.float32)[[EMOTIONS.index(name) for name in ("happy", "sad")]]
    ramp = np.clip((np.arange(90) - 30) / 12, 0, 1)[:, None].astype(np.float32)
    rows = (1 - ramp) * happy + 0.5 * ramp * sad
    held, shares = held_rows(rows)
    np.testing.assert_allclose(shares.sum(0), 1, atol=1e-6)
    np.testing.assert_allclose(shares.T @ held, rows, atol=NO_CORNER)
    assert sorted(held.tolist()) == sorted([happy.tolist(), (0.5 * sad).tolist()]), "corners alike are one"
    assert len(held_rows(ease(ramp) * happy + (1 - ease(ramp)) * sad)[0]) == 2, "a way is as straight when it is eased"
    still, share = held_rows(rows[:20])
    np.testing.assert_array_equal(still, [happy])
    np.testing.assert_array_equal(share, np.ones((1, 20)))


def test_emotions_that_change_all_the_time_are_not_more_than_a_few():
    time = np.arange(80)[:, None]
    busy = (0.5 + 0.5 * np.sin(time * np.arange(1, 9) / 25)).astype(np.float32)
    held, shares = held_rows(busy)
    assert len(held) == MOST_HELD
    np.testing.assert_allclose(shares.sum(0), 1, atol=1e-6)
    assert (shares >= 0).all()
    flicker = np.where(time % 2, busy[:1], busy[40:41])
    assert len(held_rows(flicker)[0]) == 2


@pytest.mark.parametrize("rate_hz", [25.0, 60.0])
def test_emotions_take_their_time(rate_hz):
    frames = round(2 * rate_hz)
    still = ControlTracks.constant(Controls(emotions=(("sad", 0.7),)), frames, rate_hz)
    assert conditions.unhurried(still) is still
    asked = replace(still, emotion=still.emotion * (np.arange(frames) >= rate_hz)[:, None])
    sad = conditions.unhurried(asked).emotion[:, EMOTIONS.index("sad")]
    beyond = np.abs(np.arange(frames) / rate_hz - 1) > EMOTION_ONSET_S / 2 + 1 / rate_hz
    np.testing.assert_allclose(sad[beyond], asked.emotion[beyond, EMOTIONS.index("sad")], atol=1e-6)
    assert np.diff(sad).min() >= -1e-6
    assert np.diff(sad).max() < 0.7 * 2.5 / (EMOTION_ONSET_S * rate_hz)


def test_what_an_emotion_adds_is_its_offset_on_the_face_alone():
    strengths = np.eye(len(EMOTIONS))[EMOTIONS.index("sad")]
    added = emotional_departure(strengths)
    assert added[AXES.index("mouthFrownLeft")] == pytest.approx(emotion_offset(strengths).max(), abs=0.1)
    assert not added[[AXES.index(name) for name in ("headYaw", "gazePitch", "headDistance")]].any()
