"""The pipeline without its networks, for tests of everything around them; also a program: `python -m tests.light`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from talkface.analysis import Analysis


def light_analysis(*warnings: str) -> Analysis:
    """A portrait understood, as far as the light pipeline looks."""
    from talkface.analysis import Analysis

    return Analysis(image=None, fit=None, crop=None, warnings=warnings, report={}, reach=2.0)


def lighten(setattr_: Callable[[object, str, object], None] = setattr, pause_s: float = 0.0) -> None:
    """Replace face, voice, motion and drawing of `talkface.pipeline` by next to nothing."""
    from talkface import pipeline
    from talkface.space import MotionSpace
    from talkface.types import MotionSequence

    def move(features: object, options: SimpleNamespace, frame_count: int, *_: object) -> MotionSequence:
        return MotionSequence(np.zeros((frame_count, MotionSpace.size), np.float32), float(options.rate))

    def draw(
        analysis: object, motion: MotionSequence, options: SimpleNamespace, device: object
    ) -> Iterator[np.ndarray]:
        ramp = np.arange(options.size)
        for number in range(len(motion.values)):
            time.sleep(pause_s)
            row = ((ramp + number) % 256).astype(np.uint8)
            yield np.broadcast_to(row[None, :, None], (options.size, options.size, 3))

    setattr_(pipeline, "analyse", lambda *_: light_analysis("The light is made of paper."))
    setattr_(pipeline, "pick_device", lambda _: "cpu")
    setattr_(pipeline, "device_label", str)
    setattr_(pipeline, "listen", lambda *_: None)
    setattr_(pipeline, "move", move)
    setattr_(pipeline, "draw", draw)


if __name__ == "__main__":
    from talkface.__main__ import main

    lighten(pause_s=float(os.environ.get("PAUSE_S", "0")))
    main(sys.argv[1:])
