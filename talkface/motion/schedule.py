"""The noise schedule of the diffusion model: how much of the motion is left at every step, as pure functions.

Variable -> symbol: `alphas_cumprod[t]` -> alpha-bar_t of Ho et al. (2020): x_t = sqrt(alpha-bar_t) x_0 +
sqrt(1 - alpha-bar_t) noise.
"""

from __future__ import annotations

import math

import torch

DIFFUSION_STEPS = 1000
SLOWNESS = 8.0
"""Neighbouring frames of a head say nearly the same, so noise of a given size hides less of it; this many times more
noise power puts the steps where a motion's course is decided (Hoogeboom et al. 2023 shift pictures likewise)."""

_OFFSET = 0.008


def alphas_cumprod(count: int = DIFFUSION_STEPS) -> torch.Tensor:
    """The cosine schedule (count,) float32 of Nichol and Dhariwal (2021, eq. 17) with `SLOWNESS` times the noise power.

    The last value is exactly 0 (Lin et al. 2024), because sampling begins with pure noise.
    """
    time = torch.arange(1, count + 1, dtype=torch.float64) / count
    level = torch.cos((time + _OFFSET) / (1 + _OFFSET) * math.pi / 2).square()
    start = math.cos(_OFFSET / (1 + _OFFSET) * math.pi / 2) ** 2
    level = (level / start).clamp(0, 1)
    level[-1] = 0
    return (level / (level + SLOWNESS * (1 - level))).float()


def timesteps(count: int, total: int = DIFFUSION_STEPS) -> list[int]:
    """`count` steps out of `total` to sample at, from pure noise (total - 1) down ("trailing" spacing).

    Raises ValueError unless 1 <= count <= total.
    """
    if not 1 <= count <= total:
        raise ValueError(f"the number of sampling steps must be 1-{total}, got {count}")
    return [round(total * (count - i) / count) - 1 for i in range(count)]


def add_noise(clean: torch.Tensor, noise: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """x_t (B, T, M) from x_0 and noise of the same shape; `kept` (B,) is alpha-bar of each row."""
    kept = kept.view(-1, 1, 1)
    return kept.sqrt() * clean + (1 - kept).sqrt() * noise
