"""What the motion model is asked to get right: the clean motion, how it moves, and above all what the lips do.

All terms are squared errors, so all have the same best answer, the mean of what is possible; the weights say where
accuracy is worth most. Errors count where the motion was observed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from talkface.motion.conditions import AXES
from talkface.motion.denoiser import Denoiser
from talkface.motion.mouth import OPENING_PER_UNIT, PRESSED, WIDTH_PER_UNIT
from training.motion_batches import Batch

AXIS_WEIGHTS = {"headX": 0.4, "headY": 0.4, "headDistance": 0.3, "gazeYaw": 0.7, "gazePitch": 0.7,
                "eyeBlinkLeft": 3.0, "eyeBlinkRight": 3.0, "jawOpen": 1.5, "mouthClose": 1.5, "tongueOut": 0.2,
                "jawLeft": 0.2, "jawRight": 0.2, "cheekPuff": 0.2}  # fmt: skip
OTHER_WEIGHT = 0.7
TERMS = {"value": 1.0, "velocity": 0.3, "acceleration": 0.05, "opening": 1.0, "width": 0.5}
CLOSURE_WEIGHT = 4.0
LEAST_RATE = 0.1
ROLLED = 0.55
"""mouthRollLower of a lip tucked under the teeth."""


def functional(per_unit: dict[str, float]) -> torch.Tensor:
    """(M,) what one unit of every axis adds to an opening or a width; sides share what is given for a pair."""
    out = torch.zeros(len(AXES))
    for name, size in per_unit.items():
        for side in (name,) if name in AXES else (name + "Left", name + "Right"):
            out[AXES.index(side)] = size / (1 if name in AXES else 2)
    return out


@dataclass(frozen=True)
class Spreads:
    """Statistics of the training motion in real units: `axis`, `velocity`, `acceleration` (M,), `opening`, `width`."""

    mean: torch.Tensor
    axis: torch.Tensor
    velocity: torch.Tensor
    acceleration: torch.Tensor
    opening: float
    width: float

    def to(self, device: torch.device) -> Spreads:
        """The same on another device."""
        tensors = (self.mean, self.axis, self.velocity, self.acceleration)
        return Spreads(*(t.to(device) for t in tensors), self.opening, self.width)


def measure_spreads(batch: Batch, net: Denoiser) -> Spreads:
    """Statistics of a large batch; an axis that hardly moves counts as moving a tenth of its spread per frame."""
    mean, axis = net.axis_mean.cpu(), net.axis_spread.cpu()
    rates = []
    for order in (1, 2):
        seen, rate = batch.weight[:, order:], batch.clean.diff(order, dim=1)
        rates.append(((rate.square() * seen).sum((0, 1)) / seen.sum((0, 1)).clamp_min(1)).sqrt().clamp_min(LEAST_RATE))
    frames = batch.weight[..., AXES.index("jawOpen")] > 0
    amounts = (((batch.clean * axis) @ functional(table))[frames] for table in (OPENING_PER_UNIT, WIDTH_PER_UNIT))
    opening, width = (max(float(amount.std()), 1e-3) for amount in amounts)
    return Spreads(mean, axis, *rates, opening, width)


def losses(guess: torch.Tensor, clean: torch.Tensor, weight: torch.Tensor, spreads: Spreads) -> dict[str, torch.Tensor]:
    """Every term of `TERMS` for guesses and truths (B, W, M), weight (B, W, M) 1 where known."""
    axis_weight = torch.tensor([AXIS_WEIGHTS.get(name, OTHER_WEIGHT) for name in AXES], device=clean.device)
    error = guess - clean
    closed = closure(clean * spreads.axis + spreads.mean) * weight[..., AXES.index("mouthPressLeft")]
    found = {"value": mean_square(error, weight * axis_weight)}
    for order, name in ((1, "velocity"), (2, "acceleration")):
        both = weight[:, order:] * axis_weight
        found[name] = mean_square(error.diff(order, dim=1) / getattr(spreads, name), both)
    for name, table, spread in (
        ("opening", OPENING_PER_UNIT, spreads.opening),
        ("width", WIDTH_PER_UNIT, spreads.width),
    ):
        amounts = functional(table).to(clean.device)
        seen = weight[..., AXES.index("jawOpen")] * (1 + CLOSURE_WEIGHT * closed)
        found[name] = mean_square((error * spreads.axis) @ amounts / spread, seen)
    return found


def closure(motion: torch.Tensor) -> torch.Tensor:
    """How far the lips are pressed or tucked (B, W), 0-1, in motion (B, W, M) in real units."""
    pressed, rolled = (motion[..., AXES.index(name)] for name in ("mouthPressLeft", "mouthRollLower"))
    return torch.maximum(pressed / PRESSED, rolled / ROLLED).clamp(0, 1)


def mean_square(error: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Weighted mean of squares."""
    return (error.square() * weight).sum() / weight.sum().clamp_min(1)


def total(terms: dict[str, torch.Tensor]) -> torch.Tensor:
    """The sum of the terms by their weights."""
    return sum(TERMS[name] * value for name, value in terms.items())
