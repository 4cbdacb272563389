"""What a portrait does not show of its eyes, painted once: whole whites and irises, lid skin, and the lashes alone.

Everything comes from the portrait's own pixels, so a painting keeps its colours and an old photograph has none. Numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from talkface.rendering.drawings import Paper
from talkface.rendering.eye_shapes import TABLE, EyeShape
from talkface.rendering.fields import blur, push_pull, smoothstep

OVERSAMPLE = 2
REACH = 0.75  # of the eye's width: half a side of the plates
UNSEEN_IRIS = 50.0  # grey level where the portrait shows nothing of an iris

WHITE_SHADED = 0.03  # of the eye's width: so near its upper lid's edge the white is no white
WHITE_LIT = 0.3  # share of the visible white that is taken for fully lit
WHITE_RISES = 0.5  # of the iris's radius: over how much the filled white gets as bright as that

# Of the eye's width: how far lashes and the lid's edge reach into the skin around an open eye.
HIDDEN_ABOVE, HIDDEN_BELOW, HIDDEN_OUTSIDE, HIDDEN_INSIDE = 0.16, 0.06, 0.14, 0.09
FADE = 1.9  # of that reach: where the painted skin has become the portrait's own
STILL_FROM = 0.7  # of that reach: whatever lies nearer moves with the lid
EDGE_TO, EDGE_WIDE, EDGE_SHARP = 2.2, 0.05, 0.43  # up to where, over how much of the eye's width, how steep
SKIN_TONES = (0.82, 1.18)  # of the brightness around it: what is darker or brighter is no skin
PAPER_AROUND, PALEST_PERCENT = 2.5, 95  # of that reach: where paper is looked for, and what is taken for it
SKIN_AROUND = 0.12  # of the eye's width: what counts as around
SKIN_SOFT = 0.035  # of the eye's width: how smooth the painted skin is
GRAIN_COARSE, GRAIN_LEVELS = 0.045, 6.0  # of the eye's width; the skin's own texture, at most so strong
GRAIN_SHARE = 0.65
GRAIN_FROM, GRAIN_ROOM = 0.13, 0.25  # of the eye's width: where below the lower lid it is taken from
BULGE, CREASE = 0.05, 0.07  # how much brighter a closed lid is over the eyeball, and darker in its fold

LASH_COLUMNS, LASH_ROWS = 141, 25
LASH_BESIDE = 0.2  # of the eye's width: how far the table of lashes reaches past the corners
LASH_LENGTH = 0.26  # of the eye's width
LASH_ROOTS = 4  # rows in which the lid's edge lies, wherever the landmarks put it
LASH_OUTSIDE, LASH_INSIDE = 0.1, 0.3  # of the eye's width, past and before those corners: where they thin out
LASH_GAP, LASH_NEIGHBOURS = 21, 6.0  # columns: gaps are filled from their neighbours
LASH_ENDS = 14  # columns over which they thin out at least
LASH_NOISE = 0.07  # shades of skin that are no lashes


@dataclass(frozen=True)
class EyePlates:
    """Pictures at OVERSAMPLE times the canvas's resolution, float32, colours 0-255, the rest 0-1.

    Attributes:
        white: (3, h, w) the eyeball without its iris.
        iris: (4, h, w) the whole iris and its coverage.
        lid: (4, h, w) skin without eye and lashes, and how much of it a closed lid shows.
        lashes: (1, LASH_ROWS, LASH_COLUMNS) darkness of the upper lashes, outwards from the lid's edge.
        line: (LASH_COLUMNS,) darkness of the lid's edge itself.
        left, top: canvas position of the first texel of the first three.
    """

    white: np.ndarray
    iris: np.ndarray
    lid: np.ndarray
    lashes: np.ndarray
    line: np.ndarray
    left: float
    top: float


def eye_plates(still: np.ndarray, shape: EyeShape, paper: Paper | None = None) -> EyePlates:
    """Complete what the lids hide and what a closed lid would show, which is bare `paper` in a line drawing."""
    reach = REACH * shape.width
    left, top = np.floor(shape.corner + shape.along * shape.width / 2 - reach)
    at = np.arange(int(2 * OVERSAMPLE * np.ceil(reach))) / OVERSAMPLE
    xy = np.stack(np.meshgrid(left + at, top + at), -1)
    picture = _bilinear(still.astype(np.float32), xy)
    lid = _lid(picture, xy, shape, paper)
    lashes, line = _lashes(still, lid, shape, (left, top))
    return EyePlates(*_eyeball(picture, xy, shape), lid, lashes, line, float(left), float(top))


def _eyeball(picture: np.ndarray, xy: np.ndarray, shape: EyeShape) -> tuple[np.ndarray, np.ndarray]:
    """White (3, h, w) and iris (4, h, w)."""
    inside = shape.inside(xy)
    unshaded = np.minimum(inside, shape.inside(xy - WHITE_SHADED * shape.width * shape.down))
    from_iris = np.linalg.norm(xy - shape.iris, axis=-1)
    white_known = (unshaded > 1.0) & (from_iris > 1.22 * shape.iris_radius)
    if white_known.sum() < 12:
        white_known = (inside > 0.3) & (from_iris > shape.iris_radius)
    if white_known.sum() < 4:
        blank = np.zeros((4, *xy.shape[:2]), np.float32)
        return blank[:3], blank
    white = _lit(push_pull(picture.transpose(2, 0, 1), white_known, smooth=30), picture, white_known, shape)
    iris = _complete_iris(picture, xy, shape, (inside > 1.0) & (from_iris < shape.iris_radius * 1.1))
    alpha = np.clip((shape.iris_radius * 1.04 - from_iris) / (0.16 * shape.iris_radius) + 0.5, 0, 1)
    return white, np.concatenate([iris, alpha[None]]).astype(np.float32)


def _lit(white: np.ndarray, picture: np.ndarray, known: np.ndarray, shape: EyeShape) -> np.ndarray:
    """A filled white (3, h, w), where it was filled: there the eyeball bulges towards the light, whereas all that is
    `known` (h, w) of it lies in the corners, and in the shadow of lids and lashes."""
    shades = picture[known]
    light = shades.mean(-1)
    bright = np.median(shades[light >= np.percentile(light, 100 * (1 - WHITE_LIT))], axis=0)
    away = ndimage.distance_transform_edt(~known) / (WHITE_RISES * shape.iris_radius * OVERSAMPLE)
    return (white + np.clip(bright[:, None, None] - white, 0, None) * smoothstep(away)).astype(np.float32)


def _lid(picture: np.ndarray, xy: np.ndarray, shape: EyeShape, paper: Paper | None) -> np.ndarray:
    """Skin in place of the eye, grown in from all around, and its coverage (4, h, w)."""
    away, texels = _away(xy, shape), shape.width * OVERSAMPLE
    tone, known = _skin(picture.mean(-1), away, SKIN_AROUND * texels)
    things, shadows = _dark(tone, away, texels)
    known |= shadows & (away > 1)
    colour = picture.transpose(2, 0, 1)
    if known.sum() < 4:
        return np.concatenate([colour, np.zeros((1, *away.shape))]).astype(np.float32)
    skin = blur(push_pull(colour, known, smooth=60), SKIN_SOFT * texels)
    if paper:
        skin += paper.share * (_bare(paper, picture[(away > 1) & (away < PAPER_AROUND)]) - skin)
    skin = np.clip(skin * _relief(xy, shape) + _grain(colour, xy, shape), 0, 255)
    still = blur(things, 0.5 * SKIN_SOFT * texels) * smoothstep((away - STILL_FROM) / (1 - STILL_FROM))
    cover = np.maximum(smoothstep((FADE - away) / (FADE - 1)), still)
    return np.concatenate([skin * (1 - still) + colour * still, cover[None]]).astype(np.float32)


def _bare(paper: Paper, around: np.ndarray) -> np.ndarray:
    """Colour (3, 1, 1) of a lid without lines: the paper, as far as any shows in the pixels (n, 3) around."""
    palest = np.percentile(around.mean(-1), PALEST_PERCENT) if len(around) else 255
    return (paper.colour * min(1, palest / max(paper.colour.mean(), 1)))[:, None, None]


def _away(xy: np.ndarray, shape: EyeShape) -> np.ndarray:
    """Distance (h, w) from the eye's opening: 0 in it, 1 where its lashes and lid edges end."""
    u, v = shape.coordinates(xy)
    at = np.linspace(0, 1, TABLE)
    over, under = np.interp(u, at, shape.upper) - v, v - np.interp(u, at, shape.lower)
    first, last = (HIDDEN_OUTSIDE, HIDDEN_INSIDE) if shape.outer_first else (HIDDEN_INSIDE, HIDDEN_OUTSIDE)
    parts = (over / (HIDDEN_ABOVE * shape.width), under / (HIDDEN_BELOW * shape.width), -u / first, (u - 1) / last)
    return np.sqrt(sum(np.maximum(part, 0) ** 2 for part in parts))


def _skin(brightness: np.ndarray, away: np.ndarray, around: float) -> tuple[np.ndarray, np.ndarray]:
    """Brightness (h, w) of the skin around taken as 1, and where there is bare skin: neither the eye nor lashes, brows,
    glasses and highlights."""
    outside = known = away > 1
    tone = np.ones_like(away)
    for _ in range(2):
        if not known.any():
            break
        usual = blur(brightness * known, around) / np.maximum(blur(known.astype(np.float32), around), 1e-6)
        tone = brightness / np.maximum(usual, 1)
        known = outside & (tone > SKIN_TONES[0]) & (tone < SKIN_TONES[1])
    return tone, known


def _dark(tone: np.ndarray, away: np.ndarray, texels: float) -> tuple[np.ndarray, np.ndarray]:
    """Dark things (h, w) that stay in place, glasses and brows, and shadows, which lie on the lid as well.

    Both mostly lie beyond the reach of lashes; things have sharp edges, and shadows have none.
    """
    dark = (tone < SKIN_TONES[0]) & (away > STILL_FROM)
    parts, count = ndimage.label(dark)
    numbers = np.arange(count + 1)
    beyond = ndimage.mean(away > FADE, parts, numbers) > 0.5
    beyond[0] = False
    edge = dark & ~ndimage.binary_erosion(dark) & (away > STILL_FROM) & (away < EDGE_TO)
    slope = np.hypot(*np.gradient(blur(tone, 0.01 * texels))) * EDGE_WIDE * texels
    sharp = np.nan_to_num(ndimage.median(slope, np.where(edge, parts, -1), numbers)) > EDGE_SHARP
    return (beyond & sharp)[parts], (beyond & ~sharp)[parts]


def _relief(xy: np.ndarray, shape: EyeShape) -> np.ndarray:
    """Light (h, w) on a closed lid: it bulges over the eyeball and folds above it."""
    u, v = shape.coordinates(xy)
    at = np.linspace(0, 1, TABLE)
    upper, lower = np.interp(u, at, shape.upper), np.interp(u, at, shape.lower)
    fold = upper - HIDDEN_ABOVE * shape.width
    down = (v - fold) / (lower - fold)
    profile = np.sqrt(np.clip(1 - (2 * u - 1) ** 2, 0, 1))
    return 1 + profile * (BULGE * np.exp(-(((down - 0.55) / 0.3) ** 2)) - CREASE * np.exp(-((down / 0.16) ** 2)))


def _grain(colour: np.ndarray, xy: np.ndarray, shape: EyeShape) -> np.ndarray:
    """Texture (3, h, w) of the skin below the eye, mirrored upwards."""
    fine = GRAIN_SHARE * (colour - blur(colour, GRAIN_COARSE * shape.width * OVERSAMPLE))
    _, v = shape.coordinates(xy)
    start, room = shape.lower.max() + GRAIN_FROM * shape.width, GRAIN_ROOM * shape.width
    folded = room - np.abs((start - v) % (2 * room) - room)
    places = (xy - xy[0, 0] + (start + folded - v)[..., None] * shape.down) * OVERSAMPLE
    return np.clip(_bilinear(fine.transpose(1, 2, 0), places), -GRAIN_LEVELS, GRAIN_LEVELS).transpose(2, 0, 1)


def _lashes(still: np.ndarray, lid: np.ndarray, shape: EyeShape, corner: tuple[float, float]) -> tuple:
    """Darkness of the lashes (1, LASH_ROWS, LASH_COLUMNS) and of the lid's edge (LASH_COLUMNS,)."""
    u = np.linspace(-LASH_BESIDE, 1 + LASH_BESIDE, LASH_COLUMNS)
    outwards = np.linspace(0, LASH_LENGTH * shape.width, LASH_ROWS)[:, None]
    v = np.interp(u, np.linspace(0, 1, TABLE), shape.upper) - outwards
    xy = shape.corner + u[:, None] * shape.width * shape.along + v[..., None] * shape.down
    seen = _bilinear(still.astype(np.float32), xy).mean(-1)
    bare = _bilinear(lid[:3].transpose(1, 2, 0), (xy - corner) * OVERSAMPLE).mean(-1)
    dark = np.clip((1 - seen / np.maximum(bare, 1) - LASH_NOISE) / (1 - LASH_NOISE), 0, 1)
    dark[:LASH_ROOTS] = dark[:LASH_ROOTS].max(0)
    dark = np.minimum.accumulate(blur(dark, 0.5), axis=0)  # a fold of the lid lies beyond lighter skin
    dark = (dark - dark[-1]) / (1 - dark[-1]).clip(0.2)  # nor is a shadow that reaches past them the lashes'
    dark = _even(dark)
    first, last = (-u, u - 1) if shape.outer_first else (u - 1, -u)
    dark *= smoothstep((LASH_OUTSIDE - first) / (2 * LASH_OUTSIDE)) * smoothstep(-last / LASH_INSIDE)
    end = np.linspace(1, 0, LASH_ROWS)[:, None]
    line = np.convolve(np.pad(dark[0], 4, mode="edge"), np.full(9, 1 / 9), "valid")
    return (dark * smoothstep(3 * end))[None].astype(np.float32), line.astype(np.float32)


def _even(lashes: np.ndarray) -> np.ndarray:
    """Lashes (LASH_ROWS, LASH_COLUMNS) without gaps and abrupt ends, which they have where landmarks lie in the white
    of an eye, or behind hair: turned downwards they would look like blocks."""
    roots = lashes[0]
    near = ndimage.gaussian_filter1d(np.stack([roots, *(roots * lashes)]), LASH_NEIGHBOURS, axis=1)
    usual = near[1:] / np.maximum(near[0], 1e-6)
    found = (roots + LASH_NOISE) / (ndimage.grey_closing(roots, LASH_GAP) + LASH_NOISE)
    whole = usual + found * (lashes - usual)
    cone = np.abs(np.arange(-LASH_ENDS, LASH_ENDS + 1)) / LASH_ENDS
    thinned = ndimage.grey_erosion(whole[0], structure=-cone, mode="nearest")
    return whole * thinned / np.maximum(whole[0], 1e-6)


def _complete_iris(picture: np.ndarray, xy: np.ndarray, shape: EyeShape, known: np.ndarray) -> np.ndarray:
    """Fill the hidden part of the iris ring by ring: an iris is nearly the same all around."""
    radius = np.linalg.norm(xy - shape.iris, axis=-1)
    ring = np.minimum((radius * OVERSAMPLE).astype(int), 4 * OVERSAMPLE + int(shape.iris_radius * OVERSAMPLE * 2))
    rings = ring.max() + 1
    count = np.bincount(ring[known], minlength=rings)
    share = np.clip(blur(known.astype(np.float32), 1.0) * 2 - 1, 0, 1)
    out = np.full((3, *radius.shape), UNSEEN_IRIS, np.float32)
    for channel in range(3 if known.any() else 0):
        total = np.bincount(ring[known], picture[..., channel][known], minlength=rings)
        seen = np.flatnonzero(count)
        average = np.interp(np.arange(rings), seen, total[seen] / count[seen])[ring]
        out[channel] = picture[..., channel] * share + average * (1 - share)
    return out


def _bilinear(picture: np.ndarray, xy: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    x, y = np.clip(xy[..., 0], 0, width - 1.001), np.clip(xy[..., 1], 0, height - 1.001)
    x0, y0 = x.astype(int), y.astype(int)
    fx, fy = (x - x0)[..., None], (y - y0)[..., None]
    above = picture[y0, x0] * (1 - fx) + picture[y0, x0 + 1] * fx
    below = picture[y0 + 1, x0] * (1 - fx) + picture[y0 + 1, x0 + 1] * fx
    return above * (1 - fy) + below * fy
