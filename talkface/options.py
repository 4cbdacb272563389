"""Every choice a user has for one run: default, help text and permitted range, each written once.

The command line reads its defaults and help from here, the Python API is this class, and everything is checked the
moment the object is made, long before anything heavy is imported.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from fractions import Fraction
from os import PathLike
from pathlib import Path

from talkface.errors import UsageError, known_hint

FRAME_RATES = {
    "24": Fraction(24),
    "25": Fraction(25),
    "29.97": Fraction(30_000, 1_001),
    "30": Fraction(30),
    "50": Fraction(50),
    "60": Fraction(60),
}
EMOTIONS = ("neutral", "happy", "sad", "angry", "surprised", "afraid", "disgusted", "contempt")
DEVICES = ("auto", "cpu", "cuda")
SIZE_RANGE_PX = (128, 2048)
CRF_RANGE = (0, 40)
GAZE_YAW_LIMIT_DEG = 30.0
GAZE_PITCH_LIMIT_DEG = 20.0
HEAD_DISTANCE_RANGE = (0.7, 1.5)
AMPLITUDE_RANGE = (0.0, 2.0)
HEAD_LIMIT_DEG = (15.0, 10.0, 10.0)
SEED_RANGE = (0, 2**63 - 1)
DEFAULT_STEPS = 10
STEPS_RANGE = (1, 50)
KINDS = {
    **dict.fromkeys(("controls", "motion"), ((str, PathLike, type(None)), "the path of a file")),
    **dict.fromkeys(("full", "force"), (bool, "True or False")),
}
"""Options whose kind is all that can be wrong."""

MADE_WITH = ("gaze", "head_distance", "emotions", "amplitude", "controls", "seed", "steps")
"""Options that make a performance, and mean nothing where a stored one is drawn."""


def _option(default: object, help_text: str) -> object:
    return field(default=default, metadata={"help": help_text})


@dataclass(frozen=True)
class RenderOptions:
    """What a user may choose for one render; every default needs no thought. Raises UsageError for a bad value."""

    size: int = _option(512, "Width and height of the video in pixels, even, 128-2048.")
    fps: float = _option(25.0, f"Frames per second: {', '.join(FRAME_RATES)}.")
    crf: int = _option(18, "Video quality of x264: lower is better and larger, 0-40.")
    gaze: tuple[float, float] = _option(
        (0.0, 0.0), "Main gaze direction YAW,PITCH in degrees: + is to the picture's right and up, to +-30,+-20."
    )
    head_distance: float = _option(1.0, "Distance of the head, 1 = as in the portrait, 0.7 (near) to 1.5 (far).")
    emotions: tuple[tuple[str, float], ...] = _option(
        (), f"Emotion added to the voice's own, NAME or NAME:STRENGTH (0-1), repeatable: {', '.join(EMOTIONS)}."
    )
    amplitude: float = _option(1.0, "Liveliness of head and face, 0 (lips only, head still, no blinks) to 2.")
    controls: str | Path | None = _option(
        None, "File of keyframes (.json or .csv) for gaze, head distance, emotion, amplitude and head pose over time."
    )
    motion: str | Path | None = _option(
        None, "Motion to draw instead of a new one: a file of `talkface motion`, or a Live Link Face recording (.csv)."
    )
    seed: int | None = _option(None, "Number that picks the performance; drawn and reported when absent.")
    steps: int = _option(DEFAULT_STEPS, "Sampling steps of the motion, 1-50: more is slower, and a little finer.")
    device: str = _option("auto", "Where to compute: auto, cpu or cuda.")
    full: bool = _option(False, "Put the speaking face back into the whole picture, at its own size.")
    face: int = _option(1, "Which face to use when there are several: 1 = the largest.")
    force: bool = _option(False, "Overwrite the output file if it exists.")

    def __post_init__(self) -> None:
        for name, (kinds, words) in KINDS.items():
            value = getattr(self, name)
            _require(isinstance(value, kinds), f"The option {name!r} must be {words}, got {value!r}.")
        low, high = SIZE_RANGE_PX
        _require(
            isinstance(self.size, int) and low <= self.size <= high and self.size % 2 == 0,
            f"The size must be an even number of pixels from {low} to {high}, got {self.size!r}.",
        )
        _require(
            _rate_name(self.fps) in FRAME_RATES,
            f"The frame rate must be one of {', '.join(FRAME_RATES)}, got {_rate_name(self.fps)}.",
        )
        _require_range("The crf", self.crf, CRF_RANGE)
        _require(
            _is_pair(self.gaze),
            f"The gaze must be yaw and pitch in degrees, got {self.gaze!r}.",
            "Write gaze=(-10, 5), or --gaze -10,5",
        )
        _require_range("The gaze's yaw", self.gaze[0], (-GAZE_YAW_LIMIT_DEG, GAZE_YAW_LIMIT_DEG))
        _require_range("The gaze's pitch", self.gaze[1], (-GAZE_PITCH_LIMIT_DEG, GAZE_PITCH_LIMIT_DEG))
        _require_range("The head distance", self.head_distance, HEAD_DISTANCE_RANGE)
        _require(
            not self.full or self.head_distance == 1,
            "The head distance cannot change inside the whole picture.",
            "Leave out either --full or --head-distance.",
        )
        _require_range("The amplitude", self.amplitude, AMPLITUDE_RANGE)
        _require(
            isinstance(self.emotions, (list, tuple)) and all(_is_pair(emotion) for emotion in self.emotions),
            f"The emotions must be pairs of a name and a strength, got {self.emotions!r}.",
            'Write emotions=(("happy", 0.6),), or --emotion happy:0.6',
        )
        for name, strength in self.emotions:
            _require(name in EMOTIONS, f"There is no emotion called {name!r}.", known_hint(str(name), EMOTIONS))
            _require_range(f"The strength of {name!r}", strength, (0.0, 1.0))
        if self.seed is not None:
            _require_whole("The seed", self.seed, SEED_RANGE)
        _require_whole("The number of sampling steps", self.steps, STEPS_RANGE)
        spare = [name for name in MADE_WITH if getattr(self, name) != option_default(name)]
        _require(
            self.motion is None or not spare,
            f"A stored motion is a whole performance: {', '.join(spare).replace('_', ' ')} cannot change it.",
            "Leave out either --motion or the rest.",
        )
        _require(
            self.device in DEVICES,
            f"There is no device called {self.device!r}.",
            known_hint(str(self.device), DEVICES),
        )
        _require(
            isinstance(self.face, int) and self.face >= 1,
            f"Faces are numbered from 1 (the largest), got {self.face!r}.",
        )

    @property
    def rate(self) -> Fraction:
        """The exact frame rate: 29.97 is 30000/1001."""
        return FRAME_RATES[_rate_name(self.fps)]

    @property
    def files(self) -> dict[str, Path]:
        """The files that are read besides portrait and speech, by the name of the option."""
        return {name: Path(path) for name in ("controls", "motion") if (path := getattr(self, name)) is not None}

    def frame_count(self, duration_s: float) -> int:
        """Frames of a video as long as the speech: round(duration x fps), at least one."""
        return max(1, round(duration_s * self.rate))


def option_help(name: str) -> str:
    """Help text of one option."""
    return _field(name).metadata["help"]


def option_default(name: str) -> object:
    """Default value of one option."""
    return _field(name).default


def parse_gaze(text: str) -> tuple[float, float]:
    """(yaw_deg, pitch_deg) from "YAW,PITCH". Raises UsageError."""
    try:
        yaw_deg, pitch_deg = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"The gaze {text!r} is not two numbers.", "Write YAW,PITCH in degrees: --gaze -10,5") from None
    return yaw_deg, pitch_deg


def parse_emotion(text: str) -> tuple[str, float]:
    """(name, strength) from "NAME" or "NAME:STRENGTH". Raises UsageError."""
    name, colon, strength = text.partition(":")
    try:
        return name.strip().lower(), float(strength) if colon else 1.0
    except ValueError:
        raise UsageError(
            f"The strength {strength!r} of the emotion {name!r} is not a number.", "Write NAME:STRENGTH: happy:0.6"
        ) from None


def _field(name: str):
    return next(item for item in fields(RenderOptions) if item.name == name)


def _rate_name(fps: float) -> str:
    """The key in FRAME_RATES, also for 30000/1001 given in full; of what is no number, what it is."""
    if not isinstance(fps, (int, float)):
        return repr(fps)
    return "29.97" if math.isclose(fps, 30_000 / 1_001, abs_tol=1e-3) else f"{fps:g}"


def _require(condition: bool, message: str, hint: str = "See: talkface render --help") -> None:
    if not condition:
        raise UsageError(message, hint)


def _is_pair(value: object) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2


def _require_whole(what: str, value: int, limits: tuple[int, int]) -> None:
    low, high = limits
    _require(
        isinstance(value, int) and low <= value <= high,
        f"{what} must be a whole number from {low} to {high}, got {value!r}.",
    )


def _require_range(what: str, value: float, limits: tuple[float, float]) -> None:
    low, high = limits
    _require(
        isinstance(value, (int, float)) and low <= value <= high,
        f"{what} must be between {low:g} and {high:g}, got {value!r}.",
    )
