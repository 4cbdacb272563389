"""Where to compute, and where randomness comes from."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from talkface.errors import EnvironmentFailure

if TYPE_CHECKING:
    import torch

DRAWN_SEED_LIMIT = 2**32


def pick_device(name: str) -> torch.device:
    """The torch device for "auto" (CUDA where there is one), "cpu" or "cuda".

    Raises EnvironmentFailure when CUDA is asked for and there is none.
    """
    import torch

    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise EnvironmentFailure(
            "CUDA was asked for, but PyTorch finds no CUDA device.", "Use --device auto or --device cpu."
        )
    return torch.device("cuda")


def device_label(device: torch.device) -> str:
    """A name for people: "cpu", or the graphics card's."""
    import torch

    return f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type


def draw_seed() -> int:
    """A fresh seed, short enough to type."""
    return secrets.randbelow(DRAWN_SEED_LIMIT)
