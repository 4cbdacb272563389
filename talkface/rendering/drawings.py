"""Whether a portrait is drawn in lines: much of the face is bare paper of one tone, and what is not has sharp edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from talkface.landmarks import SURFACE_COUNT
from talkface.rendering.fields import smoothstep

FACE_PX = 110  # width at which a face is looked at: lines and their edges are a pixel or two wide there
ACROSS, DOWN = (0.08, 0.92), (0.12, 0.62)  # of the face's box: forehead to cheeks, without beards and hair
TONE_LEVELS, PALEST = 5, 60  # grey levels: paper varies so much, and is no darker
EDGE = 0.1  # of the paper's brightness, from one pixel to the next
PAPER_SHARE, EDGE_SHARE = (0.3, 0.42), (0.11, 0.2)
"""Of the pixels: bare paper, and edges, from no drawing to surely one. Pen drawings have .4-.6 and .2-.4, photographs
one or the other."""

TINT = (0.25, 0.17)  # of the paper's brightest channel: coloured skin is painted, and has shades of its own


@dataclass(frozen=True)
class Paper:
    """What a portrait is drawn on: its colour (3,) 0-255, and how surely (0-1) it is a line drawing at all."""

    colour: np.ndarray
    share: float


def paper(still: np.ndarray, landmarks: np.ndarray) -> Paper:
    """The paper of a picture (S, S, 3) uint8 with landmarks (478, 2)."""
    face = _face(still, landmarks)
    light = face.mean(-1)
    counts = np.histogram(light, 256, (0, 256))[0] / light.size
    near = np.convolve(counts, np.ones(2 * TONE_LEVELS + 1), "same")
    tone = PALEST + int(near[PALEST:].argmax())
    edges = float((np.hypot(*np.gradient(light)) > EDGE * tone).mean())
    bare = np.abs(light - tone) <= TONE_LEVELS
    colour = face[bare].mean(0) if bare.any() else np.full(3, float(tone))
    tint = float(np.ptp(colour) / colour.max())
    signs = ((float(near[tone]), PAPER_SHARE), (edges, EDGE_SHARE), (tint, TINT))
    surely = min(float(smoothstep((found - never) / (sure - never))) for found, (never, sure) in signs)
    return Paper(colour.astype(np.float32), surely)


def _face(still: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """The middle (h, w, 3) float of the face, at a size that does not depend on the picture's."""
    low, high = landmarks[:SURFACE_COUNT].min(0), landmarks[:SURFACE_COUNT].max(0)
    left, right = (low[0] + at * (high[0] - low[0]) for at in ACROSS)
    top, bottom = (low[1] + at * (high[1] - low[1]) for at in DOWN)
    scale = FACE_PX / max(high[0] - low[0], 1)
    size = tuple(max(2, round(side * scale)) for side in (right - left, bottom - top))
    picture = Image.fromarray(still).resize(size, Image.Resampling.BILINEAR, (left, top, right, bottom))
    return np.asarray(picture, np.float32)
