"""Things many tests need: the example's files, small sounds, and a pipeline whose networks are left out."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch: small work is slowed down by many threads

import numpy as np
import pytest
import soundfile

from tests.light import lighten

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.fixture(scope="session")
def portrait() -> Path:
    return EXAMPLES / "portrait.png"


@pytest.fixture(scope="session")
def speech() -> Path:
    return EXAMPLES / "speech.flac"


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    """One second of a quiet 220 Hz tone, 16 kHz mono."""
    return write_tone(tmp_path / "tone.wav")


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """`pipeline.render` with everything but the networks: frames are grey ramps."""
    lighten(monkeypatch.setattr)


def write_tone(path: Path, duration_s: float = 1.0, rate_hz: int = 16_000, channels: int = 1, **settings) -> Path:
    """Write a 220 Hz tone at `path` and return it."""
    wave = 0.3 * np.sin(2 * np.pi * 220 * np.arange(round(duration_s * rate_hz)) / rate_hz)
    soundfile.write(path, np.repeat(wave[:, None], channels, axis=1), rate_hz, **settings)
    return path


@pytest.fixture(scope="session")
def analysis(portrait: Path):
    """The example's portrait, understood for real: tracker, fit and framing."""
    import torch

    from talkface.analysis import analyse
    from talkface.media.image import read_portrait
    from talkface.options import RenderOptions

    return analyse(read_portrait(portrait), RenderOptions(), torch.device("cpu"))
