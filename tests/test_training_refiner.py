"""Training the refiner, small: pairs pulled open, and a few steps that learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training import refiner_openings, refiner_train
from training.refiner_openings import pull_open


def smile() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A drawn and a real mouth (3, 48, 64) in 0-1, grey teeth against white ones, and what was painted."""
    rows, columns = np.mgrid[:48, :64]
    inside = np.abs(rows - 18) < 5 * np.sqrt(np.clip(1 - ((columns - 31.5) / 20) ** 2, 0, 1))
    teeth = inside & (rows < 20)
    skin = np.array([0.8, 0.6, 0.5])[:, None, None] * np.ones((1, 48, 64))
    drawn = np.where(teeth, 0.5, np.where(inside, 0.2, skin))
    real = np.where(teeth, 0.9, np.where(inside, 0.6, skin))
    return drawn, real, np.stack([inside, teeth, inside & ~teeth]).astype(float)


@pytest.fixture
def plain(monkeypatch) -> None:
    """Mouths are opened, their upper teeth left as long as they are, and no lower ones added."""
    monkeypatch.setattr(refiner_openings, "LONGER_SHARE", 0)
    monkeypatch.setattr(refiner_openings, "LOWER_SHARE", 0)
    monkeypatch.setattr(refiner_openings, "PULL_PX", (10.0, 10.1))


def test_a_pulled_open_mouth_is_taller_and_its_inside_is_left_alone(plain):
    drawn, real, painted = pull_open(*smile(), np.random.default_rng(0))
    before = smile()[2]
    assert painted[0].sum() > 1.3 * before[0].sum()
    np.testing.assert_allclose(painted[1].sum(), before[1].sum(), rtol=0.25)
    below = (painted[0] > 0.9) & (painted[1] < 0.01) & (np.arange(48)[:, None] > 22)
    np.testing.assert_allclose(drawn[:, below], real[:, below], atol=1e-6)
    teeth = painted[1] > 0.9
    assert np.abs(drawn - real)[:, teeth].mean() > 0.3


def test_lower_teeth_in_the_gap_are_lit_as_the_upper_ones_are(plain, monkeypatch):
    monkeypatch.setattr(refiner_openings, "LOWER_SHARE", 1)
    drawn, real, painted = pull_open(*smile(), np.random.default_rng(1))
    teeth = (painted[2] > 0.95) & (np.ptp(real, axis=0) < 0.01) & (real[0] > 0.6)
    assert teeth.sum() > 20
    np.testing.assert_allclose(real[:, teeth] / drawn[:, teeth], 0.9 / 0.5, rtol=0.05)


def test_a_raised_lip_shows_longer_upper_teeth(plain, monkeypatch):
    monkeypatch.setattr(refiner_openings, "LONGER_SHARE", 1)
    monkeypatch.setattr(refiner_openings, "LONGER", (2.0, 2.01))
    painted = pull_open(*smile(), np.random.default_rng(0))[2]
    np.testing.assert_allclose(painted[1].sum(), 2 * smile()[2][1].sum(), rtol=0.2)


def test_a_closed_mouth_cannot_be_pulled_open():
    drawn, real, painted = smile()
    assert pull_open(drawn, real, np.zeros_like(painted), np.random.default_rng(0)) is None


def test_a_few_steps_learn_the_teeth(tmp_path, monkeypatch):
    drawn, real, painted = (np.stack([p * 255] * 8).astype(np.uint8) for p in smile())
    held_out = np.arange(8) >= 6
    np.savez(tmp_path / "pairs.npz", drawn=drawn, real=real, painted=painted, held_out=held_out)
    monkeypatch.setattr(refiner_train, "WARM_STEPS", 1)
    pairs, held = refiner_train.read_pairs(tmp_path / "pairs.npz")
    learner = refiner_train.train(tmp_path / "pairs.npz", tmp_path / "run", minutes=1e-4)
    for _ in range(20):
        learner.step(refiner_train.augment(pairs), progress=0.0)
    learner.save()
    figures = refiner_train.measure(learner.net, held)
    assert figures["l1_refined"] < 0.9 * figures["l1_drawn"]
    again = refiner_train.Learner(tmp_path / "run", torch.device("cpu"))
    assert again.steps == learner.steps


def test_training_further_begins_from_the_packaged_weights_and_keeps_what_it_learned(tmp_path):
    learner = refiner_train.Learner(tmp_path, torch.device("cpu"))
    learner.begin_further(minutes=5)
    packaged = refiner_train.Refiner.load().out.weight
    torch.testing.assert_close(learner.average.out.weight, packaged)
    assert 0 < learner.spent_s < 5 * 60
    with torch.no_grad():
        learner.net.out.weight.zero_()
    learner.begin_further(minutes=5)
    assert not learner.net.out.weight.any()
