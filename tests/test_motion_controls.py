"""Controls over time: keyframes are read from both formats, checked one by one, and eased into tracks."""

from __future__ import annotations

import json

import numpy as np
import pytest

from talkface.errors import InputError
from talkface.motion.controls import COLUMNS, read_controls
from talkface.options import EMOTIONS
from talkface.types import Controls, ControlTracks

CONSTANT = Controls(gaze_yaw_deg=5.0, head_distance=1.2, emotions=(("sad", 0.3),), amplitude=0.5)


@pytest.fixture
def read(tmp_path):
    """Read keyframes written as JSON, or a text as it is."""

    def call(given: object, name: str = "controls.json"):
        text = given if isinstance(given, str) else json.dumps({"keyframes": given})
        (tmp_path / name).write_text(text, encoding="utf-8")
        return read_controls(tmp_path / name)

    return call


@pytest.fixture
def tracks(read):
    def call(given: object, frames: int = 101, rate_hz: float = 25.0, **name: str) -> ControlTracks:
        return read(given, **name).tracks(CONSTANT, frames, rate_hz)

    return call


def test_a_value_is_held_eased_and_held(tracks):
    distance = tracks([{"time": 1, "head_distance": 0.8}, {"time": 3, "head_distance": 1.4}]).head_distance
    np.testing.assert_allclose(distance[:26], 0.8)
    np.testing.assert_allclose(distance[75:], 1.4)
    assert distance[50] == pytest.approx(1.1)
    steps = np.diff(distance)
    assert (steps >= 0).all()
    assert steps[25] < 0.1 * steps.max()
    assert steps[74] < 0.1 * steps.max()


def test_a_table_with_semicolons_and_decimal_commas_is_read(tracks):
    table = "time;head_distance;emotion\r\n0;0,8;\r\n3;1,4;happy:0,5\r\n"
    made = tracks(table, name="controls.csv")
    np.testing.assert_allclose(made.head_distance[[0, 100]], (0.8, 1.4))
    assert made.emotion[-1].max() == pytest.approx(0.5)


def test_each_control_has_its_own_keyframes(tracks):
    rows = [{"time": 0, "gaze": [0, 0]}, {"time": 2, "amplitude": 2}, {"time": 4, "gaze": [-20, 10]}]
    made = tracks(rows)
    np.testing.assert_allclose(made.gaze_deg[50], [-10, 5], atol=1e-5)
    np.testing.assert_allclose(made.amplitude, 2)


def test_controls_without_keyframes_stay_as_the_options_say(tracks):
    made, constant = tracks([{"time": 0, "gaze": [1, 2]}]), ControlTracks.constant(CONSTANT, 101, 25.0)
    np.testing.assert_allclose(made.gaze_deg, np.tile([1, 2], (101, 1)))
    for name in ("head_distance", "emotion", "amplitude"):
        np.testing.assert_array_equal(getattr(made, name), getattr(constant, name))
    assert made.head_deg is None
    assert len(made) == 101


@pytest.mark.parametrize("happy", ["happy:0.6", "happy:0.6 sad:0", {"happy": 0.6}, {"happy": 0.6, "neutral": 1}])
def test_an_emotion_is_the_whole_mixture_and_crosses_over_to_the_next(tracks, happy):
    made = tracks([{"time": 0, "emotion": happy}, {"time": 4, "emotion": "Angry"}]).emotion
    happy_at, angry_at = EMOTIONS.index("happy"), EMOTIONS.index("angry")
    assert made[0, happy_at] == pytest.approx(0.6)
    assert made[50, [happy_at, angry_at]] == pytest.approx([0.3, 0.5])
    assert made[100, [happy_at, angry_at]] == pytest.approx([0, 1])
    assert not made[:, EMOTIONS.index("sad")].any()


def test_csv_says_the_same_as_json(tracks):
    text = "time, gaze_pitch, gaze_yaw, emotion, head_yaw, head_pitch, head_roll\n0,0,0,neutral,,,\n\n"
    text += '2.5,4,-12,"happy:0.6, sad:0.2",5,-2,1\n4,,,,0,0,0\n'
    rows = [
        {"time": 0, "gaze": [0, 0], "emotion": "neutral"},
        {"time": 2.5, "gaze": [-12, 4], "emotion": {"happy": 0.6, "sad": 0.2}, "head": [5, -2, 1]},
        {"time": 4, "head": [0, 0, 0]},
    ]
    from_csv, from_json = tracks(text, name="controls.csv"), tracks(rows)
    for name in ControlTracks.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(from_csv, name), getattr(from_json, name))


@pytest.mark.parametrize("frames", [1, 2])
def test_tiny_tracks(tracks, frames):
    assert len(tracks([{"time": 0, "gaze": [1, 1]}, {"time": 9, "gaze": [2, 2]}], frames)) == frames


def test_keyframes_beyond_the_speech_are_told(read):
    timeline = read([{"time": 0, "gaze": [0, 0]}, {"time": 12.5, "gaze": [0, 0]}])
    assert timeline.notes(12.5) == ()
    (note,) = timeline.notes(9.24)
    assert "controls.json has keyframes up to 12.5 s, but the speech ends at 9.24 s" in note


@pytest.mark.parametrize(
    ("given", "words", "hint"),
    [
        ("{", "is not JSON: line 1", ""),
        ("[" * 100_000, "nested too deeply", ""),
        ("[]", 'no list called "keyframes"', ""),
        ('{"keyframes": {}}', 'no list called "keyframes"', ""),
        ('{"keyframes": [], "keyframe": 1}', "unknown key 'keyframe'", "'keyframes'"),
        ([], "holds no keyframes", ""),
        ([{"time": 1}], "holds no keyframes", ""),
        ([3], "keyframe 1 is not an object", ""),
        ([{"time": 0, "gase": [0, 0]}], "keyframe 1 has an unknown key 'gase'", "'gaze'"),
        ([{"time": 0, "zzz": 0}], "unknown key 'zzz'", "Known are: time, gaze"),
        ([{"gaze": [0, 0]}], "keyframe 1 has no 'time'", ""),
        ([{"time": -1, "gaze": [0, 0]}], "time must be 0 or more, got -1", ""),
        ([{"time": "1", "gaze": [0, 0]}], 'time must be a number, got "1"', ""),
        ([{"time": True, "gaze": [0, 0]}], "time must be a number, got true", ""),
        ('{"keyframes": [{"time": NaN}]}', "time must be a number, got NaN", ""),
        ('{"keyframes": [{"time": 1' + "0" * 400 + "}]}", "time must be a number, got Infinity", ""),
        ([{"time": 2, "amplitude": 1}, {"time": 1, "amplitude": 1}], "keyframe 2: the time 1 s does not come", "order"),
        ([{"time": 2, "amplitude": 1}, {"time": 2, "amplitude": 1}], "keyframe 2: the time 2 s does not come", "once"),
        ([{"time": 0, "gaze": 5}], "'gaze' must be 2 numbers: yaw, pitch", ""),
        ([{"time": 0, "gaze": [1, 2, 3]}], "'gaze' must be 2 numbers", ""),
        ([{"time": 0, "gaze": [1, None]}], "gaze_pitch must be a number, got null", ""),
        ([{"time": 0, "gaze": [45, 0]}], "gaze_yaw must be between -30 and 30, got 45", ""),
        ([{"time": 0, "head": [0, -11, 0]}], "head_pitch must be between -10 and 10, got -11", ""),
        ([{"time": 0, "head_distance": 2}], "head_distance must be between 0.7 and 1.5", ""),
        ([{"time": 0, "amplitude": -1}], "amplitude must be between 0 and 2", ""),
        ([{"time": 0, "emotion": "joyful"}], "'emotion' has an unknown key 'joyful'", "Known are: neutral"),
        ([{"time": 0, "emotion": "hapy"}], "'emotion' has an unknown key 'hapy'", "'happy'"),
        ([{"time": 0, "emotion": "happy:2"}], "strength of happy must be between 0 and 1, got 2", ""),
        ([{"time": 0, "emotion": "happy:much"}], "strength 'much' of the emotion 'happy' is not a number", ""),
        ([{"time": 0, "emotion": {"happy": [1]}}], "strength of happy must be a number, got [1", ""),
        ([{"time": 0, "emotion": 0.5}], "'emotion' must be like", ""),
        ([{"time": 0, "emotion": ""}], "'emotion' must be like", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_in_json_is_said_with_its_place(read, given, words, hint):
    check(read, "controls.json", given, words, hint)


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("time,gaze_yaw\n0,5\n", "line 2: gaze_pitch must be a number", ""),
        ("time,gaze_yav\n0,5\n", "unknown key 'gaze_yav'", "'gaze_yaw'"),
        ("time,amplitude\n0,1\n1,x\n", 'line 3: amplitude must be a number, got "x"', ""),
        ("time,amplitude\n0,nan\n", "line 2: amplitude must be a number, got NaN", ""),
        ("time,amplitude\n0,1\n\n0.5\n", "line 4 has 1 cells under 2 column names", ""),
        ("time,amplitude\n,1\n", "line 2 has no 'time'", ""),
        ("time,amplitude,time\n0,1,0\n", "column name twice", ""),
        ("time,amplitude\n", "holds no keyframes", ""),
        ("\n", "holds no keyframes", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_in_csv_is_said_with_its_place(read, text, words, hint):
    check(read, "controls.csv", text, words, hint)


def check(read, name, given, words, hint):
    with pytest.raises(InputError) as caught:
        read(given, name)
    assert caught.value.message.startswith(f"The controls file {name}")
    assert words in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.hint


@pytest.mark.parametrize("name", ["controls.json", "controls.csv"])
def test_a_file_that_is_no_text_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x89PNG\xff\xfe\x00")
    with pytest.raises(InputError, match="is not text"):
        read_controls(tmp_path / name)


def test_every_column_is_accepted(read):
    cells = ["1", *("1" for _ in COLUMNS[1:-1]), "sad"]
    assert set(read(f"{','.join(COLUMNS)}\n{','.join(cells)}\n", "all.csv").curves) == {
        "gaze", "head_distance", "amplitude", "head", "emotion",
    }  # fmt: skip
