"""Everything that can go wrong, as one small tree: what happened, what to do, and the exit code."""

from __future__ import annotations

INTERRUPTED = 130
"""Exit code when the user interrupts; no error, so it has no class."""

UNREAD = 141
"""Exit code when nobody reads the result, as shells tell of any program that SIGPIPE ended; what was asked is done."""


class TalkfaceError(Exception):
    """A failure explained to the user.

    Attributes:
        message: one sentence, what is wrong (expected and got, where that helps).
        hint: one sentence, what to do about it; may be empty.
        exit_code: what the command line exits with.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class RenderError(TalkfaceError):
    """Drawing or encoding failed although the inputs were usable."""

    exit_code = 1


class UsageError(TalkfaceError):
    """An option or an argument is not acceptable."""

    exit_code = 2


class InputError(TalkfaceError):
    """The portrait, the speech, a controls file or a motion file cannot be used."""

    exit_code = 3


class EnvironmentFailure(TalkfaceError):
    """Weights, ffmpeg, disk or device are missing or broken."""

    exit_code = 4


def known_hint(name: str, known: tuple[str, ...]) -> str:
    """What to say of an unknown name: the known one that looks like it, or else all of them."""
    from difflib import get_close_matches  # only failures need it

    near = get_close_matches(name, known, 1, 0.5)
    return f"Did you mean {near[0]!r}?" if near else f"Known are: {', '.join(known)}."
