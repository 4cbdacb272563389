"""Train the motion denoiser on the shards of `motion_data`.

    python -m training.motion_train --data training/runs/motion/data --run training/runs/motion/run1 --minutes 75
    torchrun --nproc-per-node 8 -m -- training.motion_train --data ... --run ...     (many processes or GPUs)

The learning rate follows the clock (or `--windows`, a number of windows), so a run ends well whatever the machine's
load. A run is resumed by the same command; `log.csv` holds its losses; `--store` writes its averaged weights,
`--store --lips` early and late ones blended, for the lips.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from talkface.motion.conditions import AUDIO_EXTRAS, AXES
from talkface.motion.denoiser import Denoiser, DenoiserConfig
from talkface.motion.generate import LIPS_WEIGHTS_NAME, WEIGHTS_NAME
from talkface.motion.schedule import DIFFUSION_STEPS, add_noise, alphas_cumprod
from training.motion_batches import Batch, Stream, Windows, spread_of
from training.motion_data import SOURCES, read_folder
from training.motion_habits import without_habits
from training.motion_losses import TERMS, Spreads, losses, measure_spreads, total
from training.speech_phones import PHONES
from training.store import store

PEAK_RATE = 1e-3
WARM_UP_STEPS = 300
AVERAGE_EVERY, AVERAGE_SPAN = 4, 800
REPORT_S = 120.0
CHECKED_WINDOWS = 48
EARLY_PROGRESS, EARLY_SHARE = 1 / 6, 0.5
"""Half of the weights for the lips are those of early on, before the few real speakers are known by heart."""

PURE_NOISE_SHARE = 0.2
"""Of the windows, those that begin from noise alone: there the model makes the lips, so it has to be good there."""


class Run:
    """One training run: network, optimiser, averaged weights, on disk; the same in every process."""

    def __init__(self, folder: Path, net: Denoiser, device: torch.device, *, compiled: bool = False) -> None:
        self.folder, self.device = folder, device
        folder.mkdir(parents=True, exist_ok=True)
        self.net = net.to(device)
        self.optimiser = torch.optim.AdamW(
            self.net.parameters(), PEAK_RATE, betas=(0.9, 0.98), weight_decay=0.01, fused=True
        )
        self.average = {key: value.clone() for key, value in self.net.state_dict().items()}
        self.early: dict[str, torch.Tensor] = {}
        self.step, self.windows, self.spent_s = 0, 0, 0.0
        if self.path.exists():
            state = torch.load(self.path, weights_only=True, map_location=device)
            self.net.load_state_dict(state["net"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.average, self.early, self.step = state["average"], state["early"], state["step"]
            self.windows, self.spent_s = state["windows"], state["spent_s"]
        self.model = DistributedDataParallel(self.net) if distributed.is_initialized() else self.net
        self.model = torch.compile(self.model) if compiled else self.model

    @property
    def path(self) -> Path:
        """The checkpoint."""
        return self.folder / "last.pt"

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        state = {"net": self.net.state_dict(), "optimiser": self.optimiser.state_dict(), "average": self.average}
        state |= {"early": self.early, "step": self.step, "windows": self.windows, "spent_s": self.spent_s}
        state["config"] = asdict(self.net.config)
        part = self.path.with_suffix(".part")
        torch.save(state, part)
        part.rename(self.path)

    def update(self, batch: Batch, kept: torch.Tensor, spreads: Spreads, progress: float) -> dict[str, float]:
        """One step at `progress` 0-1 of the run; returns the terms of the loss, and as "left_out" whether (1 or 0) the
        batch was left out because of them."""
        warm = min(1.0, (self.step + 1) / WARM_UP_STEPS)
        for group in self.optimiser.param_groups:
            group["lr"] = PEAK_RATE * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(progress, 1))))
        terms = guess_losses(self.model, batch, kept, spreads)
        self.optimiser.zero_grad(set_to_none=True)
        total(terms).backward()
        norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        usable = bool(norm.isfinite())
        if usable:  # one bad batch in days on a GPU must not undo them
            self.optimiser.step()
        self.step += 1
        self.windows += len(batch.clean) * world_size()
        if self.step % AVERAGE_EVERY == 0:
            share = min(1.0, AVERAGE_EVERY * max(1 / AVERAGE_SPAN, 10 / self.step))
            torch._foreach_lerp_(list(self.average.values()), list(self.net.state_dict().values()), share)
        if progress >= EARLY_PROGRESS and not self.early:
            self.early = {key: value.clone() for key, value in self.average.items()}
        return {name: float(value.detach()) for name, value in terms.items()} | {"left_out": float(not usable)}


def blended(early: dict[str, torch.Tensor], late: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights for the lips: `EARLY_SHARE` of the early ones, if the run came so far, and the rest of the late ones."""
    if not early:
        return late
    return {key: EARLY_SHARE * early[key] + (1 - EARLY_SHARE) * value for key, value in late.items()}


def guess_losses(
    model: torch.nn.Module,
    batch: Batch,
    kept: torch.Tensor,
    spreads: Spreads,
    generator: torch.Generator | None = None,
) -> dict[str, torch.Tensor]:
    """Noise a batch to random steps, let the model guess the clean motion, and compare."""
    device = batch.clean.device
    step = torch.randint(DIFFUSION_STEPS, (len(batch.clean),), generator=generator)
    pure = torch.rand(len(step), generator=generator) < PURE_NOISE_SHARE
    step = torch.where(pure, DIFFUSION_STEPS - 1, step).to(device)
    source = generator.device if generator else device
    noise = torch.randn(batch.clean.shape, generator=generator, device=source).to(device)
    noised = add_noise(batch.clean, noise, kept[step])
    controls = {"gaze": batch.gaze, "distance": batch.distance, "emotion": batch.emotion}
    with torch.autocast(device.type, torch.bfloat16):
        conditions = (batch.audio, controls, batch.previous, batch.source, batch.keep)
        guess = model(noised, (step + 1) / DIFFUSION_STEPS, *conditions)
    return losses(guess.float(), batch.clean, batch.weight, spreads)


@torch.inference_mode()
def check(run: Run, batches: list[Batch], kept: torch.Tensor, spreads: Spreads) -> dict[str, float]:
    """Loss terms of the averaged weights on fixed held-out windows with fixed noise; none without windows."""
    if not batches:
        return {}
    own = {key: value.clone() for key, value in run.net.state_dict().items()}
    run.net.load_state_dict(run.average)
    generator = torch.Generator().manual_seed(1)
    rows = [guess_losses(run.net.eval(), batch, kept, spreads, generator) for batch in batches]
    run.net.load_state_dict(own)
    run.net.train()
    return {name: float(torch.stack([row[name] for row in rows]).mean()) for name in TERMS}


@dataclass(frozen=True)
class Goal:
    """When a run is done: after so many minutes of work, or, if given, so many windows."""

    minutes: float
    windows: int = 0

    def progress(self, run: Run) -> float:
        """0-1; the first process decides for all."""
        done = run.windows / self.windows if self.windows else run.spent_s / (self.minutes * 60)
        if distributed.is_initialized():
            told = torch.tensor([done], device=run.device)
            distributed.broadcast(told, 0)
            done = float(told)
        return done


def world_size() -> int:
    """Processes that train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def process_rank() -> int:
    """Which of them this is."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def join_others() -> torch.device:
    """Meet the processes that torchrun started, if any; the device of this one."""
    local = int(os.environ.get("LOCAL_RANK", 0))
    device = torch.device("cuda", local) if torch.cuda.is_available() else torch.device("cpu")
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return device


def train(run: Run, batches: Iterator[Batch], held_out: list[Batch], spreads: Spreads, goal: Goal) -> None:
    """Train until the goal is reached, reporting, checking and saving every two minutes."""
    rank = process_rank()
    torch.manual_seed(run.step * 1000 + rank)
    kept, spreads = alphas_cumprod().to(run.device), spreads.to(run.device)
    seen: list[dict[str, float]] = []
    reported, clock = run.spent_s, time.monotonic()
    while (progress := goal.progress(run)) < 1:
        batch = next(batches).to(run.device)
        seen.append(run.update(batch, kept, spreads, progress))
        run.spent_s += time.monotonic() - clock
        clock = time.monotonic()
        if rank == 0 and run.spent_s - reported > REPORT_S:
            report(run, seen, check(run, held_out, kept, spreads))
            reported, seen = run.spent_s, []
    if rank == 0:
        report(run, seen, check(run, held_out, kept, spreads))


def report(run: Run, seen: list[dict[str, float]], checked: dict[str, float]) -> None:
    """Save, and add a line to the log."""
    run.save()
    row = {"minutes": round(run.spent_s / 60, 2), "step": run.step, "windows": run.windows}
    used = [terms for terms in seen if not terms["left_out"]]
    row |= {name: round(float(np.nanmean([terms[name] for terms in used])), 4) if used else "" for name in TERMS}
    row |= {f"held_out_{name}": round(value, 4) for name, value in checked.items()}
    row["left_out"] = len(seen) - len(used)
    path = run.folder / "log.csv"
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)
    print(" ".join(f"{key} {value}" for key, value in row.items()), flush=True)


def store_weights(run: Run, figures: Path | None, *, lips: bool) -> Path:
    """Write a run into `weights/`: the averaged weights, or for the `lips` early and late ones blended."""
    config = asdict(run.net.config) | {"figures": json.loads(figures.read_text()) if figures else {}}
    made = "lips" if lips else "head, gaze, lids, brows and smiles"
    return store(
        LIPS_WEIGHTS_NAME if lips else WEIGHTS_NAME,
        config,
        blended(run.early, run.average) if lips else run.average,
        about=f"Motion model: a diffusion transformer from voice and controls to movement; used for {made}.",
        data="Rules as a teacher over LibriSpeech, speechocean762, small open corpora, espeak-ng and flite speech; "
        "tracked GRID speaker 1; FACEGOOD Audio2Face",
        licence="Apache-2.0; sources CC BY 4.0, CC0, MIT, Apache-2.0 and free for commercial use",
        keep_float32=("axis_",),
    )


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of shards")
    parser.add_argument("--run", type=Path, required=True, help="folder of the checkpoint and the log")
    parser.add_argument("--minutes", type=float, default=75)
    parser.add_argument("--windows", type=int, default=0, help="stop after so many windows instead")
    parser.add_argument("--batch", type=int, default=16, help="windows per step and process")
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--depth", type=int, default=6)
    parser.add_argument("--workers", type=int, default=0, help="processes that prepare batches for a GPU")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true", help="twice as fast after minutes of compiling; needs g++")
    parser.add_argument("--store", action="store_true", help="only write the averaged weights of the run")
    parser.add_argument("--lips", action="store_true", help="store the weights for the lips")
    parser.add_argument("--figures", type=Path, help="JSON of measured figures to keep with the weights")
    return parser.parse_args()


def main() -> None:
    """Command line."""
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    device = join_others()
    config = DenoiserConfig(AXES, PHONES, SOURCES, len(PHONES) + AUDIO_EXTRAS, args.width, args.depth)
    net = Denoiser(config)
    if args.store:
        store_weights(Run(args.run, net, device), args.figures, lips=args.lips)
        return
    clips = without_habits(read_folder(args.data, held_out=False))
    mean, spread = spread_of(clips)
    net.axis_mean.copy_(torch.from_numpy(mean))
    net.axis_spread.copy_(torch.from_numpy(spread))
    run = Run(args.run, net, device, compiled=args.compile)
    mean, spread = run.net.axis_mean.cpu().numpy(), run.net.axis_spread.cpu().numpy()
    windows = Windows(clips, config, mean, spread)
    spreads = measure_spreads(windows.batch(256, np.random.default_rng(0), whole=True), run.net)
    held_out = []
    if aside := read_folder(args.data, held_out=True):
        rng, checked = np.random.default_rng(7), Windows(aside, config, mean, spread)
        held_out = [checked.batch(16, rng, whole=True).to(device) for _ in range(CHECKED_WINDOWS // 16)]
    stream = Stream(windows, args.batch, (run.step, process_rank()))
    batches = DataLoader(stream, batch_size=None, num_workers=args.workers, pin_memory=device.type == "cuda")
    train(run, iter(batches), held_out, spreads, Goal(args.minutes, args.windows))
    if distributed.is_initialized():
        distributed.destroy_process_group()


if __name__ == "__main__":
    main()
