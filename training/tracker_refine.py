"""Train the part networks (right eye, mouth) on upright patches. Resumable: `python -m training.tracker_refine`.

The left eye is the right eye of the mirror image. Patches are placed by the true landmarks with some error, as the
landmark network would make it; batches of eyes and of mouths take turns.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.multiprocessing import get_context

from talkface.face.tracker_nets import RefineConfig, RefineNet
from training import tracker_augment as augment
from training import tracker_landmarks as whole
from training.tracker_data import IRISES, LIDS, LIPS, Sample, frame_of, interocular, mean_shape, read_sets

RUNS = Path(__file__).resolve().parent / "runs"
BATCH = 64
EXPRESSIVE_SHARE = 0.35
EYE = dict(side=64, units=1.2, corners=(33, 133), below=0.0, box=(0.46, -0.3, 0.3))
MOUTH = dict(side=80, units=1.7, corners=(61, 291), below=0.12, box=(0.5, -0.26, 0.42))


def part_points(part: dict, mean: np.ndarray) -> tuple[int, ...]:
    """The landmarks that the part's network reads: those of the mean face within its box around the corners' middle."""
    offset = mean[:, :2] - mean[list(part["corners"]), :2].mean(0)
    half, top, bottom = part["box"]
    return tuple(np.nonzero((np.abs(offset[:, 0]) < half) & (offset[:, 1] > top) & (offset[:, 1] < bottom))[0].tolist())


def configs(mean: np.ndarray) -> dict[str, RefineConfig]:
    """The two networks' configurations."""
    parts = {"eye": EYE, "mouth": MOUTH}
    return {name: RefineConfig(part["side"], part["units"], part_points(part, mean)) for name, part in parts.items()}


def place(marks: np.ndarray, roll: float, size: float, part: dict) -> np.ndarray:
    """Centre (2,) of the part's patch: the middle of its corners, a little further down the face for the mouth."""
    down = np.array([-np.sin(roll), np.cos(roll)])
    return marks[list(part["corners"]), :2].mean(0) + down * part["below"] * size


def patch(sample: Sample, frame: tuple, part: dict, points: tuple[int, ...], mirror: np.ndarray, rng) -> tuple:
    """An augmented patch (S, S, 3) and its landmarks (P, 2) in half sides; half of them come from the mirror image."""
    centre, size, roll = frame
    flip = rng.random() < 0.5
    side, units = part["side"], part["units"]
    source = mirror[list(part["corners"])] if flip else list(part["corners"])
    middle_px = place(sample.marks, roll, size, {**part, "corners": source})
    wide = rng.random() < 0.25
    size = size * np.exp(rng.normal(0, 0.12 if wide else 0.05))
    middle_px = middle_px + rng.normal(0, 0.07 if wide else 0.03, 2) * frame[1]
    roll = roll + rng.normal(0, 0.2 if wide else 0.06)
    matrix = augment.similarity(middle_px, size, roll, side, units)
    middle = (side - 1) / 2
    shear = np.eye(2) + rng.normal(0, 0.04, (2, 2))
    matrix = augment.compose(matrix, np.c_[shear, middle - shear @ [middle, middle]])
    marks = sample.marks
    if rng.random() < EXPRESSIVE_SHARE:
        crop, marks = whole.changed(sample, frame, matrix, side, rng)
    else:
        crop = augment.warp(sample.image, matrix, side, rng)
    wanted = mirror[list(points)] if flip else list(points)
    found = (marks[wanted, :2] @ matrix[:, :2].T + matrix[:, 2] - middle) * 2 / side
    if flip:
        crop, found = np.ascontiguousarray(crop[:, ::-1]), found * [-1, 1]
    return augment.damage(crop, rng), found.astype(np.float32)


def produce(queue, samples: list[Sample], frames: list, parts: dict, mirror: np.ndarray, seed: int) -> None:
    """Worker: a batch of eyes, a batch of mouths, and so on, for ever."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng(seed)
    share = np.array([whole.SET_WEIGHT[s.set_name] for s in samples])
    share = share / share.sum()
    while True:
        for part, config in parts.values():
            chosen = rng.choice(len(samples), BATCH, p=share)
            made = [patch(samples[i], frames[i], part, config.points, mirror, rng) for i in chosen]
            queue.put((np.array([crop for crop, _ in made]), np.array([points for _, points in made])))


@torch.no_grad()
def measure(net: RefineNet, part: dict, samples: list[Sample], frames: list) -> dict[str, float]:
    """Per set: error of the lids and irises, or of the lips, in per cent of the inter-ocular distance."""
    net.eval()
    rng, rows = np.random.default_rng(0), {}
    points = list(net.config.points)
    chosen = [k for k, p in enumerate(points) if p in {*LIDS, *IRISES, *LIPS}]
    side, units = part["side"], part["units"]
    for sample, frame in zip(samples, frames, strict=True):
        centre = place(sample.marks, frame[2], frame[1], part)
        matrix = augment.similarity(centre, frame[1], frame[2], side, units)
        crop = augment.warp(sample.image, matrix, side, rng)
        found = net(whole.as_input(crop[None]))[0].numpy()
        found = (found * side / 2 + (side - 1) / 2 - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
        error = np.linalg.norm(found - sample.marks[points, :2], axis=1)[chosen].mean() / interocular(sample.marks)
        rows.setdefault(sample.set_name, []).append(100 * error)
    net.train()
    return {name: round(float(np.mean(values)), 2) for name, values in rows.items()}


class Learner:
    """One network with its optimiser, its moving average and the number of samples it has seen."""

    def __init__(self, config: RefineConfig, mean: np.ndarray, part: dict, rate: float) -> None:
        self.net = RefineNet(config)
        centre = place(mean, 0.0, 1.0, part)
        torch.nn.init.normal_(self.net.decode.weight, 0, 0.01)
        start = (mean[list(config.points), :2] - centre) * 2 / config.units
        self.net.decode.bias.data[:] = torch.from_numpy(start.astype(np.float32)).reshape(-1)
        self.net = self.net.to(memory_format=torch.channels_last)
        self.optimiser = torch.optim.AdamW(self.net.parameters(), 1e-3, weight_decay=0.02)
        self.average = {k: v.detach().clone() for k, v in self.net.state_dict().items()}
        self.weights = torch.tensor([2.0 if p in {*LIDS, *IRISES, *LIPS} else 1.0 for p in config.points])[:, None]
        self.rate, self.seen, self.loss = rate, 0, 0.0

    def step(self, crops: np.ndarray, points: np.ndarray, share_done: float) -> None:
        """One batch; `share_done` (0-1) of the training sets the learning rate."""
        rate = float(self.rate * min(1, self.seen / 15_000) * (0.5 + 0.5 * np.cos(np.pi * share_done) + 0.003))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast("cpu", torch.bfloat16):
            found = self.net(whole.as_input(crops))
        loss = ((found - torch.from_numpy(points)).abs() * self.weights).mean()
        self.optimiser.zero_grad()
        (loss * 10).backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimiser.step()
        self.seen += len(crops)
        self.loss = 0.98 * self.loss + 0.02 * loss.item() if self.loss else loss.item()
        keep = min(0.999, self.seen / (self.seen + 10 * BATCH))
        with torch.no_grad():
            for key, value in self.net.state_dict().items():
                if value.is_floating_point():
                    self.average[key].lerp_(value, 1 - keep)

    def state(self) -> dict:
        """All that is needed to go on."""
        return {"net": self.net.state_dict(), "optimiser": self.optimiser.state_dict(), "average": self.average, "seen": self.seen}

    def resume(self, saved: dict) -> None:
        """Go on from `state`."""
        self.net.load_state_dict(saved["net"]), self.optimiser.load_state_dict(saved["optimiser"])
        self.average, self.seen = saved["average"], saved["seen"]


def report(learners: dict[str, Learner], parts: dict, held: tuple[list, list], path: Path) -> str:
    """Save a checkpoint, and measure the moving averages."""
    RUNS.mkdir(exist_ok=True)
    torch.save({name: learner.state() for name, learner in learners.items()}, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)
    lines = []
    for name, learner in learners.items():
        shadow = RefineNet(learner.net.config).to(memory_format=torch.channels_last)
        shadow.load_state_dict(learner.average)
        lines.append(f"{name} loss {learner.loss:.4f} {measure(shadow, parts[name][0], *held)}")
    return " | ".join(lines)


def train(args: argparse.Namespace) -> None:
    """The loop; the schedule is by samples seen by each network."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    samples = read_sets()
    mean, mirror = mean_shape(samples)
    frames = [frame_of(s.marks, mean) for s in samples]
    kept = [i for i, s in enumerate(samples) if not s.held_out]
    held = [i for i, s in enumerate(samples) if s.held_out]
    configuration = configs(mean)
    parts = {"eye": (EYE, configuration["eye"]), "mouth": (MOUTH, configuration["mouth"])}
    learners = {name: Learner(config, mean, part, args.rate) for name, (part, config) in parts.items()}
    path = RUNS / args.name
    if path.is_file():
        saved = torch.load(path, weights_only=True)
        for name, learner in learners.items():
            learner.resume(saved[name])
    context = get_context("fork")
    queue = context.Queue(8)
    seed = learners["eye"].seen + 1
    source = ([samples[i] for i in kept], [frames[i] for i in kept], parts, mirror, seed)
    worker = context.Process(target=produce, args=(queue, *source), daemon=True)
    worker.start()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # leaving normally ends the worker, too
    started = last = time.time()
    first = learners["eye"].seen
    while learners["eye"].seen < args.samples:
        for learner in learners.values():
            learner.step(*queue.get(timeout=300), learner.seen / args.samples)
        seen = learners["eye"].seen
        if time.time() - last > args.report or seen >= args.samples:
            text = report(learners, parts, ([samples[i] for i in held], [frames[i] for i in held]), path)
            print(f"seen {seen} {(seen - first) / (time.time() - started):.0f}/s {text}", flush=True)
            last = time.time()
    worker.terminate()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=120_000)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--report", type=float, default=240)
    parser.add_argument("--name", default="refine.pt")
    train(parser.parse_args())
