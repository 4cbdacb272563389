from __future__ import annotations

import time

import pytest

from talkface.progress import Progress, Stopwatch


class Recorder(Progress):
    def __init__(self):
        self.heard = []

    def stage(self, title, frames=0):
        self.heard.append((title, frames))

    def advance(self):
        self.heard.append("frame")


def test_stages_are_announced_and_timed():
    recorder = Recorder()
    watch = Stopwatch(recorder)
    with watch.stage("nap", "Sleeping", 2):
        time.sleep(0.02)
    assert recorder.heard == [("Sleeping", 2)]
    assert 0.02 <= watch.timings_s["nap"] < 0.5


def test_a_stage_that_fails_is_not_timed():
    watch = Stopwatch(Progress())
    with pytest.raises(ValueError, match="no"), watch.stage("fall", "Falling"):
        raise ValueError("no")
    assert watch.timings_s == {}


def test_frames_pass_through_and_are_counted_when_they_are_done():
    recorder = Recorder()
    frames = Stopwatch(recorder).counted("ab")
    assert next(frames) == "a"
    assert recorder.heard == []
    assert list(frames) == ["b"]
    assert recorder.heard == ["frame", "frame"]
