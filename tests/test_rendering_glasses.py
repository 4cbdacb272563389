"""Glasses are seen where a rim crosses the nose, and keep the brows from bending them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from talkface.rendering.canvas import make_canvas, still_frame
from talkface.rendering.glasses import BRIDGE, glasses
from talkface.rendering.renderer import Renderer
from talkface.space import DYNAMICS_AXES

BROW = DYNAMICS_AXES.index("browInnerUp")


@pytest.fixture(scope="module")
def worn(analysis) -> np.ndarray:
    """The example's picture with round black glasses painted on it."""
    picture = Image.fromarray(analysis.image)
    pen = ImageDraw.Draw(picture)
    marks, io = analysis.fit.landmarks, analysis.fit.interocular_px
    eyes = [marks[[first, last], :2].mean(0) for first, last in ((33, 133), (362, 263))]
    for x, y in eyes:
        pen.ellipse((x - 0.38 * io, y - 0.38 * io, x + 0.38 * io, y + 0.38 * io), outline=(20, 20, 20), width=3)
    (x0, y0), (x1, y1) = eyes
    pen.line((x0 + 0.38 * io, y0, x1 - 0.38 * io, y1), fill=(20, 20, 20), width=4)
    return np.asarray(picture)


def test_glasses_are_told_from_none(analysis, worn):
    canvas = make_canvas(analysis.fit, analysis.crop, 512)
    bare, wearing = (still_frame(image, analysis.crop, 512) for image in (analysis.image, worn))
    assert glasses(bare, canvas.landmarks) == 0
    assert glasses(wearing, canvas.landmarks) == 1


def test_a_shadow_over_half_the_face_is_no_rim(analysis):
    canvas = make_canvas(analysis.fit, analysis.crop, 512)
    shaded = still_frame(analysis.image, analysis.crop, 512).copy()
    y = int(canvas.landmarks[BRIDGE, 1])
    shaded[y:] = shaded[y:] * 0.75
    assert glasses(shaded, canvas.landmarks) == 0


def test_brows_move_less_behind_glasses(analysis, worn):
    bare, wearing = (
        Renderer(image, analysis.fit, analysis.crop, size=256).head.basis[BROW].abs().max()
        for image in (analysis.image, worn)
    )
    assert 0.2 * bare < wearing < 0.5 * bare
