"""Patches, means and tables: against plain slices, torch's pooling and numpy's interpolation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from talkface.rendering.sampling import Area, Patch, box_mean, read_tables


@pytest.fixture
def frames() -> torch.Tensor:
    return torch.randint(0, 256, (2, 20, 30, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_a_patch_is_read_and_written_where_it_lies_in_each_frame(frames):
    patch = Patch(Area(0, 0, 20, 30), torch.tensor([3, 11]), torch.tensor([2, 7]), height=5, width=8)
    seen = patch.read(frames)
    for k, (x, y) in enumerate([(3, 2), (11, 7)]):
        assert torch.equal(seen[k].movedim(0, -1), frames[k, y : y + 5, x : x + 8].float())
    before = frames.clone()
    patch.write(frames, torch.full((2, 3, 5, 8), 99.6))
    assert (patch.read(frames) == 100).all()
    assert (frames != before).any(-1).sum() <= 2 * 5 * 8


def test_a_patch_never_leaves_the_area(frames):
    before = frames.clone()
    patch = Patch(Area(4, 6, 10, 12), torch.tensor([-5, 15]), torch.tensor([-5, 12]), height=9, width=9)
    patch.write(frames, torch.zeros(2, 3, 9, 9))
    frames[:, 4:14, 6:18] = before[:, 4:14, 6:18]
    assert torch.equal(frames, before)


@pytest.mark.parametrize("size", [1, 2, 7])
def test_box_means_are_poolings(size):
    values = torch.rand(2, 3, 16, 12, generator=torch.Generator().manual_seed(1))
    pooled = F.avg_pool2d(values, size, 1)
    torch.testing.assert_close(box_mean(box_mean(values, size, 2), size, 3), pooled)


def test_tables_are_read_linearly_and_held_at_their_ends():
    tables = torch.rand(3, 9, generator=torch.Generator().manual_seed(2))
    position = torch.linspace(-3, 12, 40).view(1, 1, 5, 8)
    for table, values in zip(tables, read_tables(tables, position), strict=True):
        assert values.shape == position.shape
        expected = np.interp(position.numpy(), np.arange(9), table.numpy())
        np.testing.assert_allclose(values.numpy(), expected, atol=2e-3)  # the last thousandth is not reached
