"""The performance: lips from the voice, life around them, as the user's controls ask. Pure numpy, any frame rate.

Everything but the lips is generated on a fixed time grid or as events in continuous time, then read at the frame times,
so that the same seed gives the same performance at every frame rate.
"""

from __future__ import annotations

import numpy as np

from talkface.motion.conditions import EMOTION_ONSET_S, LARGEST_AMPLITUDE, STEADY_EYES, main_gaze
from talkface.motion.curves import ease, soft_limit
from talkface.motion.emotion import emotion_offset
from talkface.motion.mouth import measure
from talkface.space import ANGLE_AXES, DYNAMICS_AXES, LARGEST_GAZE_DEG, LARGEST_TURN_DEG, MotionSpace
from talkface.types import Controls, ControlTracks, MotionSequence, SpeechFeatures
from training.teacher import eyes, life
from training.teacher.articulation import articulate
from training.teacher.moods import add_emotion, emotion_style
from training.teacher.rhythm import Rhythm, rhythm_of

LIDS_WITH_BROWS = 0.25
"""How far brows take the lids along, up and down, as a share of a blink: low lids under low brows look intent, not
tired."""

SMILE_AT_REST, WIDE_OPEN, ROUNDED = 0.5, 0.3, 0.4
"""A warm face's smile with lips closed, of its warmth; the opening (inter-ocular distances) that adds the whole of it;
and the `mouthPucker` of lips too round to widen. VASA-1's mouths are 10 % of an inter-ocular distance wider open than
closed, by smiling; tracked people's between nothing and that."""


def perform(
    features: SpeechFeatures, controls: Controls | ControlTracks, fps: float, frames: int, seed: int
) -> MotionSequence:
    """Make the whole performance, relative to the portrait: all zeros (distance 1) is the portrait itself.

    Args:
        features: the voice.
        controls: what the user steers, over time (T rows at `fps`) or throughout. `amplitude` scales head and
            expression motion (0 = lips only, at most 2).
        fps: frames per second of the result.
        frames: T, how many.
        seed: chooses among equally natural performances; touches everything but the lips.

    Returns:
        (T, D) motion; frame t belongs to second t / fps.
    """
    tracks = controls if isinstance(controls, ControlTracks) else ControlTracks.constant(controls, frames, fps)
    times_s = np.arange(frames) / fps
    duration_s = frames / fps
    lips = articulate(features, fps, duration_s)
    values = np.zeros((frames, MotionSpace.size))
    values[:, MotionSpace.index("headDistance")] = tracks.head_distance
    values[:, MotionSpace.speaking] = _fit_length(lips.speaking, frames)
    values[:, MotionSpace.dynamics] = _fit_length(lips.dynamics, frames)
    values[:, MotionSpace.gaze] = main_gaze(tracks.gaze_deg, times_s)
    if tracks.amplitude.any() or tracks.head_deg is not None:
        _add_life(values, rhythm_of(features, duration_s), tracks, times_s, seed)
    onset = ease(times_s / EMOTION_ONSET_S)
    dynamics = values[:, MotionSpace.dynamics]
    values[:, MotionSpace.dynamics] = add_emotion(dynamics, emotion_offset(tracks.emotion), onset)
    return MotionSequence(values.astype(np.float32), fps)


def _fit_length(curve: np.ndarray, frames: int) -> np.ndarray:
    """Cut `curve` (T', ...) to `frames`, or hold its last value."""
    return curve[np.minimum(np.arange(frames), len(curve) - 1)]


def _add_life(values: np.ndarray, rhythm: Rhythm, tracks: ControlTracks, times_s: np.ndarray, seed: int) -> None:
    """Add head, eyes, brows and cheeks to `values` (T, D) in place; the manner is that of the mean emotion."""
    style = emotion_style(tracks.emotion.mean(0))
    amplitude = np.clip(tracks.amplitude, 0.0, LARGEST_AMPLITUDE)[:, None]
    turn = tracks.head_deg
    if turn is None:
        angles = life.head_angles(rhythm, seed, style)
        shift = life.head_shift(angles, rhythm, seed)
        angles[:, 1] += 0.2 * life.breathing(rhythm, seed)
        turn = soft_limit(amplitude * _read(angles, rhythm, times_s), LARGEST_TURN_DEG)
        values[:, MotionSpace.columns("headX", "headY")] += amplitude * _read(shift, rhythm, times_s)
    values[:, MotionSpace.columns(*ANGLE_AXES)] += turn
    fixed = eyes.fixations(rhythm, seed)
    rest = np.outer(ease(times_s / 0.8), [0.0, style.gaze_pitch_deg])
    gaze = amplitude * (eyes.gaze_curve(fixed, times_s, seed) + rest) - STEADY_EYES * turn[:, :2]
    values[:, MotionSpace.gaze] = soft_limit(values[:, MotionSpace.gaze] + gaze, LARGEST_GAZE_DEG)
    drawn = eyes.blinks(rhythm, fixed, seed, style)
    blinks = [blink for blink in drawn if np.interp(blink.shut_s, times_s, tracks.amplitude) > 0]
    lids = eyes.lid_curve(blinks, times_s), _read(eyes.lid_height(rhythm, drawn, seed, style), rhythm, times_s)
    _add_face(values, rhythm, lids, amplitude[:, 0], style, times_s, seed)


def _add_face(
    values: np.ndarray,
    rhythm: Rhythm,
    lids: tuple[np.ndarray, np.ndarray],
    amplitude: np.ndarray,
    style: life.Style,
    times_s: np.ndarray,
    seed: int,
) -> None:
    """Add lids, brows and cheeks to the dynamics of `values` (T, D) in place; blinks always close fully.

    `lids`: how far each is shut by blinks (T, 2), and how far both hang between them (T,).
    """
    inner, outer, down = (amplitude * _read(c, rhythm, times_s) for c in life.brows(rhythm, seed, style))
    warmth = amplitude[:, None] * _read(life.warmth(rhythm, seed, style), rhythm, times_s)
    smile = warmth * smile_of_speech(values[:, MotionSpace.dynamics])[:, None]
    shut, hanging = lids
    height = eyes.lid_limit(amplitude * hanging + LIDS_WITH_BROWS * (down - (inner + outer) / 2))
    added = np.zeros((len(times_s), len(DYNAMICS_AXES)))

    def add(axis: str, curve: np.ndarray) -> None:
        added[:, DYNAMICS_AXES.index(axis)] += curve

    add("browInnerUp", inner)
    for side, name in enumerate(("Left", "Right")):
        lid, open_share = shut[:, side], 1 - shut[:, side]
        add(f"eyeBlink{name}", lid + open_share * np.clip(height, 0, None))
        add(f"eyeWide{name}", open_share * (0.2 * outer + 1.5 * np.clip(-height, 0, None)))
        add(f"eyeSquint{name}", 0.12 * lid + open_share * (0.3 * warmth[:, side] + 0.35 * down))
        add(f"cheekSquint{name}", 0.8 * open_share * warmth[:, side])
        add(f"browOuterUp{name}", outer * (1.0 if side else 0.92))
        add(f"browDown{name}", down + 0.06 * lid)
        add(f"mouthSmile{name}", smile[:, side])
    values[:, MotionSpace.dynamics] = np.clip(values[:, MotionSpace.dynamics] + added, 0.0, 1.0)


def smile_of_speech(dynamics: np.ndarray) -> np.ndarray:
    """How far a warm face smiles (T,) while it says `dynamics` (T, K): more on wide open vowels, less on round ones."""
    opening, pucker = measure(dynamics)[0], dynamics[:, DYNAMICS_AXES.index("mouthPucker")]
    return SMILE_AT_REST + np.clip(opening / WIDE_OPEN, 0, 1) * (1 - np.clip(pucker / ROUNDED, 0, 1))


def _read(curve: np.ndarray, rhythm: Rhythm, times_s: np.ndarray) -> np.ndarray:
    """Read a curve (N,) or (N, C) of the grid at the frame times (T,)."""
    if curve.ndim == 1:
        return np.interp(times_s, rhythm.times_s, curve)
    return np.stack([np.interp(times_s, rhythm.times_s, column) for column in curve.T], 1)
