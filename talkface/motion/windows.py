"""A long motion from overlapping windows: each goes on from the last frames of the one before, and they melt together.

Only one window is worked on at a time, so memory stays flat however long the speech is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

Sample = Callable[[int, np.ndarray], np.ndarray]
"""(first frame of the window, the K frames before it (K, M)) -> the window (W, M)."""


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


def roll_out(frames: int, rest: np.ndarray, context: int, window: int, overlap: int, sample: Sample) -> np.ndarray:
    """The motion (frames, M) of all windows.

    Args:
        rest: (M,) what was before the first frame.
        context: K, how many frames a window is told of those before it.
        window, overlap: frames of a window, and how many it shares with the next, over which it fades into it.
    """
    share = (np.arange(overlap, dtype=np.float32)[:, None] + 1) / (overlap + 1)
    motion = np.tile(rest.astype(np.float32), (context + frames + window, 1))
    for start in starts(frames, window, overlap):
        here = context + start
        made = sample(start, motion[start:here])
        if start > 0:
            made[:overlap] = motion[here : here + overlap] * (1 - share) + made[:overlap] * share
        motion[here : here + window] = made
    return motion[context : context + frames]
