"""Sampling: DDIM over any function that guesses the clean motion, and guidance as a wrapper around such a function."""

from __future__ import annotations

from collections.abc import Callable

import torch

from talkface.motion.schedule import timesteps

Denoise = Callable[[torch.Tensor, int], torch.Tensor]
"""(x_t (B, T, M), t) -> the clean x_0 it guesses, of the same shape."""


def ddim(denoise: Denoise, noise: torch.Tensor, kept: torch.Tensor, steps: int) -> torch.Tensor:
    """Walk from `noise` (B, T, M) to clean motion in `steps` deterministic steps (Song et al. 2021, eq. 12, sigma 0).

    Args:
        denoise: guesses x_0 from x_t.
        noise: standard normal, the only source of chance.
        kept: (N,) alpha-bar of the schedule.
        steps: how many times `denoise` is called.
    """
    x, path = noise, timesteps(steps, len(kept))
    for step, following in zip(path, [*path[1:], None], strict=True):
        clean = denoise(x, step)
        if following is None:
            return clean
        left, left_next = kept[step], kept[following]
        remaining = (x - left.sqrt() * clean) / (1 - left).sqrt()
        x = left_next.sqrt() * clean + (1 - left_next).sqrt() * remaining
    raise AssertionError("timesteps() gives at least one step")


def guided(denoise: Denoise, weights: torch.Tensor) -> Denoise:
    """Several guesses under different conditions as one `Denoise`.

    x_0 = sum_p w_p f(x_t, conditions p)

    `denoise` takes a batch (P * B, T, M) of all B sequences under the first condition, then under the second and so on,
    so that the passes run together; `weights` (P, B, M), for every sequence and axis its own, sum to 1 over p.
    Classifier-free guidance by several conditions at once (VASA-1, eq. 3),
    x_0 = (1 + sum_c lambda_c) f(x_t, all) - sum_c lambda_c f(x_t, all but c), is w = (1 + sum lambda, -lambda_1, ...).
    """
    count = len(weights)

    def blend(x: torch.Tensor, step: int) -> torch.Tensor:
        guesses = denoise(x.repeat(count, 1, 1), step)
        return (weights[:, :, None] * guesses.view(count, *x.shape)).sum(0)

    return blend


def in_turn(early: Denoise, late: Denoise, turn: int) -> Denoise:
    """`early` from pure noise down to step `turn`, `late` below it."""
    return lambda x, step: (early if step >= turn else late)(x, step)


def mixed(
    denoise: Denoise, owner: torch.Tensor, shares: torch.Tensor, apart: torch.Tensor, kept: torch.Tensor
) -> Denoise:
    """Sequences that are each a mixture of guesses, frame by frame.

    x_0 = sum_n s_n (f_n(x_t + sqrt(alpha-bar_t) d_n) - d_n)

    Args:
        denoise: takes N sequences, of which number n is a guess for sequence `owner[n]`.
        owner: (N,).
        shares: s (N, T), of the guesses for one sequence; they sum to 1 in every frame.
        apart: d (N, T, M), what guess n has beyond the mixture: it is shown the sequence as if all of it were its own.
        kept: (S,) alpha-bar of the schedule.
    """

    def mix(x: torch.Tensor, step: int) -> torch.Tensor:
        members = (owner == torch.arange(len(x), device=x.device)[:, None]).to(shares.dtype)
        guesses = shares[..., None] * (denoise(x[owner] + kept[step].sqrt() * apart, step) - apart)
        return (members @ guesses.flatten(1)).view_as(x)

    return mix
