"""The painted plates: where the teeth stand, what lies in the dark, and the shadow of the upper row."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from talkface.rendering.lips import lip_line
from talkface.rendering.plates import (
    NOTHING,
    OVERBITE,
    SHADED,
    TONGUE_SHOWS,
    _bite,
    _corridor,
    _palate,
    _project,
    _seen_tongue,
    _shadow,
)
from talkface.rendering.renderer import Renderer
from talkface.types import FACE_PARTS
from tests.test_rendering_lip_edges import landmarks

TEETH, GUMS = FACE_PARTS.index("teeth_upper"), FACE_PARTS.index("gums_upper")


@pytest.mark.parametrize("off_px", [-6, 0, 7])
def test_lower_incisors_stand_behind_the_upper_ones_wherever_the_model_has_them(off_px):
    line = lip_line(landmarks(0, 0))
    upper = np.stack([np.linspace(100, 120, 9), np.full(9, 105.0)], 1)
    lower = np.stack([np.linspace(100, 120, 9), np.full(9, 100.0 + off_px)], 1)
    assert 100 + off_px - _bite(upper, lower, line) == pytest.approx(105 - OVERBITE * line.length)


@pytest.mark.parametrize("tilt", [-25, 0, 25])
def test_as_much_of_the_tongue_is_seen_however_the_head_is_tilted(tilt):
    line = lip_line(landmarks(0, 0))
    camera = SimpleNamespace(focal_px=600.0, centre_x=112.0, centre_y=110.0)
    canvas = SimpleNamespace(camera=camera)
    x = np.linspace(-1, 1, 21, dtype=np.float32)
    teeth = np.stack([x, np.zeros(21), np.full(21, -40)], 1).astype(np.float32)
    back = -3 * np.sin(np.radians(tilt))
    tongue = np.stack([x, np.full(21, 0.5 - back), np.full(21, -43)], 1).astype(np.float32)
    tops = [_project(part, canvas)[:, 1].min() for part in (_seen_tongue(tongue, teeth, line, canvas), teeth)]
    shows = (tops[1] - tops[0]) / line.length
    assert TONGUE_SHOWS[0] - 0.01 < shows < TONGUE_SHOWS[1] + 0.01


def test_cheeks_take_the_light_towards_the_corners():
    light = _corridor(np.linspace(0, 1, 21))
    assert light[10] == 1 and (np.diff(light[10:]) <= 0).all()
    assert light[0] < 0.3 and light[-1] == pytest.approx(light[0])


def test_gums_below_the_upper_teeth_are_the_palate():
    part = np.full((6, 3), NOTHING)
    part[:2], part[2:4, :2], part[4:] = GUMS, TEETH, GUMS
    palate = _palate(part)
    assert palate[4:, :2].all() and not palate[:4].any()
    assert not palate[:, 2].any()  # where no tooth is seen, nothing tells


def test_the_upper_teeth_throw_their_shadow_downwards():
    alpha = np.zeros((120, 60), np.float32)
    alpha[30:60] = 1
    shadow = _shadow(alpha, length=200)[:, 30]
    above, below = shadow[24], shadow[66]
    assert below > 0.3 * SHADED and below > 3 * above
    assert (np.diff(shadow[60:]) <= 1e-6).all() and shadow[-20] < 0.01


def test_lower_teeth_are_seen_below_the_upper_ones_of_an_open_mouth(analysis):
    """Where both plates lie with closed jaws, the lower row reaches up behind the upper one, and not past its gums."""
    mouth = Renderer(analysis.image, analysis.fit, analysis.crop, size=256).mouth
    rows = []
    for plate in (mouth.upper_plate, mouth.lower_plate):
        layers = plate.layers.numpy()
        middle = layers[:, :, layers.shape[2] // 2 - 4 : layers.shape[2] // 2 + 4].mean(2)
        teeth = np.flatnonzero((middle[:3].mean(0) > 0.6 * 255) & (middle[3] > 0.9))
        rows.append((teeth[0], teeth[-1]))
    (upper_top, upper_end), (lower_top, lower_end) = rows
    assert upper_top < lower_top < upper_end < lower_end
