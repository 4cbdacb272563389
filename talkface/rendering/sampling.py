"""Small tensor operations that every part of the renderer shares."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class Area:
    """A rectangle of pixels."""

    top: int
    left: int
    height: int
    width: int


def texture_grid(texture: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    """Where canvas positions (B, 2, H, W) lie in the doubled portrait (C, 2S, 2S): (B, 2, H, W), -1 to 1."""
    return place * (4 / (texture.shape[-1] - 1)) - 1


def sample_texture(texture: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    """Read the doubled portrait (C, 2S, 2S) at canvas positions (B, 2, H, W): (B, C, H, W)."""
    return sample_grid(texture, texture_grid(texture, place))


def sample_grid(texture: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """As `sample_texture`, at positions from `texture_grid`."""
    texture = texture.expand(len(grid), -1, -1, -1)
    return F.grid_sample(texture, grid.movedim(1, -1), padding_mode="border", align_corners=True)


def sample_plate(plate: torch.Tensor, texels: torch.Tensor) -> torch.Tensor:
    """Read a picture (C, h, w) at texel positions (B, 2, H, W), zero outside: (B, C, H, W)."""
    height, width = plate.shape[-2:]
    scale = torch.tensor([2 / (width - 1), 2 / (height - 1)], device=plate.device).view(1, 2, 1, 1)
    grid = (texels * scale - 1).movedim(1, -1)
    return F.grid_sample(plate.expand(len(texels), -1, -1, -1), grid, padding_mode="zeros", align_corners=True)


def read_tables(tables: torch.Tensor, position: torch.Tensor) -> list[torch.Tensor]:
    """Each of the tables (n, T) at fractional positions of any shape, held at its ends: n tensors of that shape."""
    position = position.clamp(0, tables.shape[1] - 1.001)
    low = position.long()
    index = low.flatten().expand(len(tables), -1)
    values = torch.lerp(tables.gather(1, index), tables.gather(1, index + 1), (position - low).flatten())
    return [row.view_as(position) for row in values]


def box_mean(values: torch.Tensor, size: int, dim: int) -> torch.Tensor:
    """Means of `size` neighbours along an axis, which gets shorter by `size` - 1 (many times faster than pooling)."""
    return values.unfold(dim, size, 1).mean(-1)


class Patch:
    """A rectangle of `height` x `width` pixels in each of B frames, at most what `area` allows.

    Args:
        area: the pixels that are drawn.
        left, top: (B,) first column and row of each rectangle; pixels beyond the area become its nearest ones.

    Attributes:
        rows, columns: (B, h, 1), (B, 1, w) of the pixels.
    """

    def __init__(self, area: Area, left: torch.Tensor, top: torch.Tensor, height: int, width: int) -> None:
        rows, columns = (torch.arange(size, device=left.device) for size in (height, width))
        self.rows = (top[:, None] + rows).clamp(area.top, area.top + area.height - 1)[:, :, None]
        self.columns = (left[:, None] + columns).clamp(area.left, area.left + area.width - 1)[:, None]

    def _index(self, frames: torch.Tensor) -> torch.Tensor:
        """(B, 3, h * w): which of a frame's pixels these are, for every channel."""
        return (self.rows * frames.shape[2] + self.columns).flatten(1)[:, None].expand(-1, 3, -1)

    def read(self, frames: torch.Tensor) -> torch.Tensor:
        """The pixels (B, 3, h, w) of frames (B, H, W, 3) uint8, as float32."""
        pixels = frames.flatten(1, 2).mT.gather(2, self._index(frames))
        return pixels.unflatten(2, (self.rows.shape[1], -1)).float()

    def write(self, frames: torch.Tensor, colour: torch.Tensor) -> None:
        """Put colours (B, 3, h, w), 0-255, into frames (B, H, W, 3) uint8, in place."""
        pixels = (colour + 0.5).to(torch.uint8).flatten(2)
        frames.flatten(1, 2).mT.scatter_(2, self._index(frames), pixels)
