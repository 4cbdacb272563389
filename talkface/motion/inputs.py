"""What the denoiser is told of a window: the voice, and what is asked, in as many ways as emotions are held in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np

from talkface.motion import conditions
from talkface.motion.curves import ease
from talkface.motion.denoiser import (
    AUDIO_AFTER,
    AUDIO_BEFORE,
    AUDIO_ROWS_PER_FRAME,
    MOTION_RATE_HZ,
    DenoiserConfig,
)
from talkface.types import Controls, ControlTracks, SpeechFeatures

GUESSES_AT_ONCE = 8
"""Ways of windows guessed together: more would need more memory and be no faster on a CPU."""


@dataclass(frozen=True)
class Told:
    """One way to tell a window what is asked: control rows (tokens, ...), the share (W,) of this way in each frame of
    the window, and what its emotion adds to a departure beyond what the asked one does (tokens, M)."""

    rows: dict[str, np.ndarray]
    share: np.ndarray
    apart: np.ndarray


class Inputs:
    """The voice and the controls of a whole speech, cut for each window: voice beyond its ends is silence."""

    def __init__(self, features: SpeechFeatures, tracks: ControlTracks, config: DenoiserConfig) -> None:
        self.context, self.tokens = config.context, config.context + config.window
        self.audio = conditions.audio_rows(features)
        self.silence = conditions.silent_row(config.phone_names)
        self.tracks, self.controls = tracks, conditions.control_rows(tracks)

    def unasked(self) -> Inputs:
        """The same voice, and nothing asked; itself when that is so already."""
        if not any(rows.any() for rows in self.controls.values()):
            return self
        plain = copy(self)
        plain.tracks = ControlTracks.constant(Controls(), len(self.tracks), self.tracks.rate_hz)
        plain.controls = conditions.control_rows(plain.tracks)
        return plain

    def heard(self, start: int) -> np.ndarray:
        """Audio rows of the window that starts at frame `start`, and of the frames before it."""
        first = (start - self.context) * AUDIO_ROWS_PER_FRAME - AUDIO_BEFORE
        count = self.tokens * AUDIO_ROWS_PER_FRAME + AUDIO_BEFORE + AUDIO_AFTER
        return conditions.stretch(self.audio, first, count, self.silence, self.silence)

    def told(self, start: int) -> list[Told]:
        """Control rows of the same window, with each emotion that it has held throughout."""
        first, count = start - self.context, self.tokens
        rows = {name: conditions.stretch(c, first, count, c[0], c[-1]) for name, c in self.controls.items()}
        held, shares = conditions.held_rows(rows["emotion"][self.context :])
        onset = ease((first + np.arange(count)) / (conditions.EMOTION_ONSET_S * MOTION_RATE_HZ))[:, None]
        asked = conditions.emotional_departure(rows["emotion"])
        return [
            Told(
                rows | {"emotion": np.tile(one, (count, 1))},
                share,
                (onset * (conditions.emotional_departure(one) - asked)).astype(np.float32),
            )
            for one, share in zip(held, shares, strict=True)
        ]

    def in_batches(self, begins: Sequence[int]) -> Iterator[dict[int, list[Told]]]:
        """What the windows from frames `begins` on are told, so many of them together as `GUESSES_AT_ONCE` allows."""
        batch, count = {}, 0
        for start in begins:
            ways = self.told(start)
            if batch and count + len(ways) > GUESSES_AT_ONCE:
                yield batch
                batch, count = {}, 0
            batch[start] = ways
            count += len(ways)
        yield batch
