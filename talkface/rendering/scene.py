"""The geometry of a batch of frames: which place of the portrait every pixel shows, and how to get there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from talkface.rendering.sampling import Area
from talkface.rendering.sheet import Fields, Sheet, cell_centres
from talkface.rendering.view import View
from talkface.space import MotionSpace

STRIP_PX = 32  # rows of pixels: so much of the portrait stays in a CPU's cache from one frame of the batch to the next


class Enlargement:
    """From cells to pixels, bilinearly as `F.interpolate` does it, in strips of rows.

    Args:
        cells: rows and columns.
        area: the pixels that they cover.
        device: where to compute.
    """

    def __init__(self, cells: tuple[int, int], area: Area, device: torch.device) -> None:
        self.area = area
        rows, columns = _weights(cells[0], area.height), _weights(cells[1], area.width)
        self.columns = columns.T.contiguous().to(device)
        self.strips = []
        for first in range(0, area.height, STRIP_PX):
            weights = rows[first : first + STRIP_PX]
            used = np.flatnonzero(weights.any(0).numpy())
            needed = slice(int(used[0]), int(used[-1]) + 1)
            pixels = slice(area.top + first, area.top + first + len(weights))
            self.strips.append((pixels, needed, weights[:, needed].contiguous().to(device)))

    def strips_of(self, cells: torch.Tensor) -> Iterator[tuple[slice, torch.Tensor]]:
        """The rows of pixels of each strip, and what cells (B, C, h, w) say there, (B, C, rows, W)."""
        wide = cells @ self.columns
        for pixels, needed, weights in self.strips:
            yield pixels, weights @ wide[:, :, needed]

    def at(self, cells: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        """What cells (B, C, h, w) say at the pixels of rows (B, H, 1) and columns (B, 1, W): (B, C, H, W)."""
        y = (rows - self.area.top + 0.5) * (2 / self.area.height) - 1
        x = (columns - self.area.left + 0.5) * (2 / self.area.width) - 1
        grid = torch.stack(torch.broadcast_tensors(x, y), -1)
        return F.grid_sample(cells, grid, padding_mode="border", align_corners=False)


def _weights(cells: int, pixels: int) -> torch.Tensor:
    """(pixels, cells): how each pixel along one side is made of cells."""
    return F.interpolate(torch.eye(cells)[None], size=pixels, mode="linear", align_corners=False)[0].T


@dataclass(frozen=True)
class Window:
    """The part of the canvas that can move, in whole cells of the sheet.

    Attributes:
        rows, columns: the cells.
        cell_px: pixels a cell.
    """

    rows: slice
    columns: slice
    cell_px: int

    @property
    def area(self) -> Area:
        """Its pixels."""
        (top, bottom), (left, right) = (
            (cells.start * self.cell_px, cells.stop * self.cell_px) for cells in (self.rows, self.columns)
        )
        return Area(top, left, bottom - top, right - left)


def moving_window(fields: Fields, size: int) -> Window:
    """Where rigidity or basis are not zero, with a margin of two cells, on a canvas of `size` pixels a side."""
    moves = (fields.rigidity > 1e-3).any(-1) | (np.abs(fields.basis).max((0, 3)) > 1e-3)
    cells = len(moves)
    bounds = []
    for axis in (1, 0):
        where = np.flatnonzero(moves.any(axis))
        bounds.append(slice(max(0, int(where[0]) - 2), min(cells, int(where[-1]) + 3)))
    return Window(*bounds, size // cells)


class Stage:
    """What all scenes of one portrait share.

    Args:
        head: the sheet of the moving window.
        view: what a frame shows of the canvas.
        window: that window.
        device: where to compute.
    """

    def __init__(self, head: Sheet, view: View, window: Window, device: torch.device) -> None:
        self.head, self.view = head, view
        cells = view.frame_px // window.cell_px
        self.along = torch.from_numpy(cell_centres(view.frame_px, cells)).to(device)
        self.window = Enlargement(tuple(head.centres.shape[1:]), window.area, device)
        self.whole = Enlargement((cells, cells), Area(0, 0, view.frame_px, view.frame_px), device)


class Scene:
    """One batch of frames.

    Attributes:
        is_window: only the moving window of a plain view is drawn.
        area: the pixels that are drawn.
        nearest: smallest head distance of the batch.
    """

    def __init__(self, stage: Stage, values: np.ndarray, flow: torch.Tensor) -> None:
        self.head, self.view, self.flow = stage.head, stage.view, flow
        self.distances = np.asarray(values, np.float64)[:, MotionSpace.index("headDistance")]
        self.nearest = float(self.distances.min())
        self.is_window = self.view.is_plain(self.distances)
        if self.is_window:
            self.enlargement = stage.window
            target = self.head.centres.expand_as(flow)
            start = target - flow
        else:
            self.enlargement = stage.whole
            along = stage.along.expand(len(values), -1)
            target = self.target(along, along)
            start = target - self.head.sample(flow, target)
        self.area = self.enlargement.area
        self.cells = self.head.invert(flow, target, start)

    def places(self, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        """Canvas positions (B, 2, h, w) that the pixels of rows (B, h, 1) and columns (B, 1, w) show."""
        return self.enlargement.at(self.cells, rows, columns)

    def target(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Canvas positions (B, 2, h, w) of the frame positions x (B, w) times y (B, h)."""
        if not self.is_window:
            x, y = self._to_canvas(x, 0), self._to_canvas(y, 1)
        return torch.stack(torch.broadcast_tensors(x[:, None, :], y[:, :, None]), 1)

    def _to_canvas(self, along: torch.Tensor, axis: int) -> torch.Tensor:
        pairs = zip(along, self.distances.tolist(), strict=True)
        return torch.stack([self.view.to_canvas(row, distance, axis) for row, distance in pairs])

    def follow(self, place: torch.Tensor) -> torch.Tensor:
        """The frame position (B, 2) that a portrait position (2,) gets."""
        here = place.view(1, 2, 1, 1).expand(len(self.flow), 2, 1, 1)
        return self.in_frame(place + self.head.sample(self.flow, here)[:, :, 0, 0])

    def in_frame(self, moved: torch.Tensor) -> torch.Tensor:
        """The frame positions (B, 2) of canvas positions (B, 2)."""
        return moved if self.is_window else self.view.to_frame(moved, self.distances)
