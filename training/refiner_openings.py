"""Wider openings made from the refiner's pairs: stills show smiles, hardly ever the wide mouths of speech.

Below the drawn upper teeth the crop is pulled apart, and throat and tongue in the renderer's manner fill the gap in
both pictures of the pair: what is right there is not known, so the refiner shall leave it as it is, while it still
learns the upper teeth and the lips above and below. Often the upper teeth are made longer, as a raised lip shows them,
and often their mirrored row stands in the gap as lower teeth: lower teeth are lit as the upper ones are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PULL_PX = (0.0, 17.0)
LONGER_SHARE, LONGER = 0.5, (1.0, 2.2)
LOWER_SHARE, LOWER_LIGHT = 0.6, (0.7, 1.05)
REDDER = np.array([1.25, 0.88, 0.87])
LIP_ROWS, LIP_COLUMNS = slice(30, 40), slice(20, 44)
FEWEST_COLUMNS = 15

Pair = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class TeethRow:
    """Rows (w,) at which the drawn upper teeth begin and end, smooth over the columns."""

    top: np.ndarray
    end: np.ndarray


def pull_open(drawn: np.ndarray, real: np.ndarray, painted: np.ndarray, rng: np.random.Generator) -> Pair | None:
    """A pair (C, h, w) in 0-1 with its lower lip pulled down by a random amount; None where nothing is painted."""
    teeth = _find_teeth(painted)
    if teeth is None:
        return None
    pictures = (drawn, real, painted)
    if rng.random() < LONGER_SHARE:
        longer = rng.uniform(*LONGER)
        pictures = tuple(_read_rows(picture, _lengthening(teeth, longer, len(picture[0]))) for picture in pictures)
        teeth = TeethRow(teeth.top, teeth.top + (teeth.end - teeth.top) * longer)
    _, height, columns = drawn.shape
    across = np.flatnonzero(painted[0].max(0) > 0.5)
    offset = (np.arange(columns) - across.mean()) / (np.ptp(across) / 2 + 1)
    profile = np.sqrt(np.clip(1 - offset**2, 0, 1))
    pull = rng.uniform(*PULL_PX) * profile
    rows = np.arange(height)[:, None]
    past = rows - teeth.end
    source = np.where(past >= pull, rows - pull, np.minimum(rows, teeth.end))
    below = _lower_teeth(pictures, teeth, pull, rng)
    drawn, real, painted = (_read_rows(picture, source) for picture in pictures)
    gap = np.clip(np.minimum(past + 0.5, pull - past + 0.5), 0, 1) * (pull > 1)
    colour, tongue = _inside(drawn, np.clip(past / np.maximum(pull, 1e-3), 0, 1), profile, rng)
    drawn = drawn * (1 - gap) + colour * gap
    painted = np.stack(
        [np.maximum(painted[0], gap), painted[1] * (1 - gap), np.maximum(painted[2] * (1 - gap), gap * tongue)]
    )
    unknown = np.clip(past + 1, 0, 1) * (painted[0] > 0.6) * (pull > 1)
    real = real * (1 - unknown) + drawn * unknown
    lower_drawn, lower_real, tooth = below
    tooth = tooth * gap
    painted[2] = np.maximum(painted[2], tooth)
    return drawn * (1 - tooth) + lower_drawn * tooth, real * (1 - tooth) + lower_real * tooth, painted


def _lengthening(teeth: TeethRow, longer: float, height: int) -> np.ndarray:
    """Rows (h, w) to be read so that the teeth become `longer` and what is below them goes down."""
    rows, tall = np.arange(height)[:, None], teeth.end - teeth.top
    within = np.clip(rows - teeth.top, 0, tall * longer)
    return rows - within * (1 - 1 / longer)


def _lower_teeth(pictures: Pair, teeth: TeethRow, pull: np.ndarray, rng: np.random.Generator) -> Pair:
    """The upper teeth mirrored into the lower part of the gap, drawn and real (3, h, w), and where (h, w) they are."""
    rows = np.arange(pictures[0].shape[1])[:, None]
    seen = pull > 1
    edge = (teeth.end[seen].mean() if seen.any() else 0) + rng.uniform(0, 1) * pull.max()
    tall = np.maximum(teeth.end - teeth.top - 1, 0)
    room = np.maximum(teeth.end + pull - edge, 1)
    depth = (rows - edge) * np.minimum(1, tall / room)
    drawn, real, painted = (_read_rows(picture, teeth.end - 1 - np.maximum(depth, 0)) for picture in pictures)
    light = rng.uniform(*LOWER_LIGHT)
    tooth = np.clip(rows - edge + 0.5, 0, 1) * painted[1] * (rng.random() < LOWER_SHARE)
    return np.clip(drawn * light, 0, 1), np.clip(real * light, 0, 1), tooth


def _find_teeth(painted: np.ndarray) -> TeethRow | None:
    anything, upper = painted[0] > 0.5, painted[1] > 0.5
    rows = np.arange(len(upper))[:, None]
    seen = anything.any(0)
    if seen.sum() < FEWEST_COLUMNS:
        return None
    middle = (anything * rows).sum(0) / np.maximum(anything.sum(0), 1)
    end = np.where(upper.any(0), (upper * rows).max(0) + 1, middle)
    top = np.where(seen, anything.argmax(0), 0)
    return TeethRow(*(_smooth(edge, seen) for edge in (np.minimum(top, end), end)))


def _smooth(edge: np.ndarray, seen: np.ndarray) -> np.ndarray:
    edge = np.interp(np.arange(len(edge)), np.flatnonzero(seen), edge[seen])
    return np.convolve(np.pad(edge, 2, mode="edge"), np.full(5, 0.2), "valid")


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
