from __future__ import annotations

from fractions import Fraction

import pytest

from talkface import RenderOptions
from talkface.errors import UsageError
from talkface.motion import emotion
from talkface.options import EMOTIONS, FRAME_RATES, option_default, option_help, parse_emotion, parse_gaze


@pytest.mark.parametrize(
    "bad",
    [
        {"size": 127}, {"size": 511}, {"size": 4096}, {"fps": 23.0}, {"fps": float("nan")}, {"crf": -1}, {"crf": 52},
        {"gaze": (31.0, 0.0)}, {"gaze": (0.0, -21.0)}, {"gaze": (float("nan"), 0.0)}, {"head_distance": 0.5},
        {"head_distance": 1.6}, {"amplitude": -0.1}, {"amplitude": 2.5}, {"seed": -1},
        {"steps": 0}, {"steps": 51}, {"steps": 2.5}, {"device": "tpu"}, {"face": 0},
        {"full": True, "head_distance": 1.2},
        {"emotions": (("joyful", 1.0),)}, {"emotions": (("happy", 1.5),)}, {"emotions": (("happy", "very"),)},
        {"emotions": "happy"}, {"emotions": ("happy", 0.5)}, {"emotions": {"happy": 0.5}}, {"gaze": 5.0},
        {"gaze": (5.0,)}, {"gaze": None}, {"gaze": "5,0"}, {"fps": "25"}, {"seed": 1.5}, {"seed": "7"}, {"face": "1"},
        {"controls": 3}, {"motion": True}, {"full": "yes"}, {"force": None},
    ],
)  # fmt: skip
def test_a_value_out_of_range_is_refused_with_a_hint(bad):
    with pytest.raises(UsageError) as caught:
        RenderOptions(**bad)
    assert caught.value.hint


@pytest.mark.parametrize("bad", [{"seed": "7"}, {"size": "512"}, {"face": "1"}, {"amplitude": "1"}])
def test_a_number_that_is_text_is_shown_as_such(bad):
    with pytest.raises(UsageError, match="got '.+'"):
        RenderOptions(**bad)


def test_the_limits_themselves_are_accepted():
    RenderOptions(size=128, crf=0, gaze=(-30.0, 20.0), head_distance=0.7, amplitude=0.0, seed=0, steps=1)
    RenderOptions(size=2048, crf=40, gaze=(30.0, -20.0), head_distance=1.5, amplitude=2.0, seed=2**63 - 1, steps=50)


@pytest.mark.parametrize(("fps", "rate"), [(25, Fraction(25)), (29.97, Fraction(30_000, 1_001)), (60.0, Fraction(60))])
def test_frame_rates_are_exact(fps, rate):
    assert RenderOptions(fps=fps).rate == rate


def test_every_offered_rate_is_accepted_under_its_name_and_value():
    for name, rate in FRAME_RATES.items():
        assert RenderOptions(fps=float(name)).rate == RenderOptions(fps=float(rate)).rate == rate


@pytest.mark.parametrize(("duration_s", "frames"), [(10.0, 250), (0.2, 5), (3.019, 75), (3.021, 76), (0.01, 1)])
def test_frame_count_is_the_rounded_product(duration_s, frames):
    assert RenderOptions().frame_count(duration_s) == frames


def test_an_hour_at_2997_does_not_drift():
    options = RenderOptions(fps=29.97)
    assert abs(options.frame_count(3600.0) / options.rate - 3600) <= 0.5 / options.rate


@pytest.mark.parametrize(("text", "gaze"), [("-10,5", (-10.0, 5.0)), ("0, -7.5", (0.0, -7.5))])
def test_gaze_is_parsed(text, gaze):
    assert parse_gaze(text) == gaze


@pytest.mark.parametrize("text", ["10", "1,2,3", "left,up", ""])
def test_gaze_that_is_not_two_numbers_is_refused(text):
    with pytest.raises(UsageError, match="not two numbers"):
        parse_gaze(text)


@pytest.mark.parametrize(
    ("text", "parsed"), [("happy", ("happy", 1.0)), ("Sad:0.3", ("sad", 0.3)), ("angry:1", ("angry", 1.0))]
)
def test_emotions_are_parsed(text, parsed):
    assert parse_emotion(text) == parsed


def test_an_emotion_without_a_number_after_the_colon_is_refused():
    with pytest.raises(UsageError, match="not a number"):
        parse_emotion("happy:very")


def test_every_option_has_help_and_the_default_of_the_api():
    options = RenderOptions()
    for name in RenderOptions.__dataclass_fields__:
        assert option_help(name).endswith(".")
        assert option_default(name) == getattr(options, name)


def test_the_emotions_offered_are_the_ones_motion_knows():
    assert set(EMOTIONS) == set(emotion._PRESETS)
