"""The mouth's inside: painted plates, and light that falls in between the lips."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from talkface.rendering.lips import TABLE, lip_line
from talkface.rendering.mouth import LINE, ON_LIP_PX, OWN_MARGIN_PX, _mended
from talkface.rendering.plates import _lowering
from talkface.rendering.renderer import Renderer
from talkface.space import MotionSpace
from tests.test_rendering_lip_edges import landmarks
from tests.test_rendering_renderer import pose


@pytest.fixture(scope="module")
def renderer(analysis) -> Renderer:
    return Renderer(analysis.image, analysis.fit, analysis.crop, size=256)


def test_teeth_are_brighter_than_the_tongue_and_the_tongue_than_the_throat(renderer):
    plates = [plate.layers for plate in (renderer.mouth.upper_plate, renderer.mouth.lower_plate)]
    upper, lower = (rgba[:3, rgba[3] > 0.9].mean(0) for rgba in plates)
    throat = renderer.mouth.throat.mean()
    assert upper.quantile(0.95) > 0.75 * 255  # the example's own teeth are white
    assert lower.median() < 0.8 * upper.quantile(0.95)
    assert lower.quantile(0.1) > throat


def test_nothing_of_the_throat_hangs_below_the_upper_teeth(renderer):
    """Texels of the upper plate that are lower than its teeth's edges, within the mouth's width."""
    rgba = renderer.mouth.upper_plate.layers
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


def test_the_teeth_stand_at_the_lips(renderer, analysis):
    """Far behind them they would slide sideways when the head turns, and be hidden when it looks down."""
    lip = analysis.fit.mesh.neutral[analysis.fit.mesh.upper_lip]
    lip = lip[np.abs(lip[:, 0]) < 0.8] @ analysis.fit.rotation.T + analysis.fit.translation
    nearest = float(renderer.mouth.upper_plate.anchors[:, 2].max())
    assert -0.5 < nearest - lip[:, 2].mean() < 0.2


def test_a_slit_is_darker_than_an_open_mouth(renderer):
    hole = torch.zeros(1, 1, 60, 60)
    slit_px = max(1, round(0.03 * renderer.mouth.length))
    hole[:, :, 25 : 25 + slit_px, :30] = 1
    hole[:, :, 15:50, 30:] = 1
    light = renderer.mouth._light(hole)[0, 0]
    assert light[25 : 25 + slit_px, 15].max() < 0.6 * light[32, 45]


def test_the_shade_of_lips_is_red_in_colour_and_grey_in_grey(renderer, analysis):
    grey = np.repeat(analysis.image.mean(-1, keepdims=True), 3, -1).astype(np.uint8)
    printed = Renderer(grey, analysis.fit, analysis.crop, size=256)
    red, green, blue = (0.5**renderer.mouth.flush).flatten().tolist()
    assert red > 1.15 * green and red > 1.15 * blue
    assert (0.5**printed.mouth.flush).flatten().tolist() == pytest.approx([0.5] * 3, abs=0.02)


def test_at_rest_the_own_mouth_reaches_behind_the_lips(analysis):
    """Else a dark rim of what is painted would show where a lip's soft edge lies over it."""
    mouth = Renderer(analysis.image, analysis.fit, analysis.crop, size=256).mouth
    mouth.edges[1] += 12
    middle = mouth.corner + mouth.axes[0] * mouth.length / 2
    edges = mouth.edges[:, TABLE // 2]
    depths = torch.linspace(float(edges[0]) - 1, float(edges[1]) + 1, 15)
    target = (middle[:, None] + mouth.axes[1][:, None] * depths)[None, :, :, None]
    still = torch.eye(3)[None], torch.zeros(1, 3)
    shares = [mouth._own_upper(torch.zeros(3, 8, 8), target, torch.full((1, 1), s), *still)[1] for s in (0.0, 1.0)]
    assert (shares[0] == 1).all()
    assert (shares[1][:, :, depths > edges[1] - OWN_MARGIN_PX / 2] < 0.5).all()


class Shifted:
    """A sheet that moves everything by two pixels to the right."""

    def sample(self, flow, place):
        return torch.tensor([2.0, 0.0]).view(1, 2, 1, 1).expand_as(place)


def test_places_that_were_not_found_are_taken_from_their_neighbours():
    y, x = torch.meshgrid(torch.arange(20.0), torch.arange(20.0), indexing="ij")
    target = torch.stack([x, y])[None]
    true = target - torch.tensor([2.0, 0.0]).view(1, 2, 1, 1)
    found = true.clone()
    found[0, :, 8:12, 9:11] += 25
    torch.testing.assert_close(_mended(Shifted(), None, true, target), true)
    torch.testing.assert_close(_mended(Shifted(), None, found, target), true, rtol=0, atol=0.1)


def test_no_mouth_is_darker_than_the_print_it_is_drawn_in(analysis):
    faded = np.repeat(70 + 0.6 * analysis.image.mean(-1, keepdims=True), 3, -1).astype(np.uint8)
    renderer = Renderer(faded, analysis.fit, analysis.crop, size=256)
    motion = np.zeros((1, MotionSpace.size), np.float32)
    motion[0, MotionSpace.columns("headDistance", "speaking")] = 1
    motion[0, MotionSpace.index("jawOpen")] = 0.6
    assert renderer.draw(motion).min() > 0.7 * faded.min()


@pytest.mark.parametrize("off_px", [-6, 0, 7])
def test_the_incisors_are_seen_as_far_wherever_the_model_has_its_teeth(off_px):
    line = lip_line(landmarks(0, 0))
    teeth = np.stack([np.linspace(100, 120, 9), np.full(9, 100.0 + off_px)], 1)
    assert off_px + _lowering(teeth, line, edge_v=4.0) == pytest.approx(4.0)


def test_the_line_between_closed_lips_is_left_as_they_part(analysis):
    """Next to the lower lip's edge its own skin is shown instead of the dark line; farther away nothing changes."""
    mouth = Renderer(analysis.image, analysis.fit, analysis.crop, size=256).mouth
    middle = mouth.corner + mouth.axes[0] * mouth.length / 2
    edge = middle + mouth.axes[1] * mouth.edges[1, TABLE // 2]
    depths = torch.linspace(0, 0.2 * mouth.length, 9)
    places = (edge[:, None] + mouth.axes[1][:, None] * depths)[None, :, :, None]
    shut, parted = (mouth._off_line(places, torch.full((1, 65), gap), 1) for gap in (0.0, 20.0))
    moved = ((parted - places)[0, :, :, 0] * mouth.axes[1][:, None]).sum(0)
    assert torch.equal(shut, places)
    assert moved[0] == pytest.approx(LINE * mouth.length, rel=0.05)
    assert (moved.diff() <= 1e-4).all() and moved[-1] == pytest.approx(0, abs=1e-4)
    assert ((depths + moved).diff() > 0).all()


def test_a_lip_that_was_parted_shows_nothing_past_its_edge_while_it_speaks(renderer):
    """Near the edge all places are the lip's own; in a portrait at rest, and far from the edge, none is moved."""
    mouth = renderer.mouth
    edge = mouth.corner + mouth.axes[0] * mouth.length / 2 + mouth.axes[1] * mouth.edges[0, TABLE // 2]
    past = torch.tensor([-9.0, -0.5, 0.0, 2.0, 40.0])
    places = (edge[:, None] + mouth.axes[1][:, None] * past)[None, :, :, None]
    speaks, rests = (mouth._on_lip(places, torch.full((1, 1), share), 0) for share in (1.0, 0.0))
    assert torch.equal(rests, places)
    height = ((speaks - edge.view(1, 2, 1, 1))[0, :, :, 0] * mouth.axes[1][:, None]).sum(0)
    torch.testing.assert_close(height, torch.tensor([-9.0, *[-ON_LIP_PX] * 3, 40.0]), rtol=0, atol=0.1)


def test_below_a_lowered_chin_the_mouth_changes_nothing(analysis, monkeypatch):
    """There the patch shows places that its sheets do not reach: a collar would tear at its border."""
    renderer = Renderer(analysis.image, analysis.fit, analysis.crop, size=512)
    nods = np.concatenate([pose(headPitch=-10, headYaw=yaw, speaking=1) for yaw in (-12, 0, 12)])
    whole = renderer.draw(nods).astype(int)
    monkeypatch.setattr(renderer.mouth, "draw", lambda *_: None)
    head = renderer.draw(nods).astype(int)
    chin = int((analysis.fit.landmarks[152, 1] - analysis.crop.y0) * renderer.size / analysis.crop.size)
    neck = np.s_[:, chin + renderer.size // 16 :]
    assert np.abs(whole - head)[neck].max() <= 8
