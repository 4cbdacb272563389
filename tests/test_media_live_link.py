"""The CSV of Live Link Face: the app's columns, and angles and shapes that mean what they mean there."""

import numpy as np
import pytest

from talkface.media.live_link import ANGLES, HEADER, SHAPES, from_columns, seconds_of, timecode, to_rows
from talkface.space import DYNAMICS_AXES, MotionSpace

FIRST_AND_LAST = (
    "Timecode,BlendShapeCount,EyeBlinkLeft,EyeLookDownLeft,EyeLookInLeft,EyeLookOutLeft,EyeLookUpLeft,EyeSquintLeft,"
    "EyeWideLeft,EyeBlinkRight",
    "NoseSneerLeft,NoseSneerRight,TongueOut,HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,LeftEyePitch,LeftEyeRoll,"
    "RightEyeYaw,RightEyePitch,RightEyeRoll",
)


def motion(**axes: float) -> np.ndarray:
    """Two frames: the portrait, then the named axes."""
    values = np.zeros((2, MotionSpace.size))
    values[:, MotionSpace.index("headDistance")] = 1
    values[:, MotionSpace.speaking] = 1
    for name, value in axes.items():
        values[1, MotionSpace.index(name)] = value
    return values


def row(**axes: float) -> dict[str, float]:
    return dict(zip(HEADER[2:], to_rows(motion(**axes))[1], strict=True))


def test_the_columns_are_the_apps():
    line = ",".join(HEADER)
    assert line.startswith(FIRST_AND_LAST[0])
    assert line.endswith(FIRST_AND_LAST[1])
    assert (len(SHAPES), len(ANGLES), len(set(HEADER))) == (52, 9, 63)


def test_every_blendshape_has_its_column():
    for name in DYNAMICS_AXES:
        made = row(**{name: 0.5})
        assert {key for key, value in made.items() if value} == {name[0].upper() + name[1:]}


def test_looking_to_the_pictures_right_is_out_for_the_left_eye_and_in_for_the_right():
    made = row(gazeYaw=35.0)
    assert made["EyeLookOutLeft"] == made["EyeLookInRight"] == 1
    assert made["EyeLookInLeft"] == made["EyeLookOutRight"] == 0
    assert made["LeftEyeYaw"] == made["RightEyeYaw"] == pytest.approx(-0.6109, abs=1e-4)


def test_looking_down_is_positive_pitch_as_recorded_by_the_app():
    """A recording has EyeLookDown .1126 beside LeftEyePitch .0688, and EyeLookUp .3452 beside -.1540."""
    assert row(gazePitch=np.degrees(-0.0688))["EyeLookDownLeft"] == pytest.approx(0.1126, abs=2e-4)
    assert row(gazePitch=np.degrees(0.1540))["EyeLookUpRight"] == pytest.approx(0.3452, abs=2e-3)
    assert row(gazePitch=-10.0)["LeftEyePitch"] > 0


def test_head_angles_are_radians_to_the_characters_right_down_and_left():
    made = row(headYaw=-10.0, headPitch=-10.0, headRoll=10.0)
    assert [made[f"Head{turn}"] for turn in ("Yaw", "Pitch", "Roll")] == pytest.approx([0.1745] * 3, abs=1e-4)


def test_there_and_back():
    rng = np.random.default_rng(0)
    values = motion()
    values[1, MotionSpace.dynamics] = rng.random(len(DYNAMICS_AXES))
    values[1, MotionSpace.columns("headYaw", "headPitch", "headRoll", "gazeYaw", "gazePitch")] = 9, -4, 2, -13, 7
    columns = dict(zip(HEADER[2:], to_rows(values).T, strict=True))
    np.testing.assert_allclose(from_columns(columns), values, atol=1e-9)


def test_a_recording_counts_from_its_first_frame():
    columns = {"HeadYaw": np.array([0.2, 0.3]), "EyeLookUpLeft": np.array([0.5, 0.5]), "JawOpen": np.array([0.1, 0.2])}
    values = from_columns(columns)
    assert values[:, MotionSpace.index("headYaw")] == pytest.approx([0, -5.73], abs=0.01)
    assert not values[:, MotionSpace.gaze].any()
    assert values[:, MotionSpace.index("jawOpen")] == pytest.approx([0.1, 0.2])


@pytest.mark.parametrize("fps", [30, 60])
def test_timecodes_there_and_back(fps):
    codes = [timecode(frame, fps) for frame in range(fps * 3700)][:: fps // 2 + 7]
    expected = np.arange(fps * 3700)[:: fps // 2 + 7] / fps
    np.testing.assert_allclose(seconds_of(codes), expected, atol=1e-9)
    assert timecode(0, fps) == "00:00:00:00.000"


def test_recorded_timecodes_have_parts_of_frames_and_may_pass_midnight():
    np.testing.assert_allclose(seconds_of(["23:59:59:58.804", "00:00:00:00.805"]), [0, 2.001 / 60], atol=1e-6)
    np.testing.assert_allclose(seconds_of(["12:24:24:19.960", "12:24:24:31.960"]), [0, 0.2], atol=1e-6)


@pytest.mark.parametrize("codes", [["00:00:01"], ["a:b:c:d"], ["0:0:0:0", "1"]])
def test_what_is_no_timecode_is_a_value_error(codes):
    with pytest.raises(ValueError):
        seconds_of(codes)
