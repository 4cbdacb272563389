"""Checks of input files that pictures and sounds share."""

from __future__ import annotations

from pathlib import Path

from talkface.errors import InputError


def require_file(path: Path, role: str) -> None:
    """Raise InputError unless `path` is a regular file with something in it; `role` is "portrait" or "speech"."""
    try:
        if path.is_dir():
            raise InputError(f"The {role} {path} is a folder.", "Name the file inside it.")
        if not path.exists():
            raise InputError(f"The {role} {path} does not exist.", "Check the name and the folder.")
        if not path.is_file():
            raise InputError(f"The {role} {path} is not a regular file.", "Save it to a file first.")
        with path.open("rb") as stream:
            if not stream.read(1):
                raise InputError(f"The {role} {path} is empty.", "Copy or download it again.")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"The {role} {path} cannot be opened ({reason}).", "Check the name and the permissions."
        ) from error
