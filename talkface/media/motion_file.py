"""Motion in files: what `talkface motion` writes and `--motion` draws.

Three kinds:

- `npz` (numpy, no pickle): `format`, `version`, `axes` (D,), `units` (D,), `values` (T, D) float32, `fps`, `seed` and
  `talkface` (the version that made it);
- `csv`: a line per frame, `time_s` and then the axes of `space.MotionSpace`, each with its unit where it has one
  (`headYaw_deg`);
- `livelink`: see `live_link`.

Reading tells them apart by what is in them. Axes are found by name; missing ones stay at rest.
"""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from pathlib import Path

import numpy as np

from talkface import __version__
from talkface.errors import InputError, UsageError, known_hint
from talkface.media import live_link
from talkface.media.files import require_file
from talkface.options import FRAME_RATES, HEAD_DISTANCE_RANGE
from talkface.space import ANGLE_AXES, GAZE_AXES, LARGEST_GAZE_DEG, LARGEST_TURN_DEG, UNITS, MotionSpace
from talkface.tables import with_commas
from talkface.types import MotionSequence

FORMAT = "talkface motion"
VERSION = 1
SUFFIXES = {"npz": ".npz", "csv": ".csv", "livelink": ".csv"}
COLUMNS = tuple(f"{name}_{UNITS[name]}" if name in UNITS else name for name in MotionSpace.names)
HINT = "`talkface motion SPEECH -o FILE` writes such files."
LARGEST = {
    **dict(zip(ANGLE_AXES, LARGEST_TURN_DEG, strict=True)),
    **dict.fromkeys(("headX", "headY"), 0.3),
    **dict(zip(GAZE_AXES, LARGEST_GAZE_DEG, strict=True)),
}
"""What can be drawn, both ways, in the units of the axis; activations are 0-1."""
SETTLE_S = 0.5
"""How long a face takes to come to rest after a motion that ends before the speech."""


def require_format(kind: str, fps: float) -> None:
    """Raise UsageError unless `kind` exists and can say the frame rate."""
    if kind not in SUFFIXES:
        raise UsageError(f"There is no motion format called {kind!r}.", f"Choose among: {', '.join(SUFFIXES)}.")
    if kind == "livelink" and fps not in live_link.RATES:
        raise UsageError(
            f"A Live Link Face file has 30 or 60 frames per second, not {fps:g}.", "Add --fps 60 or --fps 30."
        )


def write_motion(path: Path, motion: MotionSequence, kind: str, seed: int) -> None:
    """Write a motion (T, D) in one of the kinds of `SUFFIXES`."""
    if kind == "npz":
        with path.open("wb") as stream:
            np.savez_compressed(
                stream, format=FORMAT, version=VERSION, axes=MotionSpace.names, values=motion.values, fps=motion.fps,
                units=[UNITS.get(name, "activation") for name in MotionSpace.names], seed=seed, talkface=__version__,
            )  # fmt: skip
        return
    with path.open("w", encoding="utf-8", newline="") as stream:
        out = csv.writer(stream, lineterminator="\n")
        if kind == "livelink":
            out.writerow(live_link.HEADER)
            rows, count = live_link.to_rows(motion.values), len(live_link.HEADER) - 2
            starts = ([live_link.timecode(t, round(motion.fps)), str(count)] for t in range(len(rows)))
        else:
            out.writerow(("time_s", *COLUMNS))
            rows, starts = motion.values, ([f"{t / motion.fps:.6f}"] for t in range(len(motion.values)))
        for start, row in zip(starts, rows, strict=True):
            out.writerow(start + [f"{value:.6f}" for value in row])


def read_motion(path: Path) -> MotionSequence:
    """Read a motion of any kind; what cannot be drawn is limited, and said in the notes.

    Raises InputError: no motion, another version, unknown axes, wrong shape, values that are not numbers.
    """
    require_file(path, "motion file")
    name = f"The motion file {path.name}"
    with path.open("rb") as stream:
        is_npz = stream.read(2) == b"PK"
    motion = _read_npz(path, name) if is_npz else _read_text(path, name)
    if not np.isfinite(motion.values).all():
        frame, column = np.argwhere(~np.isfinite(motion.values))[0]
        raise InputError(
            f"{name} holds a value that is not a number: {MotionSpace.names[column]}, frame {frame}.", HINT
        )
    return _limited(motion, name)


def resample(motion: MotionSequence, fps: float, frames: int) -> MotionSequence:
    """The motion at another rate, `frames` long; where it ends earlier the face comes to rest, the distance stays."""
    stored = motion.values.astype(np.float64)
    place = np.arange(frames) / fps * motion.fps
    values = np.stack([np.interp(place, np.arange(len(stored)), column) for column in stored.T], 1)
    rest = np.zeros(MotionSpace.size)
    rest[MotionSpace.index("headDistance")] = stored[-1, MotionSpace.index("headDistance")]
    gone = np.clip((place - len(stored)) / motion.fps / SETTLE_S, 0, 1)
    values += (3 * gone**2 - 2 * gone**3)[:, None] * (rest - values)
    return MotionSequence(values.astype(np.float32), fps, motion.notes)


def fitting_notes(motion: MotionSequence, fps: float, duration_s: float) -> tuple[str, ...]:
    """What a person should know when this motion is drawn at `fps` to a speech of `duration_s`, one sentence each."""
    notes = []
    if abs(motion.fps - fps) > 0.01:
        notes.append(f"The motion has {motion.fps:.5g} frames per second and is resampled to {fps:.5g}.")
    length_s = len(motion.values) / motion.fps
    if length_s > duration_s + 1 / fps:
        notes.append(f"The motion lasts {length_s:.2f} s and the speech {duration_s:.2f} s: its end is not drawn.")
    if length_s < duration_s - 1 / fps:
        notes.append(f"The motion lasts {length_s:.2f} s and the speech {duration_s:.2f} s: the face rests after it.")
    return tuple(notes)


def _read_npz(path: Path, name: str) -> MotionSequence:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            found = {key: stored[key] for key in stored.files}
    except (ValueError, OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise InputError(f"{name} is damaged ({error}).", HINT) from None
    if str(found.get("format")) != FORMAT:
        raise InputError(f"{name} is a numpy file, but not a motion.", HINT)
    if found.get("version") != VERSION:
        raise InputError(
            f"{name} has format version {found.get('version')}, and this talkface reads {VERSION}.",
            "Write it again with this version, or install the one that wrote it.",
        )
    for key in ("axes", "values", "fps"):
        if key not in found:
            raise InputError(f"{name} has no {key!r}.", HINT)
    axes, values, fps = [str(axis) for axis in found["axes"].ravel()], found["values"], found["fps"]
    if values.ndim != 2 or not len(values) or values.shape[1] != len(axes) or values.dtype.kind not in "fiu":
        raise InputError(f"{name}: 'values' must be numbers (frames, {len(axes)}), got shape {values.shape}.", HINT)
    if fps.shape or fps.dtype.kind not in "fiu" or not 1 <= fps <= 1000:
        raise InputError(f"{name}: 'fps' must be a number of frames per second, got {fps}.", HINT)
    return MotionSequence(_by_name(axes, values, MotionSpace.names, name), float(fps))


def _read_text(path: Path, name: str) -> MotionSequence:
    try:
        lines = csv.reader(io.StringIO(with_commas(path.read_text(encoding="utf-8-sig"))))
        head, *rows = [line for line in lines if line]
    except (UnicodeDecodeError, ValueError, csv.Error):
        raise InputError(f"{name} is not a motion.", HINT) from None
    head = [cell.strip() for cell in head]
    if head[0] == "Timecode":
        rows = [row for row in rows if row[1:2] != ["0"]]  # the app lost the face: a row without values
    elif head[0] != "time_s":
        raise InputError(f"{name} is not a motion: its first column is {head[0][:40]!r}, not time_s or Timecode.", HINT)
    if len(rows) < 2:
        raise InputError(f"{name} holds no frames.", HINT)
    for number, row in enumerate(rows, 2):
        if len(row) != len(head):
            raise InputError(f"{name}, line {number} has {len(row)} cells under {len(head)} column names.", HINT)
    if head[0] == "Timecode":
        _require_known(head[2:], live_link.HEADER[2:], name)
        times_s = _numbers(lambda: live_link.seconds_of([row[0] for row in rows]), name)
        table = _numbers(lambda: np.array([row[2:] for row in rows], np.float64), name)
        new = np.diff(times_s, prepend=-1) > 0  # the app may write a frame twice
        motion = live_link.from_columns(dict(zip(head[2:], table[new].T, strict=True)))
        return _evenly(times_s[new], motion, name)
    table = _numbers(lambda: np.array(rows, np.float64), name)
    return _evenly(table[:, 0], _by_name(head[1:], table[:, 1:], COLUMNS, name), name)


def _numbers(read, name: str) -> np.ndarray:
    try:
        return read()
    except ValueError as error:
        raise InputError(f"{name} holds something that is not a number ({error}).", HINT) from None


def _by_name(axes: list[str], values: np.ndarray, known: tuple[str, ...], name: str) -> np.ndarray:
    """(T, D) in the order of the motion space from columns in any order."""
    _require_known(axes, known, name)
    out = np.zeros((len(values), MotionSpace.size))
    out[:, MotionSpace.index("headDistance")] = 1
    out[:, [known.index(axis) for axis in axes]] = values
    return out


def _require_known(axes: list[str], known: tuple[str, ...], name: str) -> None:
    for axis in axes:
        if axis not in known:
            raise InputError(f"{name} has an unknown axis {axis!r}.", known_hint(axis, known))


def _evenly(times_s: np.ndarray, values: np.ndarray, name: str) -> MotionSequence:
    """Rows at any rising times (T,), first 0 or later, as a motion of their usual rate; gaps are filled in."""
    rises = np.diff(times_s, prepend=-1e-9) > 0
    if not rises.all():
        line = 2 + int(np.argmin(rises))
        raise InputError(f"{name}, line {line}: the times must be 0 or more and rise from line to line.", HINT)
    fps = 1 / float(np.median(np.diff(times_s)))
    nearest = min(FRAME_RATES.values(), key=lambda rate: abs(rate - fps))
    fps = float(nearest) if abs(nearest - fps) < 0.005 * fps else fps
    grid_s = np.arange(round(times_s[-1] * fps) + 1) / fps
    return MotionSequence(np.stack([np.interp(grid_s, times_s, column) for column in values.T], 1), fps)


def _limited(motion: MotionSequence, name: str) -> MotionSequence:
    """The motion within what can be drawn, with a note when that changed it."""
    low, high = np.zeros(MotionSpace.size), np.ones(MotionSpace.size)
    for axis, limit in LARGEST.items():
        low[MotionSpace.index(axis)], high[MotionSpace.index(axis)] = -limit, limit
    distance = MotionSpace.index("headDistance")
    low[distance], high[distance] = HEAD_DISTANCE_RANGE
    beyond = ((motion.values < low - 1e-4) | (motion.values > high + 1e-4)).any(0)
    names = ", ".join(axis for axis, over in zip(MotionSpace.names, beyond, strict=True) if over)
    notes = (f"{name} goes beyond what can be drawn, and is limited: {names}.",) if names else ()
    return MotionSequence(np.clip(motion.values, low, high).astype(np.float32), motion.fps, notes)
