"""`python -m talkface`, and the `talkface` command: light itself, so that Ctrl-C is heeded while the rest is loaded."""

from __future__ import annotations

import sys


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code: `errors.INTERRUPTED` when the user interrupts, wherever it is."""
    try:
        from talkface.cli import main as run

        run(arguments)
    except KeyboardInterrupt:
        from contextlib import suppress

        from talkface.errors import INTERRUPTED

        with suppress(OSError):  # the terminal may be gone
            print("interrupted", file=sys.stderr)
        exec("")  # Python notes an interrupt inside generated code and would end itself by the signal; this clears it
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
