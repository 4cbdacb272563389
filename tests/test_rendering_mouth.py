"""The mouth's inside: painted plates, and light that falls in between the lips."""

from __future__ import annotations

import pytest
import torch

from talkface.rendering.renderer import Renderer


@pytest.fixture(scope="module")
def renderer(analysis) -> Renderer:
    return Renderer(analysis.image, analysis.fit, analysis.crop, size=256)


def test_teeth_are_brighter_than_the_tongue_and_the_tongue_than_the_throat(renderer):
    plates = [plate.rgba for plate in (renderer.mouth.upper_plate, renderer.mouth.lower_plate)]
    upper, lower = (rgba[:3, rgba[3] > 0.9].mean(0) for rgba in plates)
    throat = renderer.mouth.throat.mean()
    assert upper.quantile(0.95) > 0.75 * 255  # the example's own teeth are white
    assert lower.median() < 0.8 * upper.quantile(0.95)
    assert lower.quantile(0.1) > throat


def test_nothing_of_the_throat_hangs_below_the_upper_teeth(renderer):
    """Texels of the upper plate that are lower than its teeth's edges, within the mouth's width."""
    rgba = renderer.mouth.upper_plate.rgba
    bright = rgba[:3].mean(0) > 0.6 * 255
    rows = torch.arange(rgba.shape[1])[:, None].expand_as(bright)
    lowest_tooth = rows[bright & (rgba[3] > 0.9)].max()
    assert not (rgba[3, lowest_tooth + 3 :] > 0.5).any()


def test_the_lips_throw_a_shadow_on_what_is_behind_them(renderer):
    hole = torch.zeros(1, 1, 60, 60)
    hole[:, :, 20:45, 10:50] = 1
    light = renderer.mouth._light(hole)[0, 0, :, 30]
    assert light[20] < 0.8 * light[33]
    assert light[44] < light[33]
    assert light[20] < light[44]
