"""Small tensor operations that every part of the renderer shares."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def sample_texture(texture: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    """Read the doubled portrait (C, 2S, 2S) at canvas positions (B, 2, H, W): (B, C, H, W)."""
    batch, side = len(place), texture.shape[-1]
    grid = (place * (4 / (side - 1)) - 1).movedim(1, -1)
    return F.grid_sample(texture.expand(batch, -1, -1, -1), grid, padding_mode="border", align_corners=True)


def sample_plate(plate: torch.Tensor, texels: torch.Tensor) -> torch.Tensor:
    """Read a picture (C, h, w) at texel positions (B, 2, H, W), zero outside: (B, C, H, W)."""
    height, width = plate.shape[-2:]
    scale = torch.tensor([2 / (width - 1), 2 / (height - 1)], device=plate.device).view(1, 2, 1, 1)
    grid = (texels * scale - 1).movedim(1, -1)
    return F.grid_sample(plate.expand(len(texels), -1, -1, -1), grid, padding_mode="zeros", align_corners=True)


def patch_indices(size, left, top, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Row and column numbers (B, h, 1), (B, 1, w) of patches, clamped to a picture of `size` (H, W)."""
    device = left.device
    rows = (top[:, None] + torch.arange(height, device=device)).clamp(0, size[0] - 1)
    columns = (left[:, None] + torch.arange(width, device=device)).clamp(0, size[1] - 1)
    return rows[:, :, None], columns[:, None, :]
