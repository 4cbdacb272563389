"""What the motion model learns from: clips of hearing and movement, in shards (.npz) on disk.

A clip holds what the speech encoder heard, at 50 Hz, how a face moved, at 25 frames/s, and what was asked of it. The
motion is relative to the asked gaze and distance, so that a model learns what to add to them, whatever they are.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from talkface.options import EMOTIONS
from talkface.space import MotionSpace
from talkface.types import FEATURE_RATE_HZ, Controls, SpeechFeatures
from training.speech_phones import PHONES

FPS = 25.0
FRAMES_PER_FEATURE = FPS / FEATURE_RATE_HZ
SOURCES = ("teacher", "grid_s1", "facegood", "yours")


@dataclass(frozen=True)
class MotionClip:
    """One recording heard and moved to. F feature frames at 50 Hz, T motion frames at 25 frames/s, T about F / 2.

    Attributes:
        name: unique within its source.
        source: one of `SOURCES`. speaker: whose voice, "corpus/person".
        held_out: never to be trained on.
        phones: (F, P) float16 posteriors over `speech_phones.PHONES`, as heard in the (perhaps spoiled) sound.
        level_db, voiced, pitch_hz: (F,) float32; is_silent: see `types.SpeechFeatures`.
        motion: (T, D) float16 in `space.MotionSpace`, frame t at t / 25 s. Gaze in degrees from the asked direction,
            head distance as a ratio to the asked one (1 = as asked); everything else as in `types.MotionSequence`.
        known: (D,) bool, the axes that were observed; the others are 0 and must not be learned.
        gaze_deg: (2,) float32 asked yaw and pitch. head_distance: asked ratio.
        emotion: (8,) float32 asked strengths in the order of `options.EMOTIONS`.
        opening: the first frame is a portrait at rest (all zeros); false where the clip was cut out of something.
    """

    name: str
    source: str
    speaker: str
    held_out: bool
    phones: np.ndarray
    level_db: np.ndarray
    voiced: np.ndarray
    pitch_hz: np.ndarray
    is_silent: bool
    motion: np.ndarray
    known: np.ndarray
    gaze_deg: np.ndarray
    head_distance: float
    emotion: np.ndarray
    opening: bool

    def __post_init__(self) -> None:
        count, size = self.phones.shape[0], len(EMOTIONS)
        shapes = {"phones": (count, len(PHONES)), "level_db": (count,), "voiced": (count,), "pitch_hz": (count,),
                  "motion": (len(self.motion), MotionSpace.size), "known": (MotionSpace.size,), "gaze_deg": (2,),
                  "emotion": (size,)}  # fmt: skip
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{self.name}: expected {name} of shape {shape}, got {getattr(self, name).shape}")
        if self.source not in SOURCES:
            raise ValueError(f"{self.name}: the source {self.source!r} is none of {SOURCES}")
        if abs(len(self.motion) - count * FRAMES_PER_FEATURE) > 2:
            raise ValueError(f"{self.name}: {len(self.motion)} motion frames do not go with {count} feature frames")

    @classmethod
    def hearing(cls, features: SpeechFeatures, **rest: object) -> MotionClip:
        """A clip of this hearing; `rest` are the other attributes."""
        heard = {name: getattr(features, name) for name in (*_PER_FEATURE, "is_silent")}
        return cls(**heard, **rest)

    @property
    def duration_s(self) -> float:
        """Length of the motion."""
        return len(self.motion) / FPS

    @property
    def features(self) -> SpeechFeatures:
        """The hearing as the pipeline hands it over."""
        return SpeechFeatures(self.phones, PHONES, self.level_db, self.voiced, self.pitch_hz, self.is_silent)

    @property
    def controls(self) -> Controls:
        """What was asked."""
        asked = tuple((name, float(s)) for name, s in zip(EMOTIONS, self.emotion, strict=True) if s > 0)
        return Controls(float(self.gaze_deg[0]), float(self.gaze_deg[1]), float(self.head_distance), asked)


_PER_FEATURE = ("phones", "level_db", "voiced", "pitch_hz")
_COUNTS = {"feature_counts": "phones", "motion_counts": "motion"}


def save_clips(path: Path, clips: list[MotionClip]) -> None:
    """Write clips as one shard, whole or not at all."""
    arrays = {}
    for item in fields(MotionClip):
        values = [getattr(clip, item.name) for clip in clips]
        joined = item.name in (*_PER_FEATURE, "motion")
        arrays[item.name] = np.concatenate(values) if joined else np.array(values)
    arrays["phones"], arrays["motion"] = (arrays[name].astype(np.float16) for name in ("phones", "motion"))
    arrays |= {name: np.array([len(getattr(clip, array)) for clip in clips]) for name, array in _COUNTS.items()}
    part = path.with_suffix(".part.npz")
    np.savez(
        part, axes=np.array(MotionSpace.names), phone_names=np.array(PHONES), emotions=np.array(EMOTIONS), **arrays
    )
    part.rename(path)


def read_clips(path: Path) -> list[MotionClip]:
    """All clips of one shard. Raises ValueError when it was written for other axes, phones or emotions."""
    with np.load(path) as data:
        for name, expected in (("axes", MotionSpace.names), ("phone_names", PHONES), ("emotions", EMOTIONS)):
            if tuple(data[name].tolist()) != tuple(expected):
                raise ValueError(f"{path}: its {name} are not this version's; make the shard again")
        arrays = {item.name: data[item.name] for item in fields(MotionClip)}
        ends = {array: np.cumsum(data[name])[:-1] for name, array in _COUNTS.items()}
    for name in (*_PER_FEATURE, "motion"):
        arrays[name] = np.split(arrays[name], ends["motion" if name == "motion" else "phones"])
    columns = [v if isinstance(v, list) or v.ndim > 1 else v.tolist() for v in arrays.values()]
    return [MotionClip(*row) for row in zip(*columns, strict=True)]


def read_folder(folder: Path, *, held_out: bool) -> list[MotionClip]:
    """All clips of a folder's shards that are (or are not) held out, in the order of the file names."""
    return [c for path in sorted(folder.glob("*.npz")) for c in read_clips(path) if c.held_out == held_out]
