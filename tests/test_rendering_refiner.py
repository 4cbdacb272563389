"""The refiner corrects what was painted behind the lips, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from talkface.rendering.refiner import CROP_PX, CropFrame, Refiner, reach, refine
from talkface.rendering.renderer import Renderer
from tests.test_rendering_renderer import mouth_middle, pose


class Brighten(torch.nn.Module):
    """Stands for the network: brightens all it may."""

    def forward(self, picture: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
        return reach(masks).expand_as(picture)


def mouth(angle: float = 0.0, length: float = 80.0) -> CropFrame:
    along = torch.tensor([[np.cos(angle), np.sin(angle)]], dtype=torch.float32)
    return CropFrame(torch.tensor([[25.0, 50.0]]), along, length)


def canvas(rows: int = 130, columns: int = 140, left: float = 3.0) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(float(rows)), torch.arange(float(columns)) + left, indexing="ij")
    return torch.stack([x, y])[None]


@pytest.mark.parametrize("angle", [0.0, 0.3])
def test_places_and_grid_are_inverse(angle):
    grid = mouth(angle).grid(mouth(angle).places())[0]
    rows, columns = CROP_PX
    torch.testing.assert_close(grid[5, :, 0], (torch.arange(columns) + 0.5) / columns * 2 - 1, atol=1e-4, rtol=0)
    torch.testing.assert_close(grid[:, 5, 1], (torch.arange(rows) + 0.5) / rows * 2 - 1, atol=1e-4, rtol=0)


def test_where_nothing_is_painted_nothing_changes():
    torch.manual_seed(0)
    net = Refiner()
    torch.nn.init.normal_(net.out.weight)
    target = canvas()
    colour = torch.rand(1, 3, *target.shape[2:]) * 255
    assert torch.equal(refine(net, colour, torch.zeros_like(colour), target, mouth()), colour)


def test_the_correction_lands_on_what_was_painted():
    target = canvas()
    painted, colour = torch.zeros(1, 3, *target.shape[2:]), torch.full((1, 3, *target.shape[2:]), 100.0)
    painted[:, :, 60:75, 40:90] = 1
    change = (refine(Brighten(), colour, painted, target, mouth(0.1)) - colour)[0, 0]
    assert change[62:73, 42:88].min() > 100
    far = torch.nn.functional.max_pool2d(painted[:, :1], 15, 1, 7)[0, 0] == 0
    assert change[far].abs().max() < 1e-3
    rows, columns = torch.nonzero(change > change.max() / 2, as_tuple=True)
    assert abs(float(rows.float().mean()) - 67) < 0.7
    assert abs(float(columns.float().mean()) - 64.5) < 0.7


def test_only_the_mouth_of_an_open_mouth_is_touched(analysis, monkeypatch):
    refined = Renderer(analysis.image, analysis.fit, analysis.crop, size=256)
    monkeypatch.setattr(Refiner, "load", classmethod(lambda cls: cls()))  # a fresh network corrects nothing
    plain = Renderer(analysis.image, analysis.fit, analysis.crop, size=256)
    np.testing.assert_array_equal(refined.draw(pose()), plain.draw(pose()))
    values = pose(jawOpen=0.4, speaking=1)
    change = np.abs(refined.draw(values)[0].astype(int) - plain.draw(values)[0]).max(-1)
    x, y = mouth_middle(refined)
    rows, columns = np.nonzero(change)
    reach_px = refined.mouth.length
    assert change.max() > 3
    assert np.abs(columns - x).max() < 0.6 * reach_px
    assert np.abs(rows - y).max() < 0.8 * reach_px
    assert (change > 0).mean() < 0.05


def test_the_correction_is_the_same_in_every_place_and_size_of_batch():
    net, target = Refiner.load(), canvas()
    torch.manual_seed(1)
    colour, painted = torch.rand(2, 3, *target.shape[2:]) * 255, torch.rand(2, 3, *target.shape[2:])
    frame = CropFrame(mouth().corner.expand(2, 2), mouth().along.expand(2, 2), 80.0)
    with torch.inference_mode():
        together = refine(net, colour, painted, target.expand(2, -1, -1, -1), frame)
        alone = refine(net, colour[1:], painted[1:], target, mouth())
    torch.testing.assert_close(together[1:], alone, atol=0.05, rtol=0)


@pytest.mark.parametrize(("tint", "stays_grey"), [(0.0, True), (30.0, False)])
def test_a_black_and_white_mouth_stays_black_and_white(tint, stays_grey):
    torch.manual_seed(0)
    net = Refiner()
    torch.nn.init.normal_(net.out.weight)
    target = canvas()
    colour = torch.full((1, 3, *target.shape[2:]), 100.0)
    colour[:, 0] += tint
    refined = refine(net, colour, torch.ones_like(colour), target, mouth())
    assert (refined - colour).abs().max() > 5
    assert bool((refined - refined.mean(1, keepdim=True)).abs().max() < 1) == stays_grey
