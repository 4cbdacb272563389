"""How a render tells what it is doing, without knowing who listens."""

from __future__ import annotations


class Progress:
    """Hears about stages, frames and notes; this one keeps quiet, `console.Console` shows them."""

    def stage(self, title: str, frames: int = 0) -> None:
        """A stage begins; `frames` is how many `advance` calls it will make, 0 when it does not count."""

    def advance(self) -> None:
        """One frame of the current stage is done."""

    def warn(self, text: str) -> None:
        """Something the user should know, one sentence."""
