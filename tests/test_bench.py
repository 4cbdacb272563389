from __future__ import annotations

import json
from dataclasses import asdict
from types import SimpleNamespace

import pytest
import torch

from talkface import bench
from talkface.errors import InputError
from talkface.options import RenderOptions
from talkface.progress import Progress

OPTIONS = RenderOptions(size=128, device="cpu")


@pytest.fixture
def report(light, portrait, tone, monkeypatch):
    monkeypatch.setattr(bench, "analyse", lambda *_: SimpleNamespace())
    monkeypatch.setattr(bench, "pick_device", torch.device)
    return bench.measure(portrait, tone, OPTIONS)


def test_the_report_has_every_stage_the_references_and_the_memory(report):
    assert report.frames == 25
    assert set(report.per_frame_ms) == {
        "voice", "motion", "video", "moving_alone", "drawing_alone", "encoding_alone",
    }  # fmt: skip
    assert set(report.reference_ms) == {"grid_sample_512", "matmul_512", "copy_64_mb", "x264_of_noise"}
    assert min(report.reference_ms.values()) > 0
    assert report.peak_memory_mb["talkface"] > 50
    assert 0 < report.peak_memory_mb["ffmpeg"] < 500
    assert "face" in report.start_s
    assert report.frames_per_s > 0
    assert report.steps == 10


def test_the_motion_is_made_by_the_model(speech, monkeypatch):
    """Voice and motion for real; faces and frames are left out."""
    monkeypatch.setattr(bench, "analyse", lambda *_: SimpleNamespace())
    monkeypatch.setattr(bench.pipeline, "draw", lambda _, motion, *rest: iter(motion.values[:40]))
    drawn = bench._draw_alone(bench.example("portrait.png"), speech, OPTIONS, torch.device("cpu"), Progress())
    assert drawn.moving_ms > 0
    assert len(drawn.frames) == 40


def test_the_report_is_json_and_text(report):
    assert json.loads(json.dumps(asdict(report)))["size"] == 128
    assert "frames/s" in bench.table(report)
    assert "grid_sample_512" in bench.table(report)


def test_speed_is_measured_after_the_start():
    watch = bench.FrameWatch(Progress())
    watch.times_s = [0.0] * bench.WARM_UP_FRAMES + [1.0, 1.5, 2.0, 2.5]
    assert watch.frames_per_s() == 2.0


def test_the_examples_are_found():
    assert bench.example("portrait.png").is_file()
    with pytest.raises(InputError, match="missing"):
        bench.example("nobody.png")
