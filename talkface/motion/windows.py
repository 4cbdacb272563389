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

LEAST_STEP = 0.1
"""Of what all axes usually move: one that hardly moves at all is not counted as if it did."""

RETURN_FRAMES = 20
"""How long a window that took over needs to go its own way."""

NEARBY = np.array([1, 4, 6, 4, 1], np.float32) / 16
"""Movement is judged with its neighbours, which smoothing will mix into it."""


def starts(frames: int, window: int, overlap: int) -> list[int]:
    """First frame of every window, so that all `frames` are covered and neighbours share `overlap` frames."""
    step = window - overlap
    return list(range(0, max(1, frames - overlap), step))


def average(
    frames: int, window: int, choice: int, guesses: Iterable[tuple[int, np.ndarray]], columns: np.ndarray | slice
) -> tuple[np.ndarray, list[int]]:
    """The motion (frames, M) of windows (first frame, (W, M)) that overlap by more than half, and the first frame of
    each but the first in which it has a say.

    A window alone is believed in the calmest of its `choice` middle frames, judged by `columns` of the axes, and less
    and less towards those of its neighbours: a new window begins to count in a calm moment, and the one before the
    last ends to. Windows that begin every (window - choice) // 2 frames reach as far.
    """
    reach = (window - choice) // 2
    motion, alone, joins = np.zeros((0, 0), np.float32), 0, []
    for start, guess in guesses:
        here = window + start
        calm = reach + int(_movement(guess[:, columns])[reach : reach + choice].argmin())
        share = np.ones((window, 1), np.float32)
        if joins:
            share[:, 0] = np.clip((np.arange(here, here + window) - alone) / (here + calm - alone), 0, 1)
        else:
            motion = np.zeros((window + frames + window, guess.shape[1]), np.float32)
        motion[here : here + window] += share * (guess - motion[here : here + window])
        alone = here + calm
        joins.append(start + calm + 1)
    return motion[window : window + frames], [join for join in joins[:-1] if 0 < join < frames]


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
            usual = usual_step(motion[here - (window - overlap) : here], made)
            last = calmest(before / usual, made[:overlap] / usual, parts)
            made = np.concatenate([before[: last + 1], taken_over(before, made, last)])
            joins.append(start + last + 1)
        motion[here : here + window] = made
    return motion[context : context + frames], [join for join in joins if join < frames]


def usual_step(*stretches: np.ndarray) -> np.ndarray:
    """What each axis of these motions (N, M) usually moves from frame to frame, (M,): calm is what is less than that.

    In the units of a network, which are the spread of all it learned from, a slow eye moves less than a calm head.
    """
    steps = np.concatenate([np.abs(np.diff(stretch, axis=0)) for stretch in stretches]).mean(0)
    return np.maximum(steps, LEAST_STEP * steps.mean() + 1e-6)


def calmest(before: np.ndarray, after: np.ndarray, parts: Sequence[np.ndarray]) -> int:
    """The frame after which `after` had best take over from `before`, both (O, M) of the same frames: where the
    liveliest of the `parts` moves least in both, and they hardly differ."""
    costs = []
    for columns in parts:
        a, b = before[:, columns], after[:, columns]
        moved = np.maximum(_movement(a), _movement(b))
        apart = np.abs(a - b).mean(1)
        costs.append(moved + DISAGREEMENT * (apart[1:] + apart[:-1]) / 2)
    return int(np.max(costs, axis=0).argmin())


def _movement(x: np.ndarray) -> np.ndarray:
    """How much (N, C) moves from each frame to the next and around there (N - 1,)."""
    step, reach = np.abs(np.diff(x, axis=0)).mean(1), len(NEARBY) // 2
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
