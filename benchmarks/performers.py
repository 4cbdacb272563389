"""Who can perform a speech: the motion model, and the rules it learned from, side by side in one run."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from talkface.device import pick_device
from talkface.media.audio import open_speech
from talkface.motion.generate import MotionModel
from talkface.options import DEFAULT_STEPS
from talkface.pipeline import listen
from talkface.types import Controls, ControlTracks, MotionSequence, SpeechFeatures
from training.teacher.perform import perform as rules

Performer = Callable[[SpeechFeatures, Controls, float, int, int], MotionSequence]
"""(voice, controls, fps, frames, seed) -> the performance."""

NAMES = ("model", "rules")


def hear(speech: Path) -> SpeechFeatures:
    """What the speech encoder hears in a recording."""
    with open_speech(speech) as voice:
        return listen(voice, pick_device("cpu"))


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Let the user choose among `NAMES`."""
    parser.add_argument("--only", choices=NAMES, help="measure one of the two; both when absent")


def performers(only: str | None = None) -> dict[str, Performer]:
    """The performers by name, in the order of `NAMES`."""
    return {name: _MAKERS[name]() for name in NAMES if only in (None, name)}


def _model() -> Performer:
    """The motion model, loaded once, with the default number of steps."""
    model = MotionModel.load()

    def perform(features: SpeechFeatures, controls: Controls, fps: float, frames: int, seed: int) -> MotionSequence:
        tracks = ControlTracks.constant(controls, frames, fps)
        return model.perform(features, tracks, fps, frames, seed, DEFAULT_STEPS)

    return perform


_MAKERS = {"model": _model, "rules": lambda: rules}
