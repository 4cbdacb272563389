"""A speaker's own vowels replaced by everybody's.

A few real speakers teach how lips move in time, and also how just these few open for each vowel: GRID's speaker opens
"ee" as far as "ow". What opens their lips is therefore split by phone: the mean opening for each phone heard, and the
rest. The rest is theirs to teach; the means become those of the rules on the same sounds, which follow phonetics.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter1d

from talkface.motion.guidance import TEACHER
from talkface.motion.mouth import OPENING_PER_UNIT, measure
from talkface.space import DYNAMICS_AXES, MotionSpace
from training.motion_data import FPS, FRAMES_PER_FEATURE, MotionClip
from training.speech_phones import PHONES
from training.teacher.articulation import articulate
from training.teacher.visemes import BY_PHONETICS

DOUBT_FRAMES = 50.0
"""Frames of a phone at which half of what seems to be a habit is believed."""

APART = 0.03
"""Opening of lips that are surely apart, in inter-ocular distances."""

_VOWELS = [PHONES.index(name) for name in BY_PHONETICS]
_JAW = DYNAMICS_AXES.index("jawOpen")


def heard_phones(clip: MotionClip) -> np.ndarray:
    """Posteriors (T, P) at the frames of the motion, slightly blurred."""
    step = round(1 / FRAMES_PER_FEATURE)
    count = len(clip.phones) // step
    phones = clip.phones[: count * step].astype(np.float64).reshape(count, step, -1).mean(1)
    phones = np.pad(phones, ((0, max(0, len(clip.motion) - count)), (0, 0)), mode="edge")[: len(clip.motion)]
    return gaussian_filter1d(phones, 1.0, axis=0)


def openings(clip: MotionClip) -> np.ndarray:
    """Lip openings (T, 2): of the speaker, and of the rules on the same sound."""
    rules = articulate(clip.features, FPS, len(clip.motion) / FPS).dynamics
    both = clip.motion[:, MotionSpace.dynamics], rules
    return np.column_stack([measure(one.astype(np.float64))[0] for one in both])


def habits_of(clips: list[MotionClip]) -> np.ndarray:
    """By how much a speaker's lips are further open (P,) for each phone than the rules' at the speaker's own scale."""
    phones = np.concatenate([heard_phones(clip) for clip in clips])
    both = np.concatenate([openings(clip) for clip in clips])
    amount = phones.T @ phones + np.eye(phones.shape[1])
    own, rules = np.linalg.solve(amount, phones.T @ both)[_VOWELS].T
    heard = phones.sum(0)[_VOWELS]
    line = np.polynomial.Polynomial.fit(rules, own, 1, w=np.sqrt(heard))
    habits = np.zeros(len(PHONES))
    habits[_VOWELS] = (own - line(rules)) * heard / (heard + DOUBT_FRAMES)
    return habits


def without_habits(clips: list[MotionClip]) -> list[MotionClip]:
    """The clips, those of tracked speakers with everybody's vowels; lips that touch still touch."""
    speakers: dict[str, list[MotionClip]] = {}
    for clip in clips:
        if clip.source != TEACHER:
            speakers.setdefault(f"{clip.source} {clip.speaker}", []).append(clip)
    habits = {clip.name: own for some in speakers.values() for own in [habits_of(some)] for clip in some}
    return [clip if clip.source == TEACHER else changed(clip, habits[clip.name]) for clip in clips]


def changed(clip: MotionClip, habits: np.ndarray) -> MotionClip:
    """The clip with a jaw that opens less by `habits` (P,) where the lips are apart."""
    motion = clip.motion.astype(np.float32)
    mouth = motion[:, MotionSpace.dynamics]
    apart = np.clip(measure(mouth.astype(np.float64))[0] / APART, 0, 1)
    raised = mouth[:, _JAW] - apart * (heard_phones(clip) @ habits) / OPENING_PER_UNIT["jawOpen"]
    mouth[:, _JAW] = np.clip(raised, 0, 1)
    return replace(clip, motion=motion)
