from __future__ import annotations

import pytest

from talkface import doctor, weights
from talkface.errors import EnvironmentFailure
from talkface.media import ffmpeg
from talkface.motion.generate import WEIGHTS_NAME


def test_a_healthy_installation_passes():
    findings = doctor.examine()
    doctor.require_healthy(findings)
    names = {finding.name for finding in findings}
    assert {"talkface", "python", "torch", "device", "ffmpeg"} <= names
    assert doctor.as_dict(findings)["healthy"]


def test_every_weight_file_is_named():
    names = {finding.name for finding in doctor.examine()}
    assert {f"weights: {name}" for name in weights.manifest()} <= names
    assert f"weights: {WEIGHTS_NAME}" in names


def test_missing_weights_are_found(monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "folder", lambda: tmp_path)
    findings = doctor.examine()
    with pytest.raises(EnvironmentFailure, match="weights"):
        doctor.require_healthy(findings)
    assert "!!" in doctor.table(findings)


def test_a_broken_ffmpeg_is_found(monkeypatch):
    monkeypatch.setenv(ffmpeg.CHOICE, "/nowhere/ffmpeg")
    findings = {finding.name: finding for finding in doctor.examine()}
    assert f"The variable {ffmpeg.CHOICE} names it" in findings["ffmpeg"].problem
    assert not findings["torch"].problem
