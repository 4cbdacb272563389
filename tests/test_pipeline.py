from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from talkface import RenderOptions, pipeline
from talkface.errors import EnvironmentFailure, RenderError
from talkface.media import ffmpeg
from talkface.media.files import part_of
from talkface.progress import Progress
from talkface.space import MotionSpace
from tests.conftest import write_tone

SMALL = RenderOptions(size=128, seed=1)


class Recorder(Progress):
    def __init__(self):
        self.stages, self.frames, self.warnings = [], 0, []

    def stage(self, title, frames=0):
        self.stages.append((title, frames))

    def advance(self):
        self.frames += 1

    def warn(self, text):
        self.warnings.append(text)


def test_the_story_is_told_in_order(light, portrait, tone, tmp_path):
    recorder = Recorder()
    result = pipeline.render(portrait, tone, tmp_path / "out.mp4", SMALL, recorder)
    assert [title for title, _ in recorder.stages][0] == "Reading the portrait"
    assert ("Drawing", 25) in recorder.stages
    assert recorder.frames == result.frames == 25
    assert recorder.warnings == list(result.warnings)


@pytest.mark.parametrize("fps", [24.0, 25.0, 29.97, 30.0, 50.0, 60.0])
def test_frames_are_duration_times_rate_at_every_rate(light, portrait, tmp_path, fps):
    tone = write_tone(tmp_path / "tone.wav", 2.345, 44_100)
    result = pipeline.render(portrait, tone, tmp_path / "out.mp4", RenderOptions(size=128, fps=fps))
    assert result.frames == round(2.345 * fps) == ffmpeg.count_frames(tmp_path / "out.mp4")


def test_a_stored_motion_is_drawn_without_listening(light, portrait, tone, tmp_path, monkeypatch):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "m.csv").write_text("time_s,jawOpen\n0,0\n0.04,0.5\n0.08,1\n")
    drawn, draw = [], pipeline.draw
    monkeypatch.setattr(pipeline, "listen", None)
    monkeypatch.setattr(pipeline, "draw", lambda _, motion, *rest: drawn.append(motion) or draw(_, motion, *rest))
    options = RenderOptions(size=128, motion=tmp_path / "secret" / "m.csv")
    result = pipeline.render(portrait, tone, tmp_path / "out.mp4", options)
    assert result.seed is result.steps is None
    assert drawn[0].values.shape == (25, MotionSpace.size)
    assert drawn[0].values[:3, MotionSpace.index("jawOpen")].tolist() == [0, 0.5, 1]
    said = ffmpeg.run(*ffmpeg.source(tmp_path / "out.mp4"), "-f", "ffmetadata", "-").decode()
    assert "m.csv" in said
    assert "secret" not in said


def test_keyframes_reach_the_motion(light, portrait, tone, tmp_path, monkeypatch):
    (tmp_path / "k.json").write_text('{"keyframes": [{"time": 0, "gaze": [9, 1]}]}')
    asked, move = [], pipeline.move
    monkeypatch.setattr(pipeline, "move", lambda *given: asked.append(given) or move(*given))
    pipeline.render(portrait, tone, tmp_path / "out.mp4", RenderOptions(size=128, controls=str(tmp_path / "k.json")))
    assert asked[0][-1].curves["gaze"].values.tolist() == [[9, 1]]


def test_steps_seed_and_device_reach_the_motion_model(monkeypatch):
    asked = []
    monkeypatch.setattr("talkface.motion.generate.generate", lambda *given: asked.append(given) or "moved")
    options = RenderOptions(steps=25, fps=50.0, gaze=(4.0, -2.0))
    assert pipeline.move(None, options, 7, 3, "cpu") == "moved"
    ((features, tracks, rate_hz, frames, seed, steps, device),) = asked
    assert (features, rate_hz, frames, seed, steps, device) == (None, 50.0, 7, 3, 25, "cpu")
    assert tracks.gaze_deg.tolist() == [[4, -2]] * 7


def test_a_silent_speech_is_rendered_with_a_warning(light, portrait, tmp_path):
    silence = write_tone(tmp_path / "tone.wav", 1.0)
    soundfile.write(silence, np.zeros(16_000), 16_000)
    result = pipeline.render(portrait, silence, tmp_path / "out.mp4", SMALL)
    assert any("silent" in warning for warning in result.warnings)


def test_a_full_disk_ends_with_one_clear_error_and_no_file(light, portrait, tone, tmp_path):
    part_of(tmp_path / "out.mp4").symlink_to("/dev/full")
    with pytest.raises(EnvironmentFailure, match="disk is full"):
        pipeline.render(portrait, tone, tmp_path / "out.mp4", SMALL)
    assert not list(tmp_path.glob("out.mp4*"))


def test_a_failure_while_drawing_leaves_no_file(light, portrait, tone, tmp_path, monkeypatch):
    def draw(analysis, motion, options, device):
        yield np.zeros((128, 128, 3), np.uint8)
        raise RenderError("The pencil broke.")

    monkeypatch.setattr(pipeline, "draw", draw)
    with pytest.raises(RenderError, match="pencil"):
        pipeline.render(portrait, tone, tmp_path / "out.mp4", SMALL)
    assert not list(tmp_path.glob("out.mp4*"))


def test_nothing_unverified_is_called_done(light, portrait, tone, tmp_path, monkeypatch):
    monkeypatch.setattr(ffmpeg, "count_frames", lambda _: 24)
    with pytest.raises(RenderError, match="number of frames"):
        pipeline.render(portrait, tone, tmp_path / "out.mp4", SMALL)
    assert not list(tmp_path.glob("out.mp4*"))


def test_temporary_files_go_away(light, portrait, tone, tmp_path, monkeypatch):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    pipeline.render(portrait, tone, tmp_path / "out.mp4", SMALL)
    assert os.listdir(tmp_path / "tmp") == []


def test_the_output_may_be_relative(light, portrait, tone, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert pipeline.render(portrait, tone, "out.mp4", SMALL).path == Path("out.mp4")
