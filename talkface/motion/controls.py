"""Controls over time: a file of keyframes, read, checked and eased into tracks.

A keyframe says at which second which controls have which values; a control it leaves out goes on towards its own next
keyframe. Between two keyframes of a control its value eases from one to the other (`curves.ease`: at rest at both),
before the first and after the last it is held. A control without any keyframe keeps the constant asked elsewhere.

JSON: `{"keyframes": [{"time": 0, "gaze": [0, 0]}, {"time": 2.5, "gaze": [-12, 4], "emotion": "happy:0.6"}]}`.
CSV: a first line of column names (`COLUMNS`), then one line per keyframe; an empty cell leaves the control out.

| key             | columns                         | value                                                         |
|-----------------|---------------------------------|---------------------------------------------------------------|
| `time`          | time                            | seconds from the start, 0 or more, each later than the last   |
| `gaze`          | gaze_yaw, gaze_pitch            | [yaw, pitch] degrees                                          |
| `head_distance` | head_distance                   | 1 = as in the portrait                                        |
| `emotion`       | emotion                         | "happy:0.6 sad:0.2", or {"happy": 0.6, "sad": 0.2}: the whole |
|                 |                                 | mixture from there on; "neutral" for none                     |
| `amplitude`     | amplitude                       | liveliness, 1 = as the voice suggests                         |
| `head`          | head_yaw, head_pitch, head_roll | [yaw, pitch, roll] degrees from the portrait's own pose: with |
|                 |                                 | it the head moves as these keyframes say and not by itself    |

The ranges are those of `talkface.options`.
"""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from talkface.errors import InputError, UsageError, known_hint
from talkface.motion.curves import ease
from talkface.options import (
    AMPLITUDE_RANGE,
    EMOTIONS,
    GAZE_PITCH_LIMIT_DEG,
    GAZE_YAW_LIMIT_DEG,
    HEAD_DISTANCE_RANGE,
    HEAD_LIMIT_DEG,
    parse_emotion,
)
from talkface.tables import with_commas
from talkface.types import Controls, ControlTracks

LIMITS: dict[str, dict[str, tuple[float, float]]] = {
    "gaze": {
        "gaze_yaw": (-GAZE_YAW_LIMIT_DEG, GAZE_YAW_LIMIT_DEG),
        "gaze_pitch": (-GAZE_PITCH_LIMIT_DEG, GAZE_PITCH_LIMIT_DEG),
    },
    "head_distance": {"head_distance": HEAD_DISTANCE_RANGE},
    "amplitude": {"amplitude": AMPLITUDE_RANGE},
    "head": {
        f"head_{name}": (-limit_deg, limit_deg)
        for name, limit_deg in zip(("yaw", "pitch", "roll"), HEAD_LIMIT_DEG, strict=True)
    },
}
"""Controls of numbers: the columns of each, and the range of each column."""

KEYS = ("time", *LIMITS, "emotion")
COLUMNS = ("time", *(column for columns in LIMITS.values() for column in columns), "emotion")
HINT = "The README shows such a file under 'Controls over time'."


@dataclass(frozen=True)
class Curve:
    """Keyframes of one control: times (N,) in seconds, rising, and values (N, C)."""

    times_s: np.ndarray
    values: np.ndarray

    def at(self, times_s: np.ndarray) -> np.ndarray:
        """Eased values (T, C) at the times (T,)."""
        place = np.interp(times_s, self.times_s, np.arange(len(self.times_s)))
        before = np.minimum(place.astype(int), max(0, len(self.times_s) - 2))
        after = np.minimum(before + 1, len(self.times_s) - 1)
        share = ease(place - before)[:, None]
        return (1 - share) * self.values[before] + share * self.values[after]


@dataclass(frozen=True)
class Timeline:
    """The keyframes of a controls file: one curve for each control that has any."""

    curves: dict[str, Curve]
    name: str

    def tracks(self, constant: Controls, frames: int, rate_hz: float) -> ControlTracks:
        """Tracks of `frames` rows: the keyframes, and `constant` for every control without any."""
        times_s = np.arange(frames) / rate_hz
        made = {name: curve.at(times_s).astype(np.float32) for name, curve in self.curves.items()}
        fields = {"gaze": "gaze_deg", "head": "head_deg"}
        tracks = {
            fields.get(name, name): values[:, 0] if values.shape[1] == 1 else values for name, values in made.items()
        }
        return replace(ControlTracks.constant(constant, frames, rate_hz), **tracks)

    def notes(self, duration_s: float) -> tuple[str, ...]:
        """What a person should know when these keyframes meet a speech of `duration_s` seconds, one sentence each."""
        last_s = max(curve.times_s[-1] for curve in self.curves.values())
        if last_s <= duration_s:
            return ()
        return (
            f"{self.name} has keyframes up to {last_s:g} s, but the speech ends at {duration_s:.2f} s: "
            "what comes later is not reached.",
        )


def read_controls(path: Path) -> Timeline:
    """Read a controls file. Raises InputError that names the file, the place in it and the key."""
    name = f"The controls file {path.name}"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{name} is not text.", HINT) from None
    rows = _csv_rows(text, name) if path.suffix.lower() == ".csv" else _json_rows(text, name)
    curves: dict[str, list[tuple[float, list[float]]]] = {}
    last_s = -math.inf
    for place, row in rows:
        where = f"{name}, {place}"
        last_s = _time(row, last_s, where)
        for key, value in row.items():
            if key != "time":
                curves.setdefault(key, []).append((last_s, _values(key, value, where)))
    if not curves:
        raise InputError(f"{name} holds no keyframes.", HINT)
    made = {key: Curve(np.array([t for t, _ in keys]), np.array([v for _, v in keys])) for key, keys in curves.items()}
    return Timeline(made, name)


def _json_rows(text: str, name: str) -> list[tuple[str, dict[str, object]]]:
    """Every keyframe of a JSON file, with its place in words."""
    try:
        found = json.loads(text, parse_int=float)  # an int may be too long for a float
    except json.JSONDecodeError as error:
        raise InputError(f"{name} is not JSON: line {error.lineno}, {error.msg.lower()}.", HINT) from None
    except RecursionError:
        raise InputError(f"{name} is not a list of keyframes but nested too deeply.", HINT) from None
    if not isinstance(found, dict) or not isinstance(found.get("keyframes"), list):
        raise InputError(f'{name} has no list called "keyframes".', HINT)
    _refuse_unknown(set(found), ("keyframes",), name)
    rows = [(f"keyframe {number}", row) for number, row in enumerate(found["keyframes"], 1)]
    for place, row in rows:
        if not isinstance(row, dict):
            raise InputError(f"{name}, {place} is not an object in braces.", HINT)
        _refuse_unknown(set(row), KEYS, f"{name}, {place}")
    return rows


def _csv_rows(text: str, name: str) -> list[tuple[str, dict[str, object]]]:
    """Every keyframe of a CSV file, in the shape of the JSON ones, with its place in words."""
    lines = csv.reader(io.StringIO(with_commas(text.replace("\0", ""))), skipinitialspace=True)
    head = [cell.strip() for cell in next(lines, [])]
    _refuse_unknown(set(head), COLUMNS, name)
    if len(set(head)) < len(head):
        raise InputError(f"{name} has a column name twice.", HINT)
    rows = []
    for cells in lines:
        place = f"line {lines.line_num}"
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(head):
            raise InputError(f"{name}, {place} has {len(cells)} cells under {len(head)} column names.", HINT)
        given = {column: cell.strip() for column, cell in zip(head, cells, strict=True) if cell.strip()}
        row: dict[str, object] = {key: given[key] for key in ("emotion",) if key in given}
        row |= {key: _number_of(given[key]) for key in ("time",) if key in given}
        for key, columns in LIMITS.items():
            if set(columns) & set(given):
                numbers = [_number_of(given.get(column, "")) for column in columns]
                row[key] = numbers if len(numbers) > 1 else numbers[0]
        rows.append((place, row))
    return rows


def _number_of(text: str) -> object:
    """The number a cell holds, or its text, which a later check names."""
    try:
        return float(text)
    except ValueError:
        return text


def _refuse_unknown(keys: set[str], known: tuple[str, ...], where: str) -> None:
    for key in sorted(keys - set(known)):
        raise InputError(f"{where} has an unknown key {key!r}.", known_hint(key, known))


def _time(row: dict[str, object], last_s: float, where: str) -> float:
    """The keyframe's time in seconds, which has to come after `last_s`."""
    if "time" not in row:
        raise InputError(f"{where} has no 'time'.", HINT)
    time_s = _number(row["time"], (0.0, math.inf), "time", where)
    if time_s <= last_s:
        raise InputError(
            f"{where}: the time {time_s:g} s does not come after {last_s:g} s.",
            "Put the keyframes in order, each time once.",
        )
    return time_s


def _values(key: str, value: object, where: str) -> list[float]:
    """The numbers of one control in one keyframe."""
    if key == "emotion":
        return _strengths(value, where)
    limits = LIMITS[key]
    if len(limits) == 1:
        return [_number(value, limits[key], key, where)]
    if not isinstance(value, list) or len(value) != len(limits):
        wanted = ", ".join(column.removeprefix(f"{key}_") for column in limits)
        raise InputError(f"{where}: {key!r} must be {len(limits)} numbers: {wanted}.", HINT)
    return [_number(part, limits[column], column, where) for part, column in zip(value, limits, strict=True)]


def _strengths(value: object, where: str) -> list[float]:
    """Strengths (8,) of the emotions: from "happy:0.6 sad:0.2" or {"happy": 0.6, "sad": 0.2}."""
    if isinstance(value, str):
        try:
            value = dict(parse_emotion(part) for part in value.replace(",", " ").split())
        except UsageError as error:
            raise InputError(f"{where}: {error.message}", error.hint) from None
    if not isinstance(value, dict) or not value:
        raise InputError(f"{where}: 'emotion' must be like \"happy:0.6 sad:0.2\".", HINT)
    _refuse_unknown(set(value), EMOTIONS, f"{where}: 'emotion'")
    found = {name: _number(strength, (0.0, 1.0), f"strength of {name}", where) for name, strength in value.items()}
    return [found.get(name, 0.0) for name in EMOTIONS]


def _number(value: object, limits: tuple[float, float], what: str, where: str) -> float:
    """A finite number within the limits."""
    low, high = limits
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InputError(f"{where}: {what} must be a number, got {json.dumps(value)[:40]}.", HINT)
    if not low <= value <= high:
        span = f"between {low:g} and {high:g}" if math.isfinite(high) else f"{low:g} or more"
        raise InputError(f"{where}: {what} must be {span}, got {value:g}.", HINT)
    return float(value)
