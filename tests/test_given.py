"""Files beside portrait and speech: read early, checked against the options."""

import pytest

from talkface.errors import InputError, UsageError
from talkface.given import read_given
from talkface.options import RenderOptions

MOTION = "time_s,headDistance_ratio\n0,1\n0.04,{}\n"


def write(path, text: str):
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_is_given_by_default():
    given = read_given(RenderOptions())
    assert given.timeline is given.motion is None
    assert given.notes(RenderOptions(), 1.0) == ()


def test_notes_come_from_both(tmp_path):
    keys = write(tmp_path / "k.json", '{"keyframes": [{"time": 3, "amplitude": 1}]}')
    moves = write(tmp_path / "m.csv", MOTION.format(9))
    (note,) = read_given(RenderOptions(controls=keys)).notes(RenderOptions(), 2.0)
    assert "keyframes up to 3 s" in note
    notes = read_given(RenderOptions(motion=str(moves))).notes(RenderOptions(fps=30.0), 2.0)
    assert [word in note for word, note in zip(("limited", "resampled", "rests"), notes, strict=True)] == [True] * 3


def test_the_farthest_head_is_the_files_and_else_the_options(tmp_path):
    keys = write(
        tmp_path / "k.json", '{"keyframes": [{"time": 0, "head_distance": 1.3}, {"time": 1, "head_distance": 1}]}'
    )
    others = write(tmp_path / "o.json", '{"keyframes": [{"time": 0, "amplitude": 1}]}')
    moves = write(tmp_path / "m.csv", MOTION.format(0.8))
    for options, expected in (
        (RenderOptions(head_distance=0.9), 0.9),
        (RenderOptions(head_distance=0.9, controls=keys), 1.3),
        (RenderOptions(head_distance=0.9, controls=others), 0.9),
        (RenderOptions(motion=moves), 1.0),
    ):
        assert read_given(options).farthest(options) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["controls", "motion"])
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(InputError, match=f"The {name} file .*nothing.csv does not exist"):
        read_given(RenderOptions(**{name: tmp_path / "nothing.csv"}))


def test_the_distance_cannot_change_inside_the_whole_picture(tmp_path):
    key = '{{"keyframes": [{{"time": 0, "head_distance": {}}}]}}'
    for name, text in (("controls", key), ("motion", MOTION)):
        path = write(tmp_path / ("m.csv" if name == "motion" else "k.json"), text.format(1.2))
        read_given(RenderOptions(**{name: path}))
        with pytest.raises(UsageError, match="inside the whole picture"):
            read_given(RenderOptions(full=True, **{name: path}))
        read_given(RenderOptions(full=True, **{name: write(path, text.format(1))}))
