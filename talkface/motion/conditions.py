"""What steers the denoiser, as tensors, and what of the motion it has to make.

The denoiser makes *departures*: a motion vector less what is known without it. The asked head distance is divided out;
the eyes are told as if the head stood still, because they hold their target while it turns (`STEADY_EYES`); the asked
gaze is taken off. `from_departure` puts all of it back exactly, so asked and made agree.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from scipy.ndimage import maximum_filter1d

from talkface.motion.curves import ease, smooth, soft_limit
from talkface.motion.emotion import emotion_offset
from talkface.motion.mouth import JAW_RISES, PRESSED, measure
from talkface.motion.voice import silence_of
from talkface.options import AMPLITUDE_RANGE
from talkface.space import ANGLE_AXES, DYNAMICS_AXES, LARGEST_GAZE_DEG, LARGEST_TURN_DEG, MOUTH_AXES, MotionSpace
from talkface.types import ControlTracks, SpeechFeatures

AXES = tuple(name for name in MotionSpace.names if name != "speaking")
"""The axes the denoiser makes; when somebody speaks is read from the voice."""

COLUMNS = MotionSpace.columns(*AXES)
_TURN = MotionSpace.columns("headYaw", "headPitch")
_DISTANCE = MotionSpace.index("headDistance")
_ANGLES = MotionSpace.columns(*ANGLE_AXES)
_SHIFT = MotionSpace.columns("headX", "headY")
_LIDS = [DYNAMICS_AXES.index(name) for name in ("eyeBlinkLeft", "eyeBlinkRight")]
_MOUTH = [DYNAMICS_AXES.index(name) for name in MOUTH_AXES]
_EXPRESSION = [i for i in range(len(DYNAMICS_AXES)) if i not in (*_LIDS, *_MOUTH)]
_PRESS = DYNAMICS_AXES.index("mouthPressRight")
_PRESSING = [DYNAMICS_AXES.index(f"mouthPress{side}") for side in ("Left", "Right")]
_SMILING = [DYNAMICS_AXES.index(f"mouthSmile{side}") for side in ("Left", "Right")]
_JAW, _CLOSE = DYNAMICS_AXES.index("jawOpen"), DYNAMICS_AXES.index("mouthClose")
_PARTING = [i for i, n in enumerate(DYNAMICS_AXES) if n.startswith(("mouthFunnel", "mouthLowerDown", "mouthUpperUp"))]
LARGEST_AMPLITUDE = AMPLITUDE_RANGE[1]
EMOTION_ONSET_S = 0.4
SETTLE_S = 0.2
STEADY_EYES = 0.85
"""How much of the head's turn the eyes undo."""

GAZE_ONSET_S = (0.18, 0.26)
GAZE_GAIN = np.array([1.6, 2.6])
"""Eyes are turned this much further than asked, in yaw and pitch: where lids cut the iris and follow it, trackers read
.6 of the turn in yaw and .3 in pitch (mean of five faces): what they take for an eye's corners goes along."""

EYES_ALONE_DEG, HEAD_SHARE, HEAD_ONSET_S = np.array([10.0, 5.0]), 0.4, (0.2, 0.7)
"""Asked yaw and pitch for which people do not turn their heads; how much of the rest a head does, and when it does."""

PRESSED_LIPS = (0.06, 0.16)
"""Of mouthPress, which is `PRESSED` when an m is certain."""

PEAK_OF_PRESS, PEAK_REACH_S = (0.6, 0.9), 0.08
"""Shares of the strongest press so near in time: a mean of many motions presses weakly and for long, people firmly and
for a frame or two."""

NEAR_LIPS = (0.22, 0.42)
"""Openings in inter-ocular distances: those wider are not closed, for it would be seen as a jump."""

SMILE_YIELDS = 0.45
"""How much of a smile gives way where lips meet: rounded muscles close them, and stretched thin they look parted."""

LOW_LIDS = (0.25, 0.7)
TIME_TO_BLINK = 40
"""Frames: nobody misses a blink in a clip shorter than this."""


def axis_names(*names: str, but: str = "") -> tuple[str, ...]:
    """Axes of these names, once each, in the order of `AXES`; a name without its side stands for both sides."""
    wanted = {name for name in names if name != but}
    return tuple(a for a in AXES if wanted & {a, a.removesuffix("Left"), a.removesuffix("Right")})


NO_CORNER, MOST_HELD = 0.05, 4
"""Of an emotion's full strength: what is not worth an emotion of its own; and how many a window has at most, since each
is work for the network."""

AUDIO_EXTRAS = 5
GAZE_UNIT_DEG = 20.0
DISTANCE_UNIT = 0.25
_LEVEL_UNIT_DB = 20.0
_QUIETEST_DB = -60.0
_PITCH_UNIT = 6.0


def audio_rows(features: SpeechFeatures) -> np.ndarray:
    """What is heard, (F, P + AUDIO_EXTRAS) float32 at 50 Hz: square roots of the phone posteriors, loudness, silence,
    voicing, pitch in semitones from the speaker's median over 6, and whether there is a pitch."""
    level = np.clip(features.level_db, _QUIETEST_DB, 10.0) / _LEVEL_UNIT_DB + 1
    pitched = (features.pitch_hz > 40) & (features.voiced > 0.5)
    semitones = 12 * np.log2(np.maximum(features.pitch_hz, 40.0))
    median = np.median(semitones[pitched]) if pitched.any() else 0.0
    pitch = np.where(pitched, np.clip((semitones - median) / _PITCH_UNIT, -2, 2), 0.0)
    extras = np.stack([level, silence_of(features), features.voiced, pitch, pitched], 1)
    return np.concatenate([np.sqrt(features.phones.astype(np.float32)), extras.astype(np.float32)], 1)


def silent_row(phone_names: tuple[str, ...]) -> np.ndarray:
    """The row (P + AUDIO_EXTRAS,) of deep silence, heard before and after a recording."""
    phones = np.zeros((1, len(phone_names)), np.float16)
    phones[0, phone_names.index("sil")] = 1
    none = np.zeros(1, np.float32)
    return audio_rows(SpeechFeatures(phones, phone_names, none + _QUIETEST_DB, none, none, True))[0]


def control_rows(tracks: ControlTracks) -> dict[str, np.ndarray]:
    """The controls, per name of `denoiser.CONTROL_SIZES` (T, size) float32 of about unit size."""
    return {
        "gaze": (tracks.gaze_deg / GAZE_UNIT_DEG).astype(np.float32),
        "distance": ((tracks.head_distance[:, None] - 1) / DISTANCE_UNIT).astype(np.float32),
        "emotion": tracks.emotion.astype(np.float32),
    }


def tracks_at(tracks: ControlTracks, times_s: np.ndarray, rate_hz: float) -> ControlTracks:
    """The controls read at other times (T,), the ends held."""
    own_s = np.arange(len(tracks)) / tracks.rate_hz

    def read(curve: np.ndarray | None) -> np.ndarray | None:
        if curve is None:
            return None
        columns = [np.interp(times_s, own_s, column) for column in curve.reshape(len(curve), -1).T]
        return np.stack(columns, 1).astype(np.float32).reshape(len(times_s), *curve.shape[1:])

    curves = (tracks.gaze_deg, tracks.head_distance, tracks.emotion, tracks.amplitude, tracks.head_deg)
    return ControlTracks(*(read(curve) for curve in curves), rate_hz)


def rows_of(tracks: ControlTracks, rows: slice) -> ControlTracks:
    """Some rows of the controls; their first is at rows.start / rate_hz."""
    head_deg = None if tracks.head_deg is None else tracks.head_deg[rows]
    curves = (tracks.gaze_deg, tracks.head_distance, tracks.emotion, tracks.amplitude)
    return ControlTracks(*(curve[rows] for curve in curves), head_deg, tracks.rate_hz)


def unhurried(tracks: ControlTracks) -> ControlTracks:
    """The same controls with emotions that take `EMOTION_ONSET_S` to come and go even where they are asked at once,
    from one frame to the next: no face does that."""
    if not np.ptp(tracks.emotion, axis=0).any():
        return tracks
    kernel = np.hanning(2 * round(EMOTION_ONSET_S * tracks.rate_hz / 2) + 3)[1:-1]
    columns = [smooth(column, kernel / kernel.sum()) for column in tracks.emotion.T]
    return replace(tracks, emotion=np.stack(columns, 1).astype(np.float32))


def stretch(rows: np.ndarray, first: int, count: int, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Rows (count, C) from `first` on, which may lie outside `rows` (N, C): there, `before` and `after` (C,)."""
    inside = rows[max(0, first) : max(0, first + count)]
    lead = min(count, max(0, -first))
    out = np.tile(after, (count, 1)).astype(np.float32)
    out[:lead] = before
    out[lead : lead + len(inside)] = inside
    return out


def held_rows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Controls that change over time (L, C) as a mixture of such as are held: (N, C) and their shares (N, L), which sum
    to 1. They are the corners of the way that the rows go, however fast or slowly; the mixture misses the rows by at
    most `NO_CORNER`, by more where that would need more than `MOST_HELD`. Rows that stay are one."""
    if np.ptp(rows, axis=0).max() <= NO_CORNER:
        return rows[:1], np.ones((1, len(rows)), np.float32)
    corners = [0, len(rows) - 1]
    while True:
        shares = _shares_between(rows, corners)
        held, which = np.unique(rows[corners], axis=0, return_inverse=True)
        apart = np.abs(rows - shares.T @ rows[corners]).max(1)
        if apart.max() <= NO_CORNER or len(held) == MOST_HELD:
            return held, (np.eye(len(held))[which.ravel()].T @ shares).astype(np.float32)
        corners = sorted({*corners, int(apart.argmax())})


def _shares_between(rows: np.ndarray, corners: list[int]) -> np.ndarray:
    """Shares (len(corners), L) of the corners before and after each of the rows (L, C): the nearest place between."""
    shares = np.zeros((len(corners), len(rows)))
    for i, (first, last) in enumerate(pairwise(corners)):
        way = rows[last] - rows[first]
        gone = (rows[first : last + 1] - rows[first]) @ way / max(float(way @ way), 1e-9)
        shares[i + 1, first : last + 1] = np.clip(gone, 0, 1)
        shares[i, first : last + 1] = 1 - shares[i + 1, first : last + 1]
    return shares


def to_departure(relative: np.ndarray) -> np.ndarray:
    """(T, len(AXES)) float32 departure from motion (T, D) whose gaze and distance are relative to the asked ones."""
    values = np.array(relative, np.float32)
    values[:, _DISTANCE] -= 1
    values[:, MotionSpace.gaze] += STEADY_EYES * values[:, _TURN]
    return values[:, COLUMNS]


def emotional_departure(emotion: np.ndarray) -> np.ndarray:
    """What emotions (..., 8) alone add to a departure: (..., len(AXES)) float32."""
    values = np.zeros((*emotion.shape[:-1], MotionSpace.size), np.float32)
    values[..., MotionSpace.dynamics] = emotion_offset(emotion)
    return values[..., COLUMNS]


def from_departure(
    departure: np.ndarray,
    tracks: ControlTracks,
    times_s: np.ndarray,
    *,
    silent: bool,
    closing: np.ndarray | float = 0.0,
) -> np.ndarray:
    """The motion (T, D) of departures (T, len(AXES)) under the controls (T rows), `speaking` 0.

    `closing` (T,) 0-1 says when a p, b or m is heard: then lips meet, however quick it is.

    Amplitude scales head, gaze around the asked one, and what the upper face adds to the asked emotion; 0 stops the
    blinks too. The head goes along with an asked gaze far aside. The first frame's head and eyes are the portrait's.
    The lips of a silent recording do nothing but what the emotion asks.
    """
    made = np.zeros((len(departure), MotionSpace.size))
    made[:, COLUMNS] = departure
    amplitude = np.clip(tracks.amplitude, 0.0, LARGEST_AMPLITUDE)[:, None].astype(np.float64)
    moved = amplitude * ease(times_s / SETTLE_S)[:, None]
    values = np.zeros_like(made)
    values[:, MotionSpace.pose] = moved * made[:, MotionSpace.pose]
    towards = np.minimum(amplitude, 1) * head_towards(tracks.gaze_deg, times_s) * (tracks.head_deg is None)
    values[:, _TURN] += towards
    turn = soft_limit(values[:, _ANGLES], LARGEST_TURN_DEG) if tracks.head_deg is None else tracks.head_deg
    values[:, _ANGLES] = turn
    values[:, _SHIFT] *= tracks.head_deg is None
    values[:, _DISTANCE] = tracks.head_distance * (1 + values[:, _DISTANCE])
    steady = moved * made[:, MotionSpace.gaze] - STEADY_EYES * (turn[:, :2] - towards)
    values[:, MotionSpace.gaze] = soft_limit(main_gaze(tracks.gaze_deg, times_s) + steady, LARGEST_GAZE_DEG)
    emotion = ease(times_s / EMOTION_ONSET_S)[:, None] * emotion_offset(tracks.emotion)
    share = np.ones_like(emotion)
    share[:, _EXPRESSION] = moved
    share[:, _LIDS] = np.minimum(1.0, 10 * moved)
    share[:, _MOUTH] = not silent
    added = share * (made[:, MotionSpace.dynamics] - emotion)
    dynamics = np.clip(emotion + added, 0.0, 1.0)
    pressed = np.maximum(added[:, _PRESS], PRESSED * closing)
    values[:, MotionSpace.dynamics] = touching(dynamics, pressed, tracks.rate_hz)
    return values


def main_gaze(gaze_deg: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """The asked direction (T, 2) degrees, reached from the portrait's own in one early saccade."""
    begin_s, end_s = GAZE_ONSET_S
    return ease((times_s - begin_s) / (end_s - begin_s))[:, None] * GAZE_GAIN * gaze_deg


def head_towards(gaze_deg: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Yaw and pitch (T, 2) by which the head turns where an asked gaze (T, 2) goes far aside, after the eyes."""
    begin_s, end_s = HEAD_ONSET_S
    beyond = np.sign(gaze_deg) * np.maximum(np.abs(gaze_deg) - EYES_ALONE_DEG, 0.0)
    return HEAD_SHARE * ease((times_s - begin_s) / (end_s - begin_s))[:, None] * beyond


def touching(dynamics: np.ndarray, pressed: np.ndarray, rate_hz: float) -> np.ndarray:
    """Let what is nearly shut shut (T, K): a mean of many motions closes lips and lids not quite.

    Where lips are `pressed` (T,) by the voice as far as `PRESSED_LIPS`, they meet at the peak of the press if they are
    as near as `NEAR_LIPS`, and begin to in the frame before, so that they do not snap; lids as low as `LOW_LIDS` close.
    """
    dynamics, opening = dynamics.copy(), measure(dynamics)[0]
    near, wide = NEAR_LIPS
    peak = maximum_filter1d(np.maximum(pressed, 1e-6), 2 * round(PEAK_REACH_S * rate_hz) + 1, mode="nearest")
    firm = _rise(peak, *PRESSED_LIPS) * _rise(pressed / peak, *PEAK_OF_PRESS)
    share = firm * np.clip((wide - opening) / (wide - near), 0, 1)
    share = np.maximum(share, np.convolve(np.pad(share, 1, mode="edge"), (0.15, 0.7, 0.15), mode="valid"))
    dynamics[:, _PARTING] *= (1 - share)[:, None]
    dynamics[:, _SMILING] *= 1 - SMILE_YIELDS * share[:, None]
    dynamics[:, _JAW] *= 1 - JAW_RISES * share
    dynamics[:, _CLOSE] += share * (dynamics[:, _JAW] - dynamics[:, _CLOSE])
    dynamics[:, _PRESSING] = np.maximum(dynamics[:, _PRESSING], PRESSED * share[:, None])
    lids = dynamics[:, _LIDS]
    dynamics[:, _LIDS] = np.maximum(lids, _rise(lids, *LOW_LIDS))
    return dynamics


def blinks(departure: np.ndarray) -> bool:
    """Whether the lids close in departures (T, len(AXES)) and open again; taken for granted where there is no time."""
    lids = departure[:, [AXES.index("eyeBlinkLeft"), AXES.index("eyeBlinkRight")]].min(1)
    return len(lids) < TIME_TO_BLINK or bool((lids > LOW_LIDS[1]).any() and lids[-1] < sum(LOW_LIDS) / 2)


def _rise(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """From 0 at `low` smoothly to 1 at `high`."""
    return ease((value - low) / (high - low))


def mirrored(values: np.ndarray) -> np.ndarray:
    """Departures (..., len(AXES)) seen in a mirror: left and right change places, turns and shifts their sign."""
    return values[..., _MIRROR] * _MIRROR_SIGN


def _other_side(name: str) -> str:
    if name.endswith("Left"):
        return name.removesuffix("Left") + "Right"
    return name.removesuffix("Right") + "Left" if name.endswith("Right") else name


_MIRROR = [AXES.index(_other_side(name)) for name in AXES]
_MIRROR_SIGN = np.array([-1.0 if n in ("headYaw", "headRoll", "headX", "gazeYaw") else 1.0 for n in AXES], np.float32)
