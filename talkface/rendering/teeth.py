"""What the portrait tells of its mouth's inside: the teeth that it shows, and the light on those that it hides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from talkface.rendering.fields import smoothstep
from talkface.rendering.lip_edges import darkest_path
from talkface.rendering.lips import TABLE, LipLine

IVORY = np.array([1.08, 1.03, 0.95])
GUM = np.array([0.78, 0.47, 0.45])
TONGUE = np.array([0.80, 0.545, 0.53])
SKIN = np.array([0.80, 0.61, 0.52])  # under white light; tells the light's colour where no white of an eye is seen
THROAT = np.array([0.22, 0.09, 0.085])
FLUSH = np.array([0.6, 1.18, 1.22])  # powers of the light in the shade of lips, which throw red light into it
FADED = (0.1, 0.2)  # brightness of a portrait's darkest parts: from where on, and from where on fully, it is faded
DEEPER = 0.8  # the depth of a mouth than pupils and nostrils, which are small and blurred
TEETH_OVER_WHITE = 1.08  # teeth against the mean of highlights and eye whites; 550 smiles are within 6 % of it
TALLEST_TEETH = 0.3  # of the mouth's width, below the upper lip; further down is tongue
FIRST_TEETH = 0.12  # of the mouth's width: teeth that show begin within this under the upper lip
GAP_BELOW = 0.03  # of the mouth's width: what is darker or redder for longer than this ends them
WIDE_OPEN = 0.35  # of the mouth's width, between the lips
SCREAM = 0.8  # of the mouth's width, between the lips
LITTLE_BELOW = 0.16  # of the mouth's width: a strip below the upper teeth that is not worth a motion of its own
TWO_ROWS = 0.16  # of the mouth's width: teeth that reach further are two rows, and meet at the darkest line from
SEAM = 0.07  # on; no upper tooth is shorter
DARKEST_TEETH = 0.3  # brightness
COLOURED_TEETH, LIKE_LIP = 0.38, 0.75  # saturation, and share of the lip's, whichever is more: the most that teeth have
ON_UPPER_LIP = (0.03, 0.07)  # of the mouth's width, above the upper lip's edge
TOOTH_SHARE, MORE_COLOUR = 0.65, 0.13  # of their brightness, and saturation over theirs: what counts as tooth
SHADED, UNSHADED = 0.04, 0.12  # of the mouth's width: teeth seen so far below the lip lie in its shadow; out of it
SHADOW_PX, TOOTH_STEP_PX = 1.5, 0.5  # left out along the lips; step of the search


@dataclass(frozen=True)
class MouthLight:
    """Colours of the mouth's inside under the portrait's light: each (3,) 0-255; `black` is what has no light.

    `flush` (3,) are the powers of that light which reach red, green and blue in the lips' shade.
    """

    teeth: np.ndarray
    gums: np.ndarray
    tongue: np.ndarray
    throat: np.ndarray
    black: np.ndarray
    flush: np.ndarray


@dataclass(frozen=True)
class OwnTeeth:
    """The portrait's own upper teeth.

    Attributes:
        colour: (3,) 0-1.
        reach: (TABLE,) pixels by which they are seen below the upper lip, 0 where they are not.
        edge_v: v of the lip line down to which they reach in the middle of the mouth, None if that is not seen.
        lit: 0-1, how much of them the lip's shadow leaves free, so that their colour can be told.
    """

    colour: np.ndarray
    reach: np.ndarray
    edge_v: float | None
    lit: float = 1.0


def mouth_light(
    sclera: np.ndarray | None, skin: np.ndarray, highlight: float, own: OwnTeeth | None, darkest: float
) -> MouthLight:
    """Choose the colours of the inside.

    Args:
        sclera: (3,) 0-1 colour of the whites of the eyes, None where they are not seen.
        skin: (3,) 0-1 median colour of the cheeks; grey portraits get grey mouths.
        highlight: 0-1 brightness of the face's brightest parts, which tells how the picture is exposed.
        own: the teeth that the portrait shows, None if it shows none.
        darkest: 0-1 brightness of the darkest that is seen: in faded black-and-white prints nothing is black.
    """
    white = highlight if sclera is None else float(sclera.mean())
    level = float(np.clip(np.sqrt(highlight * white) * (1.0 if sclera is None else TEETH_OVER_WHITE), 0.3, 0.95))
    saturation = float(np.clip((skin.max() - skin.min()) / (skin.max() + 1e-6) / 0.3, 0, 1))
    tint = 1 + (skin / (skin.mean() + 1e-6) - 1) * 0.35 * (1 - saturation)
    faded = smoothstep((darkest - FADED[0]) / (FADED[1] - FADED[0])) * (1 - saturation)
    black = faded * DEEPER * darkest * tint
    lamp = skin / SKIN * SKIN.mean() / (skin.mean() + 1e-6) if sclera is None else sclera / (sclera.mean() + 1e-6)
    lamp = np.clip(lamp, 0.75, 1.3) ** 0.4

    def lit(colour: np.ndarray) -> np.ndarray:
        grey = colour.mean() * tint
        seen = (grey + (colour - colour.mean()) * saturation) * (1 + (lamp - 1) * saturation)
        return np.clip(np.maximum(seen * level, black) * 255, 0, 255).astype(np.float32)

    teeth = lit(IVORY)
    if own is not None:
        teeth += own.lit * (own.colour * 255 - teeth).astype(np.float32)
    dark = (black * 255).astype(np.float32)
    flush = (1 + saturation * (FLUSH - 1)).astype(np.float32)
    return MouthLight(teeth, lit(GUM), lit(TONGUE), lit(THROAT), dark, flush)


def own_teeth(still: np.ndarray, line: LipLine) -> OwnTeeth | None:
    """The upper teeth between the portrait's parted lips, None where none are seen."""
    if line.gap_px < 0.05 * line.length:
        return None
    u = np.linspace(0, 1, TABLE)
    below = np.arange(SHADOW_PX, TALLEST_TEETH * line.length, TOOTH_STEP_PX)
    heights = line.upper[:, None] + below
    pixels = _read(still, line, u, heights)
    light, chroma = pixels.mean(-1), np.ptp(pixels, axis=-1) / (pixels.max(-1) + 1e-6)
    between = heights < line.lower[:, None] - SHADOW_PX
    first = between & (below < FIRST_TEETH * line.length) & (np.abs(u - 0.5) < 0.35)[:, None]
    if first.sum() < 20:
        return None
    bright = first & (light >= np.percentile(light[first], 65))
    colour, pale = pixels[bright].mean(0), np.median(chroma[bright])
    if colour.mean() < DARKEST_TEETH or np.ptp(colour) > _most_coloured(still, line) * colour.max():
        return None
    is_tooth = between & (light > TOOTH_SHARE * colour.mean()) & (chroma < pale + MORE_COLOUR)
    ends = _first_run(np.where(is_tooth, 1.0, -1.0), GAP_BELOW * line.length / TOOTH_STEP_PX)
    reach = ndimage.median_filter(np.where(ends > 0, SHADOW_PX + ends * TOOTH_STEP_PX, 0.0), TABLE // 24)
    reach = ndimage.grey_closing(reach, TABLE // 6)  # dark gaps between teeth do not end them
    middle = np.abs(u - 0.5) < 0.12
    if np.median(reach[middle]) > TWO_ROWS * line.length:
        reach = np.minimum(reach, _upper_row(light, below, reach, line.length))
    seen = np.median(reach[middle]) > 2 * SHADOW_PX
    edge_v = float(np.median((line.upper + reach)[middle])) if seen else None
    shown = float(np.median(reach[middle])) / line.length if seen else UNSHADED  # not found is not hidden
    return OwnTeeth(colour, reach, edge_v, float(np.clip((shown - SHADED) / (UNSHADED - SHADED), 0, 1)))


def _most_coloured(still: np.ndarray, line: LipLine) -> float:
    """Saturation 0-1 that teeth have at most: under a warm light, which lips tell, more than elsewhere."""
    u = np.linspace(0.2, 0.8, TABLE // 4)
    above = np.linspace(*ON_UPPER_LIP, 5) * line.length
    lip = np.median(_read(still, line, u, line.height(line.upper, u)[:, None] - above), axis=(0, 1))
    return max(COLOURED_TEETH, LIKE_LIP * float(np.ptp(lip) / (lip.max() + 1e-6)))


def _upper_row(light: np.ndarray, below: np.ndarray, reach: np.ndarray, length: float) -> np.ndarray:
    """How far (TABLE,) the upper of two rows of teeth reaches that show `light` (TABLE, m) at `below` (m,) pixels."""
    inside = (below > SEAM * length) & (below < np.maximum(reach, 1.5 * SEAM * length)[:, None])
    seam = darkest_path(np.where(inside, light, light.max() + 1))
    return ndimage.gaussian_filter1d(below[seam], TABLE / 48)


def _read(still: np.ndarray, line: LipLine, u: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Colours (n, m, 3) 0-1 of the still frame at u (n,) and v (n, m) of the lip line."""
    places = line.corner + (u * line.length)[:, None, None] * line.along + heights[..., None] * line.down
    at = [places[..., 1], places[..., 0]]
    return np.stack([ndimage.map_coordinates(still[..., c] / 255.0, at, order=1, mode="nearest") for c in range(3)], -1)


def teeth_edge(own: OwnTeeth | None, line: LipLine) -> np.ndarray:
    """v (TABLE,) of where the portrait's own upper teeth end: at the lower lip's edge if none are found, but at the
    upper lip's in a mouth so wide open that they would be seen.

    Teeth in the corners' shadow are taken to reach as far as the last that are seen.
    """
    gap = line.lower - line.upper
    if own is None or not own.reach.any():
        return line.upper if gap.max() > WIDE_OPEN * line.length else line.lower
    seen, inwards = np.flatnonzero(own.reach), TABLE // 24
    nearest = np.clip(np.arange(TABLE), seen[0] + inwards, max(seen[-1] - inwards, seen[0] + inwards))
    reach = ndimage.gaussian_filter1d(own.reach[nearest], TABLE / 48)
    return (line.upper + np.minimum(reach, gap)).astype(np.float32)


def shows_below(edge: np.ndarray, line: LipLine) -> bool:
    """Whether so much is seen between the upper teeth's `edge` (TABLE,) and the lower lip that it moves by itself.

    What a scream shows does not: it is far too tall to stand behind lips that speak.
    """
    return bool((line.lower - edge).max() > LITTLE_BELOW * line.length) and line.gap_px < SCREAM * line.length


def _first_run(score: np.ndarray, patience: float) -> np.ndarray:
    """End of the first run with a positive sum in every row, over after a fall of `patience`; 0 where there is none."""
    rows = len(score)
    total, best, end, goes_on = np.zeros(rows), np.zeros(rows), np.zeros(rows, int), np.ones(rows, bool)
    for k in range(score.shape[1]):
        total = np.maximum(total, 0) + score[:, k]
        goes_on &= (best - total < patience) & ((best > 0) | (k < 2 * patience))
        better = goes_on & (total > best)
        best, end = np.where(better, total, best), np.where(better, k + 1, end)
    return end
