from __future__ import annotations

import pytest
import torch

from talkface.device import DRAWN_SEED_LIMIT, device_label, draw_seed, pick_device
from talkface.errors import EnvironmentFailure


def test_auto_takes_what_is_there():
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_cuda_without_cuda_is_refused_with_a_way_out(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(EnvironmentFailure, match="no CUDA device") as caught:
        pick_device("cuda")
    assert "--device cpu" in caught.value.hint


def test_the_cpu_is_called_cpu():
    assert device_label(pick_device("cpu")) == "cpu"


def test_drawn_seeds_differ_and_are_short():
    seeds = {draw_seed() for _ in range(20)}
    assert len(seeds) == 20
    assert all(0 <= seed < DRAWN_SEED_LIMIT for seed in seeds)
