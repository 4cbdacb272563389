"""From cells to pixels: the strips of an enlargement against torch's own interpolation."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from talkface.rendering.sampling import Area
from talkface.rendering.scene import STRIP_PX, Enlargement

CPU = torch.device("cpu")


@pytest.mark.parametrize(("cells", "pixels"), [((11, 9), (44, 36)), ((30, 10), (100, 25)), ((20, 20), (20, 20))])
def test_strips_make_the_whole_as_interpolate_does(cells, pixels):
    area = Area(5, 7, *pixels)
    values = torch.rand(2, 3, *cells, generator=torch.Generator().manual_seed(0)) * 500
    strips = list(Enlargement(cells, area, CPU).strips_of(values))
    assert [rows.start for rows, _ in strips] == list(range(5, 5 + pixels[0], STRIP_PX))
    assert strips[-1][0].stop == 5 + pixels[0]
    expected = F.interpolate(values, size=pixels, mode="bilinear", align_corners=False)
    torch.testing.assert_close(torch.cat([strip for _, strip in strips], 2), expected, atol=1e-3, rtol=0)


def test_single_pixels_are_those_of_the_whole():
    area = Area(5, 7, 44, 36)
    values = torch.rand(2, 2, 11, 9, generator=torch.Generator().manual_seed(0)) * 500
    whole = F.interpolate(values, size=(44, 36), mode="bilinear", align_corners=False)
    rows, columns = torch.tensor([[5, 20, 48], [6, 7, 8]]), torch.tensor([[7, 42], [30, 31]])
    seen = Enlargement((11, 9), area, CPU).at(values, rows[:, :, None], columns[:, None])
    for frame in range(2):
        expected = whole[frame][:, rows[frame] - 5][:, :, columns[frame] - 7]
        torch.testing.assert_close(seen[frame], expected, atol=1e-3, rtol=0)
