"""The noise schedule: bounds, order, and what noising does to a known signal."""

import pytest
import torch

from talkface.motion.schedule import DIFFUSION_STEPS, SLOWNESS, add_noise, alphas_cumprod, timesteps


def test_the_schedule_falls_from_almost_clean_to_pure_noise():
    kept = alphas_cumprod()
    assert kept.shape == (DIFFUSION_STEPS,)
    assert (kept.diff() < 0).all()
    assert kept[0] > 0.999
    assert kept[-1] == 0


def test_it_is_the_cosine_schedule_with_more_noise():
    time = torch.tensor(0.5, dtype=torch.float64)
    level = (
        torch.cos((time + 0.008) / 1.008 * torch.pi / 2) / torch.cos(torch.tensor(0.008 / 1.008 * torch.pi / 2))
    ) ** 2
    ratio = level / (1 - level) / SLOWNESS
    assert alphas_cumprod()[DIFFUSION_STEPS // 2 - 1] == pytest.approx(float(ratio / (1 + ratio)), rel=1e-5)


@pytest.mark.parametrize("count", [1, 3, 10, 50, DIFFUSION_STEPS])
def test_steps_begin_with_pure_noise_and_fall(count):
    steps = timesteps(count)
    assert len(steps) == count
    assert steps[0] == DIFFUSION_STEPS - 1
    assert steps == sorted(set(steps), reverse=True)
    assert steps[-1] >= 0


@pytest.mark.parametrize("count", [0, -1, DIFFUSION_STEPS + 1])
def test_impossible_numbers_of_steps(count):
    with pytest.raises(ValueError, match="sampling steps"):
        timesteps(count)


def test_noise_keeps_the_variance():
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(2, 2, 4000, 3, generator=generator)
    noised = add_noise(clean, noise, torch.tensor([1.0, 0.3]))
    assert torch.equal(noised[0], clean[0])
    assert noised[1].std() == pytest.approx(1.0, abs=0.03)
    share = (noised[1] * clean[1]).mean() / clean[1].square().mean()
    assert share == pytest.approx(0.3**0.5, abs=0.03)
