"""Files in and out: checks that every kind of file shares, and outputs that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from talkface.errors import EnvironmentFailure, InputError, UsageError

_MAKE_ROOM = "Make room, or write to another disk with -o."


def require_file(path: Path, role: str) -> None:
    """Raise InputError unless `path` is a regular file with something in it; `role` is "portrait" or "speech"."""
    try:
        if path.is_dir():
            raise InputError(f"The {role} {path} is a folder.", "Name the file inside it.")
        if not path.exists():
            is_address = path.parts[:1] in (("http:",), ("https:",))
            hint = "Download it first, and name the file." if is_address else "Check the name and the folder."
            raise InputError(f"The {role} {path} does not exist.", hint)
        if not path.is_file():
            raise InputError(f"The {role} {path} is not a regular file.", "Save it to a file first.")
        with path.open("rb") as stream:
            if not stream.read(1):
                raise InputError(f"The {role} {path} is empty.", "Copy or download it again.")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        hint = "Check the name and the permissions."
        raise InputError(f"The {role} {path} cannot be opened ({reason}).", hint) from error


@contextlib.contextmanager
def reserve(output: Path, suffixes: tuple[str, ...], *, force: bool, inputs: tuple[Path, ...] = ()) -> Iterator[Path]:
    """Path of a part file beside `output`, which takes its name when the block succeeds and vanishes when not.

    Raises UsageError when `output` may not be written (no folder, exists without `force`, one of `inputs`, none of the
    `suffixes`) and EnvironmentFailure when the system refuses, or the disk fills up inside the block.
    """
    target = Path(os.path.realpath(output)) if os.path.islink(output) else output  # a link stays one
    part = part_of(target)
    try:
        _require_free_name(output, suffixes, force, inputs)
    except OSError as error:
        raise _refused(output, error) from error
    try:
        _create(part, output)
        yield part
        part.replace(target)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise disk_full() from error
        raise
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def part_of(output: Path) -> Path:
    """What becomes `output` once it is whole; every process has its own, so that two of them do not write one file."""
    return output.with_name(f"{output.name}.{os.getpid()}.part")


def disk_full() -> EnvironmentFailure:
    """The error for a disk without room."""
    return EnvironmentFailure("The disk is full.", _MAKE_ROOM)


def _require_free_name(output: Path, suffixes: tuple[str, ...], force: bool, inputs: tuple[Path, ...]) -> None:
    example = f"-o out{suffixes[0]}"
    if output.is_dir():
        raise UsageError(f"The output {output} is a folder.", f"Name a file: {example}")
    if output.suffix.lower() not in suffixes:
        endings = " or ".join(part for part in (", ".join(suffixes[:-1]), suffixes[-1]) if part)
        raise UsageError(f"The output {output.name!r} does not end in {endings}.", f"Name it like {example}")
    if not output.parent.is_dir():
        raise UsageError(f"The output folder {output.parent} does not exist.", f'Create it: mkdir -p "{output.parent}"')
    if not output.exists():
        return
    if any(item.exists() and output.samefile(item) for item in inputs):
        raise UsageError(f"The output {output} is also an input.", "Choose another name with -o.")
    if not force:
        raise UsageError(f"The output {output} exists already.", "Add --force to overwrite it, or choose another name.")


def _create(part: Path, output: Path) -> None:
    """Open the part file once, to know early whether the system lets us write there."""
    try:
        part.open("ab").close()
    except OSError as error:
        raise _refused(output, error) from error


def _refused(output: Path, error: OSError) -> EnvironmentFailure:
    if error.errno == errno.ENOSPC:
        return disk_full()
    reason = error.strerror or str(error)
    hint = "Choose a shorter name." if error.errno == errno.ENAMETOOLONG else "Choose another folder with -o."
    return EnvironmentFailure(f"The output {output} cannot be written ({reason}).", hint)
