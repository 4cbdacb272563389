"""`talkface motion`: the file is the performance that `render` would draw, whatever its kind."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import talkface
from talkface import RenderOptions, pipeline
from talkface.errors import UsageError
from talkface.export import export_motion
from talkface.media.motion_file import read_motion
from talkface.space import MotionSpace
from talkface.types import MotionSequence
from tests.conftest import write_tone
from tests.test_cli import complain, run

AMPLITUDE = '{"keyframes": [{"time": 0, "amplitude": 0}, {"time": 60, "amplitude": 1}]}'


@pytest.fixture
def moves(light, monkeypatch):
    """Motions made, instead of by the voice: the jaw goes up and down."""
    made = []

    def move(features, options, frame_count, seed, device, timeline=None) -> MotionSequence:
        values = np.zeros((frame_count, MotionSpace.size), np.float32)
        values[:, MotionSpace.index("headDistance")] = 1
        values[:, MotionSpace.index("jawOpen")] = 0.3 + 0.3 * np.sin(np.arange(frame_count) / float(options.rate))
        made.append((options, seed, device, timeline))
        return MotionSequence(values, float(options.rate))

    monkeypatch.setattr(pipeline, "move", move)
    return made


@pytest.mark.parametrize(("name", "arguments"), [("m.npz", []), ("m.csv", []), ("l.csv", ["--format", "livelink"])])
def test_the_command_writes_a_motion_that_reads_back(moves, tone, tmp_path, capsys, name, arguments):
    assert run("motion", tone, "-o", tmp_path / name, *arguments) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{tmp_path / name}\n"
    motion = read_motion(tmp_path / name)
    assert (len(motion.values), motion.fps) == ((60, 60.0) if arguments else (25, 25.0))
    assert motion.values[-1, MotionSpace.index("jawOpen")] == pytest.approx(0.55, abs=0.01)
    assert [path.name for path in tmp_path.iterdir() if path != tone] == [name]


def test_json_tells_what_was_written(moves, tone, tmp_path, capsys):
    assert run("motion", tone, "-o", tmp_path / "m.csv", "--format", "livelink", "--fps", 30, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert {key: result[key] for key in ("format", "frames", "fps", "duration_s", "device", "steps", "warnings")} == {
        "format": "livelink", "frames": 30, "fps": 30.0, "duration_s": 1.0, "device": "cpu", "steps": 10,
        "warnings": [],
    }  # fmt: skip
    assert isinstance(result["seed"], int)


def test_options_and_keyframes_reach_the_motion(moves, tone, tmp_path, capsys):
    (tmp_path / "k.json").write_text(AMPLITUDE)
    choices = ["--seed", 5, "--gaze", "3,4", "--emotion", "sad", "--head-distance", 1.1, "--amplitude", 2]
    choices += ["--steps", 20, "--device", "cpu"]
    assert run("motion", tone, "-o", tmp_path / "m.npz", "--controls", tmp_path / "k.json", *choices) == 0
    assert "keyframes up to 60 s" in capsys.readouterr().err
    ((options, seed, device, timeline),) = moves
    assert (options.gaze, options.emotions, options.head_distance) == ((3.0, 4.0), (("sad", 1.0),), 1.1)
    assert (options.amplitude, options.steps, seed, set(timeline.curves)) == (2.0, 20, 5, {"amplitude"})
    assert torch.device(device).type == "cpu"
    assert np.load(tmp_path / "m.npz")["seed"] == 5


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("m.mp4", [], "'m.mp4' does not end in .npz or .csv"),
        ("m.livelink", [], "'m.livelink' does not end in .npz or .csv"),
        ("m", [], "'m' does not end in .npz or .csv"),
        ("m.npz", ["--format", "fbx"], "no motion format called 'fbx'"),
        ("m.npz", ["--format", "csv"], "does not end in .csv"),
        ("m.csv", ["--format", "livelink", "--fps", 25], "30 or 60 frames per second"),
        ("no/m.csv", [], "does not exist"),
        ("tone.csv", [], "exists already"),
    ],
)
def test_a_wrong_output_is_a_usage_error(moves, tone, tmp_path, capsys, name, arguments, words):
    (tmp_path / "tone.csv").touch()
    assert run("motion", tone, "-o", tmp_path / name, *arguments) == 2
    complain(capsys, words)
    assert moves == []


def test_python_writes_the_same(moves, tone, tmp_path):
    result = talkface.export_motion(str(tone), str(tmp_path / "m.npz"), RenderOptions(seed=3))
    assert isinstance(result, talkface.MotionResult)
    assert (result.format, result.frames, result.seed) == ("npz", 25, 3)
    with pytest.raises(UsageError):
        export_motion(tone, tmp_path / "m.txt")


def test_a_motion_drawn_is_the_motion_made(tmp_path, speech):
    """For real: the voice is heard, the performance made, written, read and fitted: nothing is lost on the way."""
    export_motion(speech, tmp_path / "m.npz", RenderOptions(seed=4, emotions=(("happy", 0.5),)))
    stored = read_motion(tmp_path / "m.npz")
    assert stored.notes == ()
    assert stored.values.shape == (231, MotionSpace.size)
    assert np.ptp(stored.values[:, MotionSpace.index("jawOpen")]) > 0.2


def test_a_speech_shorter_than_a_window_of_the_motion_model(tmp_path):
    """For real, too: what is missing of the window is silence."""
    blip = write_tone(tmp_path / "blip.wav", 0.2)
    export_motion(blip, tmp_path / "m.npz", RenderOptions(seed=1))
    assert read_motion(tmp_path / "m.npz").values.shape == (5, MotionSpace.size)
