"""The edges of moved lips: round or shut corners, soft lines, and where lips meet."""

from __future__ import annotations

import pytest
import torch

from talkface.rendering.moved_edges import SHUT, MovedEdges, _shut


def moved_edges(corner_gap_px: float) -> MovedEdges:
    """Both edges of a mouth 80 pixels wide and 60 open, whose right corner is torn apart by `corner_gap_px`."""
    x = torch.linspace(0, 80, 65)
    half = 30 * (torch.pi * x / 80).sin() + corner_gap_px / 2 * x / 80
    return MovedEdges(*(torch.stack([x, 50 + sign * half])[None] for sign in (-1, 1)))


def test_lips_that_hardly_part_are_shut():
    half = torch.tensor([0.0, 0.1, 0.2, 0.5, 1.0, 10.0])
    heights = torch.stack([3 - half, 3 + half])[None]
    gap = _shut(heights, torch.tensor(100 * SHUT)).diff(dim=1)[0, 0]
    assert (gap[:3] < 0.3 * 2 * half[:3] + 1e-6).all()
    torch.testing.assert_close(gap[4:], 2 * half[4:])
    assert (gap.diff() > 0).all()
    torch.testing.assert_close(_shut(heights, torch.tensor(1.8)).mean(1), heights.mean(1))


def test_a_corner_that_is_torn_apart_is_round():
    gap = -torch.diff(moved_edges(30).heights.flip(1), dim=1)[0, 0]
    torn = 60 * (torch.pi * torch.linspace(0, 1, 65)).sin() + 30 * torch.linspace(0, 1, 65)
    assert gap[-1].abs() < 1e-3
    assert 0.3 * torn[-3] < gap[-3] < 0.9 * torn[-3]
    torch.testing.assert_close(gap[:48], torn[:48], rtol=0, atol=1e-3)


def test_a_corner_shuts_with_the_lips():
    """What the flow tears apart beyond the outermost place where the lips' opening is kept true."""
    x = torch.linspace(0, 80, 65)
    torn = 6 * (1 - x / 4).clamp_min(0)
    edges = MovedEdges(*(torch.stack([x, 50 + sign * torn])[None] for sign in (-1, 1)))
    assert edges.heights.diff(dim=1).abs().max() < 1e-3


def test_corners_that_meet_are_left_as_they_are():
    heights = moved_edges(0).heights[0]
    expected = 30 * (torch.pi * torch.linspace(0, 1, 65)).sin()
    torch.testing.assert_close(heights, torch.stack([-expected, expected]), rtol=0, atol=1e-3)


def test_steep_edges_are_as_soft_as_level_ones():
    """Coverage falls with the distance across the edge: a slope of 4 spreads it over 4 pixels along the vertical."""
    x = torch.linspace(0, 80, 65)
    ramp = 50 + 4 * (40 - (x - 40).abs())  # both lips meet along a steep roof
    edges = MovedEdges(*(torch.stack([x, ramp])[None] for _ in range(2)))
    y = torch.arange(100.0, 160.0)
    target = torch.stack(torch.meshgrid(torch.tensor([20.0]), y, indexing="xy"))[None]
    upper, lower, _ = edges.shows(target, 2.0)
    assert 3 <= int(((upper > 0) & (upper < 1)).sum()) <= 5
    torch.testing.assert_close(upper + lower, torch.ones_like(upper))


def test_lips_meet_in_a_line_that_goes_as_they_part():
    column = torch.stack(torch.meshgrid(torch.tensor([40.0]), torch.arange(40.0, 61.0), indexing="xy"))[None]

    def line(gap: float) -> torch.Tensor:
        x = torch.linspace(0, 80, 65)
        half = gap / 2 * (torch.pi * x / 80).sin()
        edges = MovedEdges(*(torch.stack([x, 50 + sign * half])[None] for sign in (-1, 1)))
        return edges.shows(column, 2.0)[2][0, 0, :, 0]

    shut = line(0.0)
    assert shut[10] == pytest.approx(1) and shut[:8].max() == 0 and shut[13:].max() == 0
    assert 0 < line(1.0).max() < shut.max() and line(3.0).max() == 0


def test_both_lips_become_one_beyond_the_corners_gradually():
    target = torch.stack(torch.meshgrid(torch.arange(80.0, 100.0), torch.tensor([45.0]), indexing="xy"))[None]
    upper, lower = (cover[0, 0, 0] for cover in moved_edges(0).shows(target, 2.0)[:2])
    torch.testing.assert_close(upper, torch.ones(20))
    assert lower[0] < 0.05 and lower[-1] == 1
    assert lower.diff().max() < 0.15
