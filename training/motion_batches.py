"""Windows to learn from: random stretches of clips, as the tensors that the denoiser takes.

A window is W frames with the K before them, what was heard around them and what was asked; half of them are seen in a
mirror, loudness and certainty of the hearing vary, and the frames before are slightly wrong, as the model's own are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from talkface.motion.conditions import (
    AXES,
    COLUMNS,
    EMOTION_ONSET_S,
    audio_rows,
    control_rows,
    mirrored,
    silent_row,
    to_departure,
)
from talkface.motion.curves import ease
from talkface.motion.denoiser import AUDIO_AFTER, AUDIO_BEFORE, AUDIO_ROWS_PER_FRAME, CONDITIONS, DenoiserConfig
from talkface.motion.emotion import emotion_offset
from talkface.motion.mouth import measure
from talkface.options import EMOTIONS
from talkface.space import DYNAMICS_AXES, MOUTH_AXES, MotionSpace
from talkface.types import ControlTracks
from training.motion_data import FPS, MotionClip
from training.teacher.articulation import articulate
from training.teacher.moods import add_emotion

SHARES = {"teacher": 0.74, "grid_s1": 0.13, "facegood": 0.13, "yours": 1.0}
DROPPED = {"audio": 0.1, "gaze": 0.1, "distance": 0.1, "emotion": 0.1, "previous": 0.3}
SOURCE_DROPPED = 0.15
BEGINNINGS = 0.12
PREVIOUS_NOISE = 0.06
HEARD_SHARE, AGREEMENT = 0.67, (0.5, 0.9)
SOFTENED = tuple(name for name in MOUTH_AXES if not name.startswith("mouthSmile"))
"""Not the smile, which is partly the mood's."""

LEAST_SPREAD = {"headX": 0.005, "headY": 0.005, "headDistance": 0.005, "gazeYaw": 0.5, "gazePitch": 0.5,
                "headYaw": 0.5, "headPitch": 0.5, "headRoll": 0.5}  # fmt: skip
LEAST_BLENDSHAPE_SPREAD = 0.02


@dataclass(frozen=True)
class Batch:
    """B windows; letters as in `talkface.motion.denoiser`.

    Attributes:
        clean: (B, W, M) motion, each axis in units of its spread.
        weight: (B, W, M) 1 where the motion is known, else 0.
        audio, gaze, distance, emotion, previous, source, keep: see `Denoiser.embed`.
    """

    clean: torch.Tensor
    weight: torch.Tensor
    audio: torch.Tensor
    gaze: torch.Tensor
    distance: torch.Tensor
    emotion: torch.Tensor
    previous: torch.Tensor
    source: torch.Tensor
    keep: torch.Tensor

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        return Batch(*(getattr(self, item.name).to(device, non_blocking=True) for item in fields(self)))

    def pin_memory(self) -> Batch:
        """The same batch in memory that a GPU copies from by itself; a DataLoader calls this."""
        return Batch(*(getattr(self, item.name).pin_memory() for item in fields(self)))


@dataclass(frozen=True)
class Material:
    """A clip made ready: departures (T, M), audio rows with silence around (front + F + back, A), flags."""

    clip: MotionClip
    departure: np.ndarray
    audio: np.ndarray
    controls: dict[str, np.ndarray]
    known: np.ndarray


def spread_of(clips: list[MotionClip]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread (M,) of every axis over the clips in which it is known, the spread never tiny."""
    total, squares, count = (np.zeros(len(AXES)) for _ in range(3))
    for clip in clips:
        departure = to_departure(clip.motion).astype(np.float64)
        known = clip.known[COLUMNS]
        total += departure.sum(0) * known
        squares += np.square(departure).sum(0) * known
        count += len(departure) * known
    mean = total / np.maximum(count, 1)
    spread = np.sqrt(np.maximum(squares / np.maximum(count, 1) - mean**2, 0))
    least = np.array([LEAST_SPREAD.get(name, LEAST_BLENDSHAPE_SPREAD) for name in AXES])
    return mean.astype(np.float32), np.maximum(spread, least).astype(np.float32)


def softened(clip: MotionClip) -> MotionClip:
    """The clip with a mouth between what is said and what is heard, as far as these agree.

    Rules that follow exact labels articulate every phone in full; rules that follow a good hearing slur where a voice
    slurs, and are nearer to real mouths. Where the hearing is poor, what is said stays the truth.
    """
    if clip.source != "teacher" or clip.speaker == "silence":
        return clip
    count = len(clip.motion)
    onset = ease(np.arange(count) / FPS / EMOTION_ONSET_S)
    heard = articulate(clip.features, FPS, count / FPS).dynamics.astype(np.float64)
    heard = add_emotion(heard, emotion_offset(np.tile(clip.emotion, (count, 1))), onset)
    motion = clip.motion.astype(np.float32)
    said = motion[:, MotionSpace.dynamics]
    openings = [measure(mouth)[0] for mouth in (said, heard)]
    agreement = np.corrcoef(openings)[0, 1] if min(np.std(o) for o in openings) > 1e-3 else 0.0
    low, high = AGREEMENT
    share = HEARD_SHARE * np.clip((agreement - low) / (high - low), 0, 1)
    for name in SOFTENED:
        column = DYNAMICS_AXES.index(name)
        said[:, column] += share * (heard[:, column] - said[:, column])
    return replace(clip, motion=motion)


class Windows:
    """Draws batches at random from clips, the sources in fixed shares."""

    def __init__(self, clips: list[MotionClip], config: DenoiserConfig, mean: np.ndarray, spread: np.ndarray) -> None:
        if not clips:
            raise ValueError("there are no clips to learn from; make shards with training.motion_teacher first")
        self.config, self.mean, self.spread = config, mean, spread
        self.reach = (config.context + config.window) * AUDIO_ROWS_PER_FRAME + AUDIO_AFTER
        self.front = config.context * AUDIO_ROWS_PER_FRAME + AUDIO_BEFORE
        self.material = [self._prepare(softened(clip)) for clip in clips]
        lengths = np.array([len(m.departure) for m in self.material], float)
        share = np.zeros(len(clips))
        for source, wanted in SHARES.items():
            mine = np.array([clip.source == source for clip in clips])
            share[mine] = wanted * lengths[mine] / max(lengths[mine].sum(), 1)
        self.cumulative = np.cumsum(share) / share.sum()

    def batch(self, size: int, rng: np.random.Generator, *, whole: bool = False) -> Batch:
        """`size` windows; `whole`: nothing dropped, mirrored or disturbed."""
        picks = np.searchsorted(self.cumulative, rng.random(size))
        rows = [self._window(self.material[i], rng, whole) for i in np.minimum(picks, len(self.material) - 1)]
        columns = zip(*rows, strict=True)
        return Batch(*(torch.from_numpy(np.stack(column)) for column in columns))

    def _prepare(self, clip: MotionClip) -> Material:
        rows, silence = audio_rows(clip.features), silent_row(self.config.phone_names)
        after = max(0, AUDIO_ROWS_PER_FRAME * len(clip.motion) - len(rows)) + self.reach
        padded = np.concatenate([np.tile(silence, (self.front, 1)), rows, np.tile(silence, (after, 1))])
        asked = ControlTracks.constant(clip.controls, 1, FPS)
        controls = {name: row[0] for name, row in control_rows(asked).items()}
        known = clip.known[COLUMNS]
        departure = np.where(known, (to_departure(clip.motion) - self.mean) / self.spread, 0).astype(np.float16)
        return Material(clip, departure, padded.astype(np.float16), controls, known)

    def _window(self, material: Material, rng: np.random.Generator, whole: bool) -> tuple[np.ndarray, ...]:
        config, length = self.config, len(material.departure)
        last = max(0, length - config.window // 2)
        begins = material.clip.opening and rng.random() < BEGINNINGS
        start = 0 if begins else int(rng.integers(last + 1))
        clean = np.zeros((config.window, len(AXES)), np.float32)
        part = material.departure[start : start + config.window]
        clean[: len(part)] = part
        weight = np.zeros_like(clean)
        weight[: len(part)] = material.known
        previous = self._previous(material, start)
        first = start * AUDIO_ROWS_PER_FRAME
        audio = material.audio[first : first + self.front + config.window * AUDIO_ROWS_PER_FRAME + AUDIO_AFTER]
        audio = audio.astype(np.float32)
        controls = dict(material.controls)
        source = config.sources.index(material.clip.source)
        keep = np.ones(len(CONDITIONS), np.float32)
        keep[CONDITIONS.index("previous")] = previous is not None
        previous = np.zeros((config.context, len(AXES)), np.float32) if previous is None else previous
        if not whole:
            clean, previous, weight, controls = self._mirror(clean, previous, weight, controls, rng)
            audio, previous = self._disturb(audio, previous, rng)
            keep *= [rng.random() >= DROPPED[name] for name in CONDITIONS]
            source = len(config.sources) if rng.random() < SOURCE_DROPPED else source
        tokens = config.context + config.window
        asked = [np.tile(controls[name], (tokens, 1)) for name in ("gaze", "distance", "emotion")]
        return clean, weight, audio, *asked, previous, np.array(source), keep

    def _previous(self, material: Material, start: int) -> np.ndarray | None:
        """The K frames before `start`; before the first frame of a portrait at rest, rest; else None when missing."""
        count = self.config.context
        if start < count and not material.clip.opening:
            return None
        rest = np.where(material.known, -self.mean / self.spread, 0).astype(np.float32)
        past = material.departure[max(0, start - count) : start]
        return np.concatenate([np.tile(rest, (count - len(past), 1)), past.astype(np.float32)])

    def _mirror(self, clean, previous, weight, controls, rng) -> tuple:
        """Left and right exchanged, half of the time; never with the one-sided emotion."""
        if rng.random() < 0.5 or controls["emotion"][EMOTIONS.index("contempt")] > 0:
            return clean, previous, weight, controls
        flipped = [(mirrored(x * self.spread + self.mean) - self.mean) / self.spread for x in (clean, previous)]
        gaze = controls["gaze"] * np.array([-1, 1], np.float32)
        return *(x.astype(np.float32) for x in flipped), np.abs(mirrored(weight)), controls | {"gaze": gaze}

    def _disturb(self, audio: np.ndarray, previous: np.ndarray, rng: np.random.Generator) -> tuple:
        """Louder or softer, surer or less sure; frames before that are not quite right."""
        phones = len(self.config.phone_names)
        audio = audio.copy()
        audio[:, :phones] **= rng.uniform(0.75, 1.3)
        audio[:, phones] += rng.normal(0, 0.12)
        noise = rng.standard_normal(previous.shape, np.float32)
        return audio, previous + np.float32(PREVIOUS_NOISE * rng.random()) * noise


class Stream(IterableDataset):
    """Endless batches of `size` windows, so that a DataLoader's processes can prepare them while a GPU learns.

    Every process draws its own, by `seed` and its number.
    """

    def __init__(self, windows: Windows, size: int, seed: Sequence[int]) -> None:
        self.windows, self.size, self.seed = windows, size, tuple(seed)

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        rng = np.random.default_rng([*self.seed, worker.id] if worker else self.seed)
        while True:
            yield self.windows.batch(self.size, rng)
