"""Motion in files: each kind there and back, other rates and lengths, and what is wrong said in one sentence."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from talkface import __version__
from talkface.errors import InputError, UsageError
from talkface.media.motion_file import (
    COLUMNS,
    SUFFIXES,
    fitting_notes,
    read_motion,
    require_format,
    resample,
    write_motion,
)
from talkface.space import MotionSpace
from talkface.types import MotionSequence

JAW = MotionSpace.index("jawOpen")
DISTANCE = MotionSpace.index("headDistance")


def motion(frames: int = 60, fps: float = 60.0) -> MotionSequence:
    """A smooth motion that begins as the portrait."""
    rng = np.random.default_rng(0)
    times_s = np.arange(frames)[:, None] / fps
    values = 0.4 * (1 - np.cos(2 * np.pi * times_s * rng.uniform(0.5, 2, MotionSpace.size)))
    values[:, MotionSpace.pose] *= 0.2
    values[:, DISTANCE], values[:, MotionSpace.speaking] = 1, 1
    return MotionSequence(values.astype(np.float32), fps)


def store(path, **changes: object) -> None:
    """A motion file (npz) with some of its entries changed, or taken out when None."""
    given = motion()
    entries = {
        "format": "talkface motion",
        "version": 1,
        "axes": MotionSpace.names,
        "values": given.values,
        "fps": 60.0,
    }
    np.savez(path, **{key: value for key, value in (entries | changes).items() if value is not None})


@pytest.mark.parametrize("fps", [24.0, 25.0, 30_000 / 1_001, 60.0])
@pytest.mark.parametrize("kind", ["npz", "csv"])
def test_our_kinds_keep_everything(tmp_path, kind, fps):
    given, path = motion(fps=fps), tmp_path / f"m{SUFFIXES[kind]}"
    write_motion(path, given, kind, 7)
    again = read_motion(path)
    np.testing.assert_allclose(again.values, given.values, atol=1e-5)
    assert again.fps == pytest.approx(fps, abs=1e-9)
    assert again.notes == ()


def test_what_a_spreadsheet_stored_with_decimal_commas_is_the_same(tmp_path):
    path = tmp_path / "m.csv"
    write_motion(path, motion(), "csv", 7)
    usual = read_motion(path).values
    path.write_text(path.read_text().replace(",", ";").replace(".", ","))
    np.testing.assert_array_equal(read_motion(path).values, usual)


@pytest.mark.parametrize("fps", [30.0, 60.0])
def test_live_link_keeps_what_it_has_columns_for(tmp_path, fps):
    given, path = motion(fps=fps), tmp_path / "m.csv"
    write_motion(path, given, "livelink", 7)
    again = read_motion(path)
    lost = MotionSpace.columns("headX", "headY")
    np.testing.assert_allclose(np.delete(again.values, lost, 1), np.delete(given.values, lost, 1), atol=1e-4)
    assert again.fps == fps


def test_the_numpy_file_says_what_it_holds(tmp_path):
    write_motion(tmp_path / "m.npz", motion(), "npz", 7)
    with np.load(tmp_path / "m.npz", allow_pickle=False) as found:
        assert {key: found[key].tolist() for key in ("format", "version", "fps", "seed", "talkface")} == {
            "format": "talkface motion", "version": 1, "fps": 60.0, "seed": 7, "talkface": __version__,
        }  # fmt: skip
        units = dict(zip(found["axes"].tolist(), found["units"].tolist(), strict=True))
    assert (units["headYaw"], units["headX"], units["jawOpen"]) == ("deg", "iod", "activation")


def test_axes_are_found_by_name_and_missing_ones_rest(tmp_path):
    (tmp_path / "m.csv").write_text("time_s,jawOpen,headYaw_deg\n0,0.1,1\n0.04,0.2,2\n0.08,0.3,3\n")
    again = read_motion(tmp_path / "m.csv")
    assert again.fps == 25
    assert again.values[:, JAW] == pytest.approx([0.1, 0.2, 0.3])
    assert again.values[:, 0] == pytest.approx([1, 2, 3])
    assert (again.values[:, DISTANCE] == 1).all()


def test_lost_frames_are_filled_in_and_doubled_ones_dropped(tmp_path):
    write_motion(tmp_path / "m.csv", motion(), "livelink", 7)
    lines = (tmp_path / "m.csv").read_text().splitlines()
    lines[20] = "00:00:00:19.000,0"
    lines.insert(10, lines[9])
    (tmp_path / "m.csv").write_text("\n".join(lines[:30] + lines[33:]))
    np.testing.assert_allclose(read_motion(tmp_path / "m.csv").values[:, JAW], motion().values[:, JAW], atol=0.01)


def test_another_rate_keeps_the_curves():
    again = resample(motion(120), 25.0, 50)
    assert (again.values.shape, again.fps) == ((50, MotionSpace.size), 25.0)
    np.testing.assert_allclose(again.values[::5], motion(120).values[::12], atol=1e-6)
    assert resample(motion(), 60.0, 60).values.tolist() == motion().values.tolist()


def test_after_its_end_the_face_comes_to_rest():
    given = motion(100)
    given.values[:, DISTANCE] = 1.2
    again = resample(given, 60.0, 200).values
    rest = np.zeros(MotionSpace.size)
    rest[DISTANCE] = 1.2
    np.testing.assert_allclose(again[135:], np.tile(rest, (65, 1)), atol=1e-6)
    assert np.abs(np.diff(again[95:140, JAW])).max() < 0.05


@pytest.mark.parametrize(
    ("frames", "fps", "duration_s", "words"),
    [
        (60, 60.0, 1.0, []),
        (60, 60.0, 1.01, []),
        (250, 25.0, 10.0, ["25 frames per second and is resampled to 60"]),
        (120, 60.0, 1.0, ["lasts 2.00 s and the speech 1.00 s: its end is not drawn"]),
        (120, 60.0, 9.0, ["lasts 2.00 s and the speech 9.00 s: the face rests after it"]),
    ],
)
def test_what_does_not_fit_is_told(frames, fps, duration_s, words):
    notes = fitting_notes(MotionSequence(np.zeros((frames, MotionSpace.size)), fps), 60.0, duration_s)
    assert len(notes) == len(words)
    assert all(word in note for word, note in zip(words, notes, strict=True))


def test_what_cannot_be_drawn_is_limited_and_told(tmp_path):
    (tmp_path / "m.csv").write_text("time_s,jawOpen,headYaw_deg,headDistance_ratio\n0,1.5,1,1\n0.04,-0.2,80,9\n")
    again = read_motion(tmp_path / "m.csv")
    assert again.values[:, JAW].tolist() == [1, 0]
    assert again.values[1, [0, DISTANCE]].tolist() == [17, 1.5]
    assert again.notes == (
        "The motion file m.csv goes beyond what can be drawn, and is limited: headYaw, headDistance, jawOpen.",
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 2}, "has format version 2, and this talkface reads 1"),
        ({"version": None}, "has format version None"),
        ({"format": "weights"}, "not a motion"),
        ({"format": None}, "not a motion"),
        ({"values": None}, "has no 'values'"),
        ({"axes": None}, "has no 'axes'"),
        ({"fps": 0.0}, "'fps' must be a number"),
        ({"fps": np.nan}, "'fps' must be a number"),
        ({"fps": [25.0, 25.0]}, "'fps' must be a number"),
        ({"values": np.zeros((60, 3))}, "must be numbers (frames, 53), got shape (60, 3)"),
        ({"values": np.zeros((0, 53))}, "got shape (0, 53)"),
        ({"values": np.zeros(53)}, "got shape (53,)"),
        ({"values": np.full((2, 53), "a")}, "must be numbers"),
        ({"values": np.full((2, 53), np.nan)}, "not a number: headYaw, frame 0"),
        ({"axes": ["jawOpne"], "values": np.zeros((2, 1))}, "unknown axis 'jawOpne'"),
        ({"values": np.array([[object()]])}, "is damaged"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_numpy_file_is_said(tmp_path, changes, words):
    store(tmp_path / "m.npz", **changes)
    refuse(tmp_path / "m.npz", words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hello", "its first column is 'hello', not time_s or Timecode"),
        ("\n\n", "is not a motion"),
        ("time_s,jawOpen\n", "holds no frames"),
        ("time_s,jawOpne\n0,1\n1,1\n", "unknown axis 'jawOpne'"),
        ("time_s,jawOpen\n0,1\n0.04\n", "line 3 has 1 cells under 2 column names"),
        ("time_s,jawOpen\n0,1\n0.04,x\n", "not a number"),
        ("time_s,jawOpen\n0,1\n0.04,nan\n", "not a number: jawOpen, frame 1"),
        ("time_s,jawOpen\n0,1\n0.04,1\n0.04,1\n", "line 4: the times must be 0 or more and rise"),
        ("time_s,jawOpen\n-1,1\n0,1\n", "line 2: the times"),
        ("time_s,jawOpen\n0,1\nnan,1\n", "line 3: the times"),
        ("Timecode,BlendShapeCount,JawOpen\n0:0:0:0,61,0\n0:0:1,61,0\n", "not a number"),
        ("Timecode,BlendShapeCount,JawOpne\n0:0:0:0,61,0\n0:0:0:1,61,0\n", "unknown axis 'JawOpne'"),
    ],
)
def test_what_is_wrong_in_a_text_file_is_said(tmp_path, text, words):
    (tmp_path / "m.csv").write_text(text)
    refuse(tmp_path / "m.csv", words)


def test_damaged_and_foreign_files_are_refused(tmp_path):
    write_motion(tmp_path / "whole.npz", motion(), "npz", 7)
    data = bytearray((tmp_path / "whole.npz").read_bytes())
    (tmp_path / "half.npz").write_bytes(data[: len(data) // 2])
    refuse(tmp_path / "half.npz", "is damaged")
    data[len(data) // 2] ^= 255
    (tmp_path / "bent.npz").write_bytes(data)
    refuse(tmp_path / "bent.npz", "is damaged")
    with zipfile.ZipFile(tmp_path / "sheet.xlsx", "w") as archive:
        archive.writestr("sheet.xml", "<sheet/>")
    refuse(tmp_path / "sheet.xlsx", "not a motion")
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\r\n\xff")
    refuse(tmp_path / "picture.csv", "not a motion")
    refuse(tmp_path / "nothing.npz", "does not exist")
    refuse(tmp_path, "is a folder")


def refuse(path, words):
    with pytest.raises(InputError) as caught:
        read_motion(path)
    assert words in caught.value.message
    assert path.name in caught.value.message
    assert caught.value.hint


def test_formats_are_checked_before_anything_is_made():
    require_format("livelink", 30.0)
    require_format("csv", 24.0)
    with pytest.raises(UsageError, match="no motion format called 'fbx'"):
        require_format("fbx", 25.0)
    with pytest.raises(UsageError, match="30 or 60 frames per second, not 25"):
        require_format("livelink", 25.0)


def test_the_columns_carry_their_units():
    assert COLUMNS[0] == "headYaw_deg"
    assert "jawOpen" in COLUMNS
