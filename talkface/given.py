"""What a user may bring beside portrait and speech: keyframes of the controls, or a whole motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from talkface.errors import UsageError
from talkface.media.files import require_file
from talkface.media.motion_file import fitting_notes, read_motion
from talkface.motion.controls import Timeline, read_controls
from talkface.options import RenderOptions
from talkface.space import MotionSpace
from talkface.types import Controls, ControlTracks, MotionSequence

STEADY = 1e-3
"""Change of the head distance that nobody sees."""


@dataclass(frozen=True)
class Given:
    """Keyframes of the controls and a stored motion, each None when there is none."""

    timeline: Timeline | None
    motion: MotionSequence | None

    def notes(self, options: RenderOptions, duration_s: float) -> tuple[str, ...]:
        """What a person should know when these meet a speech of `duration_s` seconds, one sentence each."""
        notes = self.timeline.notes(duration_s) if self.timeline else ()
        if self.motion:
            notes += self.motion.notes + fitting_notes(self.motion, float(options.rate), duration_s)
        return notes

    def distances(self) -> np.ndarray:
        """Every head distance that is given (N,); none when they say nothing of it."""
        if self.motion:
            return self.motion.values[:, MotionSpace.index("headDistance")]
        curve = self.timeline.curves.get("head_distance") if self.timeline else None
        return curve.values[:, 0] if curve else np.empty(0)

    def farthest(self, options: RenderOptions) -> float:
        """The largest head distance of the performance."""
        return float(self.distances().max(initial=0)) or options.head_distance


def read_given(options: RenderOptions) -> Given:
    """Read and check the files that the options name. Raises InputError or UsageError."""
    files, timeline, motion = options.files, None, None
    if "controls" in files:
        require_file(files["controls"], "controls file")
        timeline = read_controls(files["controls"])
    if "motion" in files:
        motion = read_motion(files["motion"])
    given = Given(timeline, motion)
    if options.full and (np.abs(given.distances() - 1) > STEADY).any():
        raise UsageError(
            "The head distance cannot change inside the whole picture.",
            "Leave out --full, or the head distance in the file.",
        )
    return given


def control_tracks(options: RenderOptions, frames: int, timeline: Timeline | None) -> ControlTracks:
    """What is asked in each of `frames` frames: the options, and the keyframes where there are any."""
    constant = Controls(*options.gaze, options.head_distance, options.emotions, options.amplitude)
    tracks = timeline.tracks if timeline else ControlTracks.constant
    return tracks(constant, frames, float(options.rate))
