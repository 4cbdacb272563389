"""DDIM against closed forms, and guidance against its formula."""

import pytest
import torch

from talkface.motion.sampler import ddim, guided, in_turn, mixed
from talkface.motion.schedule import alphas_cumprod

KEPT = alphas_cumprod()


def gaussian(mean: float, spread: float):
    """The exact posterior mean for motion drawn from N(mean, spread^2)."""

    def denoise(x: torch.Tensor, step: int) -> torch.Tensor:
        left = KEPT[step]
        gain = left.sqrt() * spread**2 / (left * spread**2 + 1 - left)
        return mean + gain * (x - left.sqrt() * mean)

    return denoise


@pytest.mark.parametrize("steps", [1, 10, 50])
def test_a_known_motion_is_found_whatever_the_noise(steps):
    truth = torch.linspace(-1, 2, 24).view(1, 8, 3)
    noise = torch.randn(1, 8, 3, generator=torch.Generator().manual_seed(3))
    found = ddim(lambda x, step: truth, noise, KEPT, steps)
    torch.testing.assert_close(found, truth)


def test_many_steps_sample_the_distribution():
    noise = torch.randn(1, 4000, 1, generator=torch.Generator().manual_seed(0))
    made = ddim(gaussian(2.0, 0.5), noise, KEPT, 100)
    assert made.mean() == pytest.approx(2.0, abs=0.05)
    assert made.std() == pytest.approx(0.5, rel=0.05)


def test_one_step_gives_the_mean():
    noise = torch.randn(1, 100, 1, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ddim(gaussian(2.0, 0.5), noise, KEPT, 1), torch.full_like(noise, 2.0))


def test_every_step_asks_once():
    asked = []

    def denoise(x: torch.Tensor, step: int) -> torch.Tensor:
        asked.append(step)
        return 0 * x

    ddim(denoise, torch.ones(1, 2, 2), KEPT, 10)
    assert len(asked) == 10


def test_guidance_follows_its_formula():
    guesses = torch.tensor([1.0, 0.5, -2.0]).view(3, 1, 1)
    seen = []

    def denoise(x: torch.Tensor, step: int) -> torch.Tensor:
        seen.append(x.clone())
        return guesses + 0 * x

    x = torch.full((1, 4, 2), 7.0)
    blended = guided(denoise, torch.tensor([2.5, -0.5, -1.0]).view(3, 1, 1))(x, 3)
    assert blended.shape == x.shape
    torch.testing.assert_close(blended, torch.full_like(x, 2.5 * 1.0 - 0.5 * 0.5 - 1.0 * -2.0))
    torch.testing.assert_close(seen[0], x.expand(3, -1, -1))


def test_each_axis_may_have_its_own_guidance():
    guesses = torch.tensor([[1.0, 1.0], [3.0, 3.0]]).view(2, 1, 2)
    weights = torch.tensor([[1.0, 2.0], [0.0, -1.0]])[:, None]
    blended = guided(lambda x, step: guesses + 0 * x, weights)(torch.zeros(1, 4, 2), 0)
    torch.testing.assert_close(blended, torch.tensor([1.0, -1.0]).expand(1, 4, 2))


def test_several_sequences_are_guided_side_by_side():
    weights = torch.tensor([[2.0, 3.0], [-1.0, -2.0]])[..., None]
    x = torch.stack([torch.full((4, 2), 1.0), torch.full((4, 2), 5.0)])
    conditions = torch.tensor([10.0, 10.0, 1.0, 1.0]).view(4, 1, 1)
    blended = guided(lambda batch, step: batch * conditions, weights)(x, 0)
    torch.testing.assert_close(blended, x * torch.tensor([2 * 10 - 1.0, 3 * 10 - 2.0]).view(2, 1, 1))


def test_one_guess_after_another():
    both = in_turn(lambda x, step: x + 1, lambda x, step: x + 2, 500)
    x = torch.zeros(1, 4, 2)
    assert [float(both(x, step).mean()) for step in (999, 500, 499, 0)] == [1, 1, 2, 2]


def test_a_mixture_shows_each_guess_a_motion_of_its_own_and_takes_its_share_of_what_is_left():
    apart = torch.tensor([1.0, -3.0])[:, None, None].expand(2, 4, 1)
    shares = torch.stack([torch.linspace(1, 0, 4), torch.linspace(0, 1, 4)])
    x, step, seen = torch.zeros(2, 4, 1), 300, []

    def denoise(motion: torch.Tensor, step: int) -> torch.Tensor:
        seen.append(motion)
        return torch.tensor([10.0, 20.0, 5.0])[:, None, None].expand(3, 4, 1)

    owner = torch.tensor([0, 0, 1])
    three = (torch.cat([part, torch.full_like(part[:1], rest)]) for part, rest in ((shares, 1.0), (apart, 0.0)))
    made = mixed(denoise, owner, *three, KEPT)(x, step)
    torch.testing.assert_close(made[0, :, 0], (10 - 1) * shares[0] + (20 + 3) * shares[1])
    torch.testing.assert_close(made[1], torch.full((4, 1), 5.0))
    torch.testing.assert_close(seen[0][:2], KEPT[step].sqrt() * apart)
