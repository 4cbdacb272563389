"""How a render tells what it is doing, without knowing who listens, and how long it takes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


class Progress:
    """Hears about stages, frames and warnings; this one keeps quiet, `console.Console` shows them."""

    def stage(self, title: str, frames: int = 0) -> None:
        """A stage begins; `frames` is how many `advance` calls it will make, 0 when it does not count."""

    def advance(self) -> None:
        """One frame of the current stage is done."""

    def warn(self, text: str) -> None:
        """Something the user should know, one sentence."""


class Stopwatch:
    """Tells a listener about the stages and times them.

    Attributes:
        timings_s: seconds of every finished stage, by its short name.
    """

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.timings_s: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str, title: str, frames: int = 0) -> Iterator[None]:
        """Everything inside the block is the stage `name`, shown as `title`."""
        self.progress.stage(title, frames)
        start = time.perf_counter()
        yield
        self.timings_s[name] = round(time.perf_counter() - start, 3)

    def counted(self, frames: Iterable[Item]) -> Iterator[Item]:
        """The frames, one by one, each reported when the next is asked for."""
        for frame in frames:
            yield frame
            self.progress.advance()
