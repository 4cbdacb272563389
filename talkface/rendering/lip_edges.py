"""Settling the lip line on the picture: landmarks say roughly where the lips part, the pixels say it exactly.

Between parted lips it is darker than the lips, or there are teeth: brighter and less coloured. Where neither is found
the lips touch, along the darkest line nearby. Teeth that the landmarks take for lip are given back to the mouth.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import ndimage

from talkface.landmarks import LIP_OUTER_LOWER, LIP_OUTER_UPPER
from talkface.rendering.lips import TABLE, LipLine

COLUMNS = np.linspace(0.04, 0.96, 93)
STEP_PX = 0.5
REACH = 0.24  # of the mouth's width, up and down from the landmarks' lip line
NEAR = 0.1  # within this the line of closed lips is looked for
WIDE, WIDE_GREY = 0.11, 0.09  # of the mouth's width: landmarks this far apart trusted; if grey
PARTED = 0.045  # of the mouth's width: what is thinner is the line between closed lips
FAINT = 0.93  # of the lips' brightness: a line that is hardly darker is left to the landmarks
BEYOND_UPPER, BEYOND_LOWER = 0.13, 0.06  # of the mouth's width: how far teeth are looked for past the landmarks' edges
BEYOND_DIM = 0.07  # the same for teeth that are not brighter than lips
TOOTH_CONTRAST, TOOTH_PALENESS = 0.12, 0.08  # by which teeth are brighter and less coloured than lips, at least
LIKE_TEETH = (0.5, 0.7)  # of the way from lip to teeth is what counts as teeth, past the upper and past the lower edge
BESIDE = 7  # of COLUMNS: teeth are looked for so far to either side
RIM_PX, RIM_LIGHT = 2.0, 0.2  # a tooth's blurred rim, left on the lip, would glow there; its light, from lip to tooth
LESS_RED = 0.016  # than both lips, of the sum of the colours: the bright part of what lies between them is teeth
THIN = 0.045  # of the mouth's width: the thinnest smile in which dim teeth are told by being many
UNEVEN, EVEN = 2.8, 2e-3  # times as uneven along the mouth as the lower lip; so even is no lip
NO_REDDER = np.array([0.035, 0.08])  # than the upper, than the lower lip is what lies between them if it is teeth
RED_CONTRAST, GREY = 0.045, 0.004  # by which lips are redder than teeth if that is to tell them apart; no colour at all
UNLIT = 0.6  # of a lip's brightness: the least that a tooth in its shadow has
DARK, BRIGHT, PALE = 0.3, 1.2, 0.62  # inside against lips: share darker, times brighter, times less coloured


def settle(line: LipLine, landmarks: np.ndarray, still: np.ndarray, enlargement: float = 1.0) -> LipLine:
    """The lip line moved to what the still frame (S, S, 3) shows; landmarks (478, 2) give the outer lips.

    The `enlargement` of the portrait tells how far its edges are blurred.
    """
    trusted = line.gap_px > WIDE * line.length or _shows_teeth(line, landmarks, still)
    found = line if trusted else _part(line, landmarks, still)
    return _uncover_teeth(found, landmarks, still, RIM_PX * max(1.0, enlargement)) if found.gap_px > 0 else found


def _shows_teeth(line: LipLine, landmarks: np.ndarray, still: np.ndarray) -> bool:
    """Whether what is bright between the landmarks' edges is less red than both lips: a smile that shows few teeth,
    whose dark edges `_part` would take for the line between closed lips."""
    if line.gap_px == 0:
        return False
    central = np.abs(COLUMNS - 0.5) < 0.3
    upper, lower = line.height(line.upper, COLUMNS), line.height(line.lower, COLUMNS)

    def seen(start: np.ndarray, end: np.ndarray, shares: np.ndarray) -> np.ndarray:
        return _strip(line, start[:, None] + (end - start)[:, None] * shares, still)[central]

    top, bottom = (_outer(line, landmarks[list(ring)]) for ring in (LIP_OUTER_UPPER, LIP_OUTER_LOWER))
    upper_lip, lower_lip = (seen(*edges, np.linspace(0.25, 0.75, 7)) for edges in ((upper, top), (lower, bottom)))
    wet = seen(lower, bottom, np.linspace(0.08, 0.35, 5))  # on dark lips it is as pale as what may be teeth
    lips = (upper_lip, lower_lip, wet)
    inside = seen(upper, lower, np.linspace(0.1, 0.9, 9))
    light = inside.mean(-1)
    bright = inside[light >= np.percentile(light, 55, axis=1, keepdims=True)]
    reds = [float(np.median(_redness(lip))) for lip in lips]
    if max(np.abs(_redness(lip)).max() for lip in lips) < GREY:
        return line.gap_px > WIDE_GREY * line.length
    if np.median(_redness(bright)) < min(reds) - LESS_RED:
        return True
    redder = float(np.median(_redness(inside))) - np.array(reds[:2])
    return (
        line.gap_px > THIN * line.length and _is_uneven(inside[:, 2:-2], lower_lip) and bool((redder < NO_REDDER).all())
    )


def _is_uneven(inside: np.ndarray, lip: np.ndarray) -> bool:
    """Whether what is seen inside (columns, n, 3) changes along the mouth more than the lip (columns, m, 3) does, as
    tooth after tooth does and the line between closed lips does not."""
    unevenness = []
    for strip in (inside, lip):
        light = strip.mean((1, 2))
        unevenness.append(float(np.diff(light, n=2).std() / (light.mean() + 1)))
    return unevenness[0] > UNEVEN * max(unevenness[1], EVEN)


def _part(line: LipLine, landmarks: np.ndarray, still: np.ndarray) -> LipLine:
    """The edges of lips that are closed or hardly open, or the landmarks' where there are teeth between them."""
    middle = (line.height(line.upper, COLUMNS) + line.height(line.lower, COLUMNS)) / 2
    offsets = np.arange(-REACH * line.length, REACH * line.length, STEP_PX)
    heights = middle[:, None] + offsets
    strip = _strip(line, heights, still)
    top, bottom = (_outer(line, landmarks[list(ring)]) for ring in (LIP_OUTER_UPPER, LIP_OUTER_LOWER))
    thickness = bottom - top
    within = (heights > (top + 0.2 * thickness)[:, None]) & (heights < (bottom - 0.2 * thickness)[:, None])
    light = strip.mean(-1)
    near = within & (np.abs(offsets) < NEAR * line.length)
    valley = darkest_path(np.where(near, light, light.max() + 50))
    score, pale = _inside_score(line, strip, heights, top, bottom)
    central = np.abs(COLUMNS - 0.5) < 0.22
    between = (heights > line.height(line.upper, COLUMNS)[:, None]) & (
        heights < line.height(line.lower, COLUMNS)[:, None]
    )
    if between[central].sum() > 60 and pale[central][between[central]].mean() > 0.5:
        return line
    first, last = _best_run(np.where(within, score, -9.0))
    open_px = ndimage.median_filter((last - first) * STEP_PX, 9)
    if np.median(open_px[central]) < PARTED * line.length:
        darkest = np.median(light[np.arange(len(COLUMNS)), valley])
        is_line = darkest < FAINT * np.median(light[near])
        edges = [_smooth(heights[np.arange(len(COLUMNS)), valley]) if is_line else middle] * 2
    else:
        shut = open_px < 0.5 * PARTED * line.length
        first, last = np.where(shut, valley, first), np.where(shut, valley, last)
        edges = [
            _smooth(heights[np.arange(len(COLUMNS)), np.minimum(index, len(offsets) - 1)]) for index in (first, last)
        ]
    upper, lower = (_table(edge) for edge in edges)
    return dataclasses.replace(line, upper=np.minimum(upper, lower), lower=np.maximum(upper, lower))


def _uncover_teeth(line: LipLine, landmarks: np.ndarray, still: np.ndarray, rim_px: float) -> LipLine:
    """Parted lips without the teeth, their blurred rims, and the darkness beside them, that lie beyond the landmarks'
    edges."""
    upper, lower = line.height(line.upper, COLUMNS), line.height(line.lower, COLUMNS)
    between = _strip(line, upper[:, None] + (lower - upper)[:, None] * np.linspace(0.1, 0.9, 9), still)
    tables = []
    for table, ring, sign, reach in (
        (line.upper, LIP_OUTER_UPPER, -1, BEYOND_UPPER), (line.lower, LIP_OUTER_LOWER, 1, BEYOND_LOWER)
    ):  # fmt: skip
        edge, outer = line.height(table, COLUMNS), _outer(line, landmarks[list(ring)])
        steps = np.arange(0, reach * line.length, STEP_PX)
        extent = _teeth_beyond(line, edge, outer, sign * steps, still, between, rim_px)
        extent = ndimage.maximum_filter1d(extent, BESIDE)  # a row of teeth ends upright, and its smoothed edge does not
        tables.append(table + sign * _table(ndimage.gaussian_filter1d(extent * STEP_PX, 3.0)))
    upper, lower = (table.astype(np.float32) for table in tables)
    return dataclasses.replace(line, upper=upper, lower=lower)


def _teeth_beyond(
    line: LipLine,
    edge: np.ndarray,
    outer: np.ndarray,
    steps: np.ndarray,
    still: np.ndarray,
    between: np.ndarray,
    rim_px: float,
) -> np.ndarray:
    """How many of the steps (n,) from the landmarks' edge towards the outer edge of the lip still show no lip, given
    what is seen `between` (columns, m, 3) the edges."""
    strip = _strip(line, edge[:, None] + steps, still)
    lip = _strip(line, edge[:, None] + (outer - edge)[:, None] * np.linspace(0.6, 0.9, 7), still)
    light, lip_light = strip.mean(-1), np.median(lip.mean(-1))
    tooth = _is_bright_tooth(strip, lip, between, LIKE_TEETH[int(steps[-1] > 0)])
    rim = _is_rim(light, lip_light, tooth)
    if steps[-1] < 0:
        tooth |= _is_dim_tooth(strip, lip, between) & (np.abs(steps) < BEYOND_DIM * line.length)
    inside = tooth | (light < (1 - DARK) * lip_light)
    on_lip = np.abs(steps) < 0.75 * np.abs(outer - edge)[:, None]
    count = np.cumprod(inside & on_lip, axis=1).sum(1)
    number = np.arange(len(steps))
    tooth_ends = np.where(tooth & (number < count[:, None]), number + 1, 0).max(1)
    shows = np.flatnonzero(tooth_ends)
    if len(shows) < 0.1 * len(COLUMNS):
        return np.zeros(len(edge))
    count = np.minimum(count, np.maximum(tooth_ends, np.median(tooth_ends[shows])))  # what is dark further on is lip
    past = number - count[:, None]
    ends = np.cumprod((past < 0) | (rim & on_lip & (past < rim_px / STEP_PX)), axis=1).sum(1)
    first, last = COLUMNS[shows[[0, -1]]]
    return ndimage.median_filter(ends, 7) * np.minimum(1, np.minimum(COLUMNS / first, (1 - COLUMNS) / (1 - last)))


def _is_bright_tooth(strip: np.ndarray, lip: np.ndarray, between: np.ndarray, share: float) -> np.ndarray:
    """Which places of a strip (columns, n, 3) over a lip's edge are brighter, less coloured than the lip (..., 3).

    They are for a `share` of the way what is brightest there, or `between` the lips (columns, m, 3): a highlight on a
    lip is not.
    """
    (light, colour), (lip_light, lip_colour) = _light_and_colour(strip), map(np.median, _light_and_colour(lip))
    tooth_light, tooth_colour = max(_brightest(strip), _brightest(between))
    paler = lip_colour - tooth_colour
    if tooth_light - lip_light < TOOTH_CONTRAST * 255:
        return np.zeros(light.shape, bool)
    tooth = light > lip_light + share * (tooth_light - lip_light)
    if lip_colour > 2 * TOOTH_PALENESS:  # else the picture, or the mouth, is grey
        tooth &= (colour < lip_colour - share * paler) & (paler > TOOTH_PALENESS)
    return tooth


def _brightest(strip: np.ndarray) -> tuple[float, float]:
    """Light and colour of the brightest tenth of a strip (columns, n, 3)."""
    light, colour = _light_and_colour(strip)
    is_brightest = light >= np.percentile(light[np.abs(COLUMNS - 0.5) < 0.3], 90)
    return float(np.median(light[is_brightest])), float(np.median(colour[is_brightest]))


def _is_rim(light: np.ndarray, lip_light: float, tooth: np.ndarray) -> np.ndarray:
    """Which places of a strip (columns, n) are brighter than the lip, as the blurred rims of its `tooth` places are."""
    if not tooth.any():
        return np.zeros(light.shape, bool)
    return light > lip_light + RIM_LIGHT * (np.median(light[tooth]) - lip_light)


def _is_dim_tooth(strip: np.ndarray, lip: np.ndarray, between: np.ndarray) -> np.ndarray:
    """Which places of a strip (columns, n, 3) over a lip's edge are less red than the lip (..., 3), but not dark.

    The least red is tooth, on the strip or `between` the lips (columns, m, 3). Not to be asked of the lower lip, whose
    highlights are as white as teeth.
    """
    darkest, lip_red = UNLIT * np.median(lip.mean(-1)), np.median(_redness(lip))
    tooth_red = min(_least_red(seen, darkest) for seen in (strip, between))
    is_lit = strip.mean(-1) > darkest
    return is_lit & (_redness(strip) < (lip_red + tooth_red) / 2) & (lip_red - tooth_red > RED_CONTRAST)


def _least_red(strip: np.ndarray, darkest: float) -> float:
    """Redness of what is least red in the middle of a strip (columns, n, 3), but not dark."""
    central = (strip.mean(-1) > darkest) & (np.abs(COLUMNS - 0.5) < 0.3)[:, None]
    return float(np.percentile(_redness(strip)[central], 8)) if central.any() else np.inf


def _redness(strip: np.ndarray) -> np.ndarray:
    """How much more red than green there is in colours (..., 3), of all their light."""
    return (strip[..., 0] - strip[..., 1]) / (strip.sum(-1) + 1)


def _light_and_colour(strip: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Brightness 0-255 and saturation 0-1 of a strip (..., 3)."""
    return strip.mean(-1), (strip.max(-1) - strip.min(-1)) / (strip.max(-1) + 1)


def _strip(line: LipLine, heights: np.ndarray, still: np.ndarray) -> np.ndarray:
    """The picture around the lip line, (columns, heights, 3) float."""
    along = line.corner + (COLUMNS * line.length)[:, None] * line.along
    places = along[:, None] + heights[..., None] * line.down
    channels = [
        ndimage.map_coordinates(
            still[..., c].astype(np.float32), [places[..., 1], places[..., 0]], order=1, mode="nearest"
        )
        for c in range(3)
    ]
    return ndimage.gaussian_filter1d(np.stack(channels, -1), 1.0, axis=0)


def _outer(line: LipLine, ring: np.ndarray) -> np.ndarray:
    """Height of an outer edge of the lips over the columns."""
    u, v = line.coordinates(ring)
    order = np.argsort(u)
    return np.interp(COLUMNS, u[order], v[order])


def _inside_score(line: LipLine, strip: np.ndarray, heights: np.ndarray, top: np.ndarray, bottom: np.ndarray):
    """+1 where it looks like the inside of a mouth, -1 where it looks like lips; and where it is pale (bool)."""
    upper, lower = line.height(line.upper, COLUMNS), line.height(line.lower, COLUMNS)
    is_upper = (heights > (top * 0.7 + upper * 0.3)[:, None]) & (heights < (top * 0.2 + upper * 0.8)[:, None])
    is_lower = (heights < (bottom * 0.7 + lower * 0.3)[:, None]) & (heights > (bottom * 0.2 + lower * 0.8)[:, None])
    light, colour = _light_and_colour(strip)
    lips = [(np.median(light[m]), np.median(colour[m])) for m in (is_upper, is_lower) if m.sum() > 20]
    if not lips:
        return np.full(light.shape, -1.0), np.zeros(light.shape, bool)
    darkest, brightest = min(lip[0] for lip in lips), max(lip[0] for lip in lips)
    saturation = min(lip[1] for lip in lips)
    dark = ((1 - light / darkest) - DARK) / 0.12
    pale = (PALE - colour / max(saturation, 0.02)) / 0.15 if saturation > 0.12 else np.full(light.shape, -1.0)
    bright = (light / brightest - (0.75 if saturation > 0.12 else BRIGHT)) / 0.12
    return np.clip(np.maximum(dark, np.minimum(pale, bright)), -1, 1), pale > 0


def _best_run(score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and one-past-last index of the run with the largest sum in every row (Kadane's algorithm)."""
    rows = len(score)
    total, start = np.zeros(rows), np.zeros(rows, int)
    best, first, last = np.zeros(rows), np.zeros(rows, int), np.zeros(rows, int)
    for k in range(score.shape[1]):
        fresh = total <= 0
        start = np.where(fresh, k, start)
        total = np.where(fresh, 0.0, total) + score[:, k]
        better = total > best
        best, first, last = np.where(better, total, best), np.where(better, start, first), np.where(better, k + 1, last)
    return first, last


def darkest_path(cost: np.ndarray) -> np.ndarray:
    """Index per row of the path through all rows that sums least, moving at most one index a row."""
    total = cost.copy()
    for k in range(1, len(cost)):
        before = np.pad(total[k - 1], 1, mode="edge")
        total[k] += np.minimum(np.minimum(before[:-2], before[2:]), before[1:-1])
    path = np.empty(len(cost), int)
    path[-1] = total[-1].argmin()
    for k in range(len(cost) - 2, -1, -1):
        low = max(path[k + 1] - 1, 0)
        path[k] = low + total[k, low : path[k + 1] + 2].argmin()
    return path


def _smooth(heights: np.ndarray) -> np.ndarray:
    return ndimage.gaussian_filter1d(ndimage.median_filter(heights, 7, mode="nearest"), 4.0, mode="nearest")


def _table(heights: np.ndarray) -> np.ndarray:
    """Heights at COLUMNS as a table over u = 0..1, ending at the corners."""
    u = np.concatenate([[0.0], COLUMNS, [1.0]])
    v = np.concatenate([[0.0], heights * np.minimum(1, np.minimum(COLUMNS, 1 - COLUMNS) / 0.1), [0.0]])
    return np.interp(np.linspace(0, 1, TABLE), u, v).astype(np.float32)
