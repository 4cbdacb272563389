"""Wider openings made from the refiner's pairs: stills show smiles, hardly ever the wide mouths of speech.

Below the drawn upper teeth the crop is pulled apart, and throat and tongue in the renderer's manner fill the gap in
both pictures of the pair: what is right there is not known, so the refiner shall leave it as it is, while it still
learns the upper teeth and the lips above and below.
"""

from __future__ import annotations

import numpy as np

PULL_PX = (3.0, 17.0)
REDDER = np.array([1.25, 0.88, 0.87])
LIP_ROWS, LIP_COLUMNS = slice(30, 40), slice(20, 44)
FEWEST_COLUMNS = 15

Pair = tuple[np.ndarray, np.ndarray, np.ndarray]


def pull_open(drawn: np.ndarray, real: np.ndarray, painted: np.ndarray, rng: np.random.Generator) -> Pair | None:
    """A pair (C, h, w) in 0-1 with its lower lip pulled down by a random amount; None where nothing is painted."""
    cut = _teeth_end(painted)
    if cut is None:
        return None
    _, rows, columns = drawn.shape
    across = np.flatnonzero(painted[0].max(0) > 0.5)
    offset = (np.arange(columns) - across.mean()) / (np.ptp(across) / 2 + 1)
    profile = np.sqrt(np.clip(1 - offset**2, 0, 1))
    pull = rng.uniform(*PULL_PX) * profile
    past = np.arange(rows)[:, None] - cut
    source = np.where(past >= pull, np.arange(rows)[:, None] - pull, np.minimum(np.arange(rows)[:, None], cut))
    drawn, real, painted = (_read_rows(picture, source) for picture in (drawn, real, painted))
    gap = np.clip(np.minimum(past + 0.5, pull - past + 0.5), 0, 1) * (pull > 1)
    colour, tongue = _inside(drawn, np.clip(past / np.maximum(pull, 1e-3), 0, 1), profile, rng)
    drawn = drawn * (1 - gap) + colour * gap
    painted = np.stack(
        [np.maximum(painted[0], gap), painted[1] * (1 - gap), np.maximum(painted[2] * (1 - gap), gap * tongue)]
    )
    unknown = np.clip(past + 1, 0, 1) * (painted[0] > 0.6) * (pull > 1)
    return drawn, real * (1 - unknown) + drawn * unknown, painted


def _teeth_end(painted: np.ndarray) -> np.ndarray | None:
    """Row (w,) at which the upper teeth end, smooth over the columns."""
    anything, upper = painted[0] > 0.5, painted[1] > 0.5
    rows = np.arange(len(upper))[:, None]
    seen = anything.any(0)
    if seen.sum() < FEWEST_COLUMNS:
        return None
    middle = (anything * rows).sum(0) / np.maximum(anything.sum(0), 1)
    end = np.where(upper.any(0), (upper * rows).max(0) + 1, middle)
    end = np.interp(np.arange(len(end)), np.flatnonzero(seen), end[seen])
    return np.convolve(np.pad(end, 2, mode="edge"), np.full(5, 0.2), "valid")


def _read_rows(picture: np.ndarray, source: np.ndarray) -> np.ndarray:
    """The picture (C, h, w) read at fractional rows `source` (h, w)."""
    source = np.clip(source, 0, picture.shape[1] - 1.001)
    low, columns = source.astype(int), np.arange(picture.shape[2])
    share = source - low
    return picture[:, low, columns] * (1 - share) + picture[:, low + 1, columns] * share


def _inside(drawn: np.ndarray, down: np.ndarray, profile: np.ndarray, rng: np.random.Generator) -> tuple:
    """Throat above, tongue below (3, h, w), in colours near the lips', and where (h, w) the tongue is."""
    lip = drawn[:, LIP_ROWS, LIP_COLUMNS].mean((1, 2))

    def near_lips(saturation: tuple[float, float], brightness: tuple[float, float]) -> np.ndarray:
        return (lip.mean() + (lip - lip.mean()) * rng.uniform(*saturation)) * rng.uniform(*brightness)

    red = REDDER ** rng.uniform(0, 1.6)
    throat = near_lips((0.7, 1.6), (0.12, 0.5)) * red
    tongue = near_lips((0.7, 1.3), (0.5, 1.0)) * red**0.7
    share = np.clip((down - rng.uniform(-0.2, 0.8)) / rng.uniform(0.1, 0.5), 0, 1) * (rng.random() < 0.8)
    lit = share * (0.6 + 0.4 * np.sqrt(profile))
    return throat[:, None, None] * (1 - share) + tongue[:, None, None] * lit, share
