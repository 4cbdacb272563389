"""Training one network: AdamW, warm-up and cosine by samples seen, a moving average, checkpoints to resume from.

One process augments, one trains (one thread each); the schedule is by samples seen, so that a busy machine only makes
it slower.
"""

from __future__ import annotations

import argparse
import copy
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.multiprocessing import get_context

RUNS = Path(__file__).resolve().parent / "runs"
WARM_UP_SAMPLES = 15_000
KEEP = 0.999  # of the moving average, per step
LARGEST_GRADIENT = 5.0


class Learner:
    """Trains `net` for `samples` samples with the peak learning rate `rate`."""

    def __init__(self, net: nn.Module, rate: float, samples: int) -> None:
        self.net = net.to(memory_format=torch.channels_last)
        self.optimiser = torch.optim.AdamW(net.parameters(), rate, weight_decay=0.02)
        self.average = {key: value.detach().clone() for key, value in net.state_dict().items()}
        self.rate, self.samples, self.seen = rate, samples, 0
        self.losses: dict[str, float] = {}

    @property
    def done(self) -> bool:
        """Whether it has seen all its samples."""
        return self.seen >= self.samples

    def step(self, count: int, **losses: Tensor) -> None:
        """One step down the sum of the losses of a batch of `count` samples."""
        rate = (
            self.rate * min(1, self.seen / WARM_UP_SAMPLES) * (0.503 + 0.5 * np.cos(np.pi * self.seen / self.samples))
        )
        for group in self.optimiser.param_groups:
            group["lr"] = float(rate)
        self.optimiser.zero_grad()
        sum(losses.values()).backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), LARGEST_GRADIENT)
        self.optimiser.step()
        self.seen += count
        keep = min(KEEP, self.seen / (self.seen + 10 * count))
        with torch.no_grad():
            for key, value in self.net.state_dict().items():
                if value.is_floating_point():
                    self.average[key].lerp_(value, 1 - keep)
        for name, loss in losses.items():
            self.losses[name] = 0.98 * self.losses.get(name, loss.item()) + 0.02 * loss.item()

    def state(self) -> dict:
        """All that is needed to go on."""
        parts = {"net": self.net.state_dict(), "optimiser": self.optimiser.state_dict()}
        return {**parts, "average": self.average, "seen": self.seen}

    def resume(self, saved: dict) -> None:
        """Go on from `state`."""
        self.net.load_state_dict(saved["net"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.average, self.seen = saved["average"], saved["seen"]

    def summary(self) -> str:
        """Samples seen and running losses."""
        return f"seen {self.seen} " + " ".join(f"{name} {loss:.4f}" for name, loss in self.losses.items())


def arguments(description: str, samples: int) -> argparse.ArgumentParser:
    """What every training of the tracker can be told."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--samples", type=int, default=samples, help="to have seen in the end")
    parser.add_argument("--rate", type=float, default=2e-3, help="peak learning rate")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--report", type=float, default=600, help="seconds between checkpoints")
    return parser


def train(
    name: str,
    net: nn.Module,
    args: argparse.Namespace,
    fetch_from: Callable[[int], Callable[[], tuple]],
    losses: Callable[..., dict[str, Tensor]],
    measure: Callable[[nn.Module], object] | None = None,
) -> None:
    """Train `net` until it has seen `args.samples` samples, going on from training/runs/NAME.pt where there is one.

    `fetch_from(seed)` returns what fetches batches, `losses(net, *batch)` what to minimise the sum of. Every
    `args.report` seconds a checkpoint is written and a line printed, with what `measure` says of the moving average.
    """
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    learner, shadow = Learner(net, args.rate, args.samples), copy.deepcopy(net)
    if state := saved(name):
        learner.resume(state)
    fetch = fetch_from(learner.seen + 1)
    last = time.time()
    try:
        while not learner.done:
            batch = fetch()
            learner.step(len(batch[0]), **losses(net, *batch))
            if time.time() - last > args.report or learner.done:
                save(name, learner.state())
                shadow.load_state_dict(learner.average)
                table = measure(shadow) if measure else ""
                print(f"{time.strftime('%H:%M')} {name} {learner.summary()} {table}", flush=True)
                last = time.time()
    finally:
        save(name, learner.state())


def save(name: str, state: dict) -> None:
    """Write a checkpoint to training/runs, whole or not at all."""
    RUNS.mkdir(exist_ok=True)
    path = RUNS / f"{name}.pt"
    torch.save(state, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)


def saved(name: str) -> dict | None:
    """The checkpoint of that name, if there is one."""
    path = RUNS / f"{name}.pt"
    return torch.load(path, weights_only=True) if path.is_file() else None


def batches(produce: Callable, *args: object) -> Callable[[], tuple]:
    """Start `produce(queue, *args)` in a second process; returns what fetches its next batch."""
    context = get_context("fork")
    queue = context.Queue(8)
    context.Process(target=produce, args=(queue, *args), daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # leaving normally ends the worker, too, and `finally` runs
    return lambda: queue.get(timeout=300)
