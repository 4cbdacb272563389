"""A long motion from overlapping windows: each goes on from the last frames of the one before, and takes over from it
in a calm moment.

Only one window is worked on at a time, so memory stays flat however long the speech is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

Sample = Callable[[int, np.ndarray], np.ndarray]
"""(first frame of the window, the K frames before it (K, M)) -> the window (W, M)."""

DISAGREEMENT = 0.1
"""How much a difference between two windows weighs against movement where one could take over from the other."""

RETURN_FRAMES = 20
"""How long a window that took over needs to go its own way."""

NEARBY = np.array([1, 4, 6, 4, 1], np.float32) / 16
"""Movement is judged with its neighbours, which smoothing will mix into it."""


def starts(frames: int, window: int, overlap: int) -> list[int]:
    """First frame of every window, so that all `frames` are covered and neighbours share `overlap` frames."""
    step = window - overlap
    return list(range(0, max(1, frames - overlap), step))


def average(frames: int, window: int, guesses: Iterable[tuple[int, np.ndarray]]) -> np.ndarray:
    """The motion (frames, M) of overlapping windows (first frame, (W, M)), each trusted most in its middle."""
    trust = 1 - np.abs(2 * np.arange(window, dtype=np.float32)[:, None] + 1 - window) / window
    total = weight = None
    for start, guess in guesses:
        if total is None:
            total, weight = np.zeros((frames, guess.shape[1]), np.float32), np.zeros((frames, 1), np.float32)
        first, last = max(0, start), min(frames, start + window)
        part = slice(first - start, last - start)
        total[first:last] += trust[part] * guess[part]
        weight[first:last] += trust[part]
    return total / weight


def roll_out(
    frames: int,
    rest: np.ndarray,
    context: int,
    window: int,
    overlap: int,
    sample: Sample,
    parts: Sequence[np.ndarray] = (slice(None),),
) -> tuple[np.ndarray, list[int]]:
    """The motion (frames, M) of all windows, and the first frame of each but the first to be its own.

    Args:
        rest: (M,) what was before the first frame.
        context: K, how many frames a window is told of those before it.
        window, overlap: frames of a window, and how many it shares with the next, which takes over in one of them.
        parts: columns of the M axes that belong together; none of them moves much where a window takes over.
    """
    motion = np.tile(rest.astype(np.float32), (context + frames + window, 1))
    joins = []
    for start in starts(frames, window, overlap):
        here = context + start
        made = sample(start, motion[start:here])
        if start > 0:
            before = motion[here : here + overlap].copy()
            last = calmest(before, made[:overlap], parts)
            made = np.concatenate([before[: last + 1], taken_over(before, made, last)])
            joins.append(start + last + 1)
        motion[here : here + window] = made
    return motion[context : context + frames], [join for join in joins if join < frames]


def calmest(before: np.ndarray, after: np.ndarray, parts: Sequence[np.ndarray]) -> int:
    """The frame after which `after` had best take over from `before`, both (O, M) of the same frames: where the
    liveliest of the `parts` moves least in both, and they hardly differ."""
    costs = []
    for columns in parts:
        a, b = before[:, columns], after[:, columns]
        moved = np.maximum(*(_nearby(np.abs(np.diff(x, axis=0)).mean(1)) for x in (a, b)))
        apart = np.abs(a - b).mean(1)
        costs.append(moved + DISAGREEMENT * (apart[1:] + apart[:-1]) / 2)
    return int(np.max(costs, axis=0).argmin())


def _nearby(step: np.ndarray) -> np.ndarray:
    reach = len(NEARBY) // 2
    return np.convolve(np.pad(step, reach, mode="edge"), NEARBY, mode="valid")


def taken_over(before: np.ndarray, made: np.ndarray, last: int) -> np.ndarray:
    """Frames (W - last - 1, M) of the window `made` (W, M), going on from frame `last` of `before` (O, M).

    Place and speed are those of `before` at first, and those of `made` `RETURN_FRAMES` later: what differs is added,
    fading along Hermite's cubic.
    """
    apart = before[last : last + 2] - made[last : last + 2]
    count = len(made) - last - 1
    length = min(RETURN_FRAMES, count)
    time = np.minimum((np.arange(count, dtype=np.float32)[:, None] + 1) / length, 1)
    place = (1 + 2 * time) * (1 - time) ** 2
    speed = length * time * (1 - time) ** 2
    return made[last + 1 :] + place * apart[0] + speed * (apart[1] - apart[0])
