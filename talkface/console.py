"""What a person sees: progress, warnings and errors on stderr; the result, and nothing else, on stdout."""

from __future__ import annotations

import io
import json
import os
import sys
import traceback
from typing import TYPE_CHECKING, TextIO

from talkface.errors import EnvironmentFailure, TalkfaceError
from talkface.progress import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress


class Console(Progress):
    """Shows stages and frames while there is a terminal to show them on; a context manager, so that the bar goes away.

    Attributes:
        quiet: nothing but errors on stderr.
        verbose: stages are written out even without a terminal, and failures come with a traceback.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self._bar: RichProgress | None = None
        self._task = None

    def __enter__(self) -> Console:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_bar()

    def stage(self, title: str, frames: int = 0) -> None:
        """Show a stage."""
        if self._bar is None and not self.quiet and sys.stderr.isatty():
            self._bar = _new_bar()
            self._bar.start()
        if self._bar:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(title, total=frames or None)
        elif self.verbose and not self.quiet:
            self._say(f"{title} ({frames} frames)" if frames else title)

    def advance(self) -> None:
        """Count a frame."""
        if self._bar and self._task is not None:
            self._bar.advance(self._task)

    def warn(self, text: str) -> None:
        """Show a warning, which stays."""
        if not self.quiet:
            self._say(f"warning: {text}")

    def result(self, value: object) -> None:
        """Show what was made, and no stage any more; see `show`."""
        self._end_bar()
        show(value)

    def fail(self, error: TalkfaceError) -> None:
        """One sentence what, one sentence what to do."""
        if self.verbose:
            traceback.print_exception(error, file=sys.stderr)
        self._say(f"error: {error.message}")
        if error.hint:
            self._say(f"hint: {error.hint}")

    def _say(self, text: str) -> None:
        if self._bar:
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
            return
        try:
            print(text, file=sys.stderr)
        except OSError:  # words that reach nobody are no reason to stop
            mute(sys.stderr)

    def _end_bar(self) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None


def show(value: object) -> None:
    """The result on stdout, at once: a dict as one JSON object, anything else as text.

    Raises BrokenPipeError when nobody reads it any more, EnvironmentFailure when it cannot be written otherwise.
    """
    text = json.dumps(value, indent=2, default=str, ensure_ascii=False) if isinstance(value, dict) else str(value)
    if isinstance(sys.stdout, io.TextIOWrapper):
        _admit(text, sys.stdout)
    try:
        print(text, flush=True)
    except OSError as error:
        mute(sys.stdout)
        if isinstance(error, BrokenPipeError):
            raise
        raise EnvironmentFailure(
            f"The result cannot be printed ({error.strerror}).", "What was asked is done; print to another place."
        ) from error


def _admit(text: str, stream: io.TextIOWrapper) -> None:
    """Let the stream print names of files, which may be any bytes; if it lacks letters for them, as the system does."""
    stream.reconfigure(errors="surrogateescape")
    try:
        text.encode(stream.encoding, stream.errors)
    except UnicodeEncodeError:
        stream.reconfigure(encoding=sys.getfilesystemencoding())


def mute(stream: TextIO) -> None:
    """Lead a stream that cannot be written to nowhere: Python would fail at its end with what is left in it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _new_bar() -> RichProgress:
    from rich.console import Console as RichConsole
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        ProgressColumn,
        SpinnerColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress
    from rich.text import Text

    class OnlyWithFrames(ProgressColumn):
        """Another column, shown only for stages that count frames."""

        def __init__(self, column: ProgressColumn) -> None:
            super().__init__()
            self.column = column

        def render(self, task: Task) -> object:
            return self.column(task) if task.total else Text("")

    class Speed(ProgressColumn):
        """Frames per second."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.0f} frames/s" if task.speed else "", style="cyan")

    counting = (BarColumn(bar_width=None), MofNCompleteColumn(), Speed(), TimeRemainingColumn(compact=True))
    columns = [SpinnerColumn(), TextColumn("{task.description}"), *(OnlyWithFrames(column) for column in counting)]
    return RichProgress(*columns, console=RichConsole(stderr=True), transient=True)
