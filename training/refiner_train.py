"""Train the refiner on pairs drawn by `training.refiner_pairs`.

    python -m training.refiner_train --pairs training/runs/refiner_pairs.npz --run training/runs/refiner [--store]

Half of every batch are pairs as drawn (smiles), half are pulled open. Runs on a GPU when there is one. Interrupted runs
go on from the checkpoint. `--further` begins from the packaged weights instead of from scratch, past the first part of
the schedule. `--store` writes weights/refiner.safetensors from the averaged weights.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from talkface.rendering.refiner import WEIGHTS_NAME, Refiner, reach
from training.refiner_openings import pull_open
from training.store import store

BATCH = 8  # and each shifted a little
OPENINGS = 3  # of each pair
RATE, LAST_RATE, WARM_STEPS = 1.5e-3, 2e-5, 50
AVERAGE, REPORT_S = 0.995, 60
FINE_WEIGHT, TEXTURE_WEIGHT, LEVELS = 0.6, 0.7, 3
STEADY_WEIGHT, NUDGE_PX = 3.0, 1.5
FURTHER_FROM = 0.4  # of the schedule
OWN_SHARE, GREY_SHARE, BLUR_SHARE = 0.25, 0.12, 0.25


@dataclass(frozen=True)
class Pairs:
    """Crops (N, 3, 48, 64): drawn and real, -1 to 1, and what was painted, 0-1."""

    drawn: torch.Tensor
    real: torch.Tensor
    painted: torch.Tensor

    def __len__(self) -> int:
        return len(self.drawn)

    def pick(self, chosen: torch.Tensor) -> Pairs:
        """Those numbered or marked in `chosen`."""
        return Pairs(self.drawn[chosen], self.real[chosen], self.painted[chosen])

    def map(self, change) -> Pairs:
        """The same pairs with `change` applied to both pictures."""
        return Pairs(change(self.drawn), change(self.real), self.painted)


def join(first: Pairs, second: Pairs) -> Pairs:
    """Both, one after the other."""
    pictures = ((getattr(first, name), getattr(second, name)) for name in ("drawn", "real", "painted"))
    return Pairs(*(torch.cat(both) for both in pictures))


def read_pairs(path: Path) -> tuple[Pairs, Pairs]:
    """Pairs to learn from and pairs held out."""
    with np.load(path) as content:
        drawn, real = (torch.from_numpy(content[name]).float() / 127.5 - 1 for name in ("drawn", "real"))
        painted = torch.from_numpy(content["painted"]).float() / 255
        held_out = torch.from_numpy(content["held_out"])
    everything = Pairs(drawn, real, painted)
    return everything.pick(~held_out), everything.pick(held_out)


def openings(pairs: Pairs, times: int, seed: int) -> Pairs:
    """Every pair pulled open `times` times."""
    rng = np.random.default_rng(seed)
    made = []
    for k in range(len(pairs)):
        pictures = ((pairs.drawn[k] + 1) / 2, (pairs.real[k] + 1) / 2, pairs.painted[k])
        made += [pull_open(*(p.numpy() for p in pictures), rng) for _ in range(times)]
    drawn, real, painted = (
        torch.from_numpy(np.stack(p).astype(np.float32)) for p in zip(*(m for m in made if m), strict=True)
    )
    return Pairs(drawn * 2 - 1, real * 2 - 1, painted)


def augment(pairs: Pairs) -> Pairs:
    """Mirrored, in other light and colours, grey, softer, noisier; drawn too bright or dull; partly known already."""
    count, device = len(pairs), pairs.drawn.device

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(count, *shape, device=device)

    def sometimes(share: float) -> torch.Tensor:
        return (torch.rand(count, 1, 1, 1, device=device) < share).float()

    mirrored = sometimes(0.5)
    pairs = Pairs(*(torch.lerp(p, p.flip(3), mirrored) for p in (pairs.drawn, pairs.real, pairs.painted)))
    gain, gamma = torch.exp(0.15 * draw(1, 1, 1) + 0.05 * draw(3, 1, 1)), torch.exp(0.15 * draw(1, 1, 1))
    pairs = pairs.map(lambda p: (((p + 1) / 2).clamp(1e-3, 1) ** gamma * gain).clamp(0, 1) * 2 - 1)
    grey, soft = sometimes(GREY_SHARE), sometimes(BLUR_SHARE)
    pairs = pairs.map(lambda p: torch.lerp(p, p.mean(1, keepdim=True), grey))
    pairs = pairs.map(lambda p: torch.lerp(p, _soften(p), soft))
    wrong = torch.exp(0.1 * draw(1, 1, 1) + 0.03 * draw(3, 1, 1)) - 1
    drawn = ((pairs.drawn + 1) * (1 + wrong * pairs.painted[:, :1]) - 1).clamp(-1, 1)
    noise = 0.02 * draw(*pairs.drawn.shape[1:]) * torch.rand(count, 1, 1, 1, device=device)
    return _partly_known(Pairs(drawn + noise, pairs.real, pairs.painted), sometimes(OWN_SHARE))


def _partly_known(pairs: Pairs, chosen: torch.Tensor) -> Pairs:
    """In the chosen ones, part of the mouth is the portrait's own, so nothing is painted there."""
    count, rows = len(pairs), pairs.drawn.shape[2]
    down = torch.linspace(0, 1, rows, device=chosen.device).view(1, 1, rows, 1)
    border = 0.33 + 0.35 * torch.rand(count, 1, 1, 1, device=chosen.device)
    side = torch.where(torch.rand(count, 1, 1, 1, device=chosen.device) < 0.3, -30.0, 30.0)
    known = torch.sigmoid((border - down) * side) * chosen
    drawn = torch.lerp(pairs.drawn, pairs.real, pairs.painted[:, :1] * known)
    return Pairs(drawn, pairs.real, pairs.painted * (1 - known))


def _soften(picture: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(F.pad(picture, (1, 1, 1, 1), mode="replicate"), 3, 1)


def _nudge(pairs: Pairs) -> tuple[Pairs, torch.Tensor]:
    """The same pairs shifted by up to NUDGE_PX, and by how much: what moves smoothly must be corrected smoothly."""
    offset = (torch.rand(len(pairs), 2, device=pairs.drawn.device) * 2 - 1) * NUDGE_PX
    return Pairs(*(_shifted(p, offset) for p in (pairs.drawn, pairs.real, pairs.painted))), offset


def _shifted(picture: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
    """Pictures (B, C, h, w) moved by offsets (B, 2) in pixels, x and y."""
    rows, columns = picture.shape[2:]
    matrix = torch.eye(2, 3, device=picture.device).repeat(len(picture), 1, 1)
    matrix[:, :, 2] = -offset * torch.tensor([2 / columns, 2 / rows], device=picture.device)
    grid = F.affine_grid(matrix, list(picture.shape), align_corners=False)
    return F.grid_sample(picture, grid, padding_mode="border", align_corners=False)


def pyramid(picture: torch.Tensor) -> list[torch.Tensor]:
    """Laplacian pyramid of LEVELS bands."""
    bands = []
    for _ in range(LEVELS):
        small = F.avg_pool2d(picture, 2)
        bands.append(picture - F.interpolate(small, scale_factor=2, mode="bilinear", align_corners=False))
        picture = small
    return [*bands, picture]


def loss_of(refined: torch.Tensor, pairs: Pairs) -> torch.Tensor:
    """L1 on the picture and on its bands where it was painted, and as much fine contrast as the real one has (L1 alone
    would blur the teeth)."""
    where = reach(pairs.painted)
    weight = where / (where.mean() + 1e-6)
    loss = ((refined - pairs.real).abs() * weight).mean()
    for level, (mine, theirs) in enumerate(zip(pyramid(refined), pyramid(pairs.real), strict=True)):
        loss = (
            loss + FINE_WEIGHT * ((mine - theirs).abs() * F.avg_pool2d(weight, 2**level)[..., : mine.shape[-1]]).mean()
        )
    return loss + TEXTURE_WEIGHT * sum(
        (a - b).abs().mean() for a, b in zip(*_contrasts(refined, pairs, where), strict=True)
    )


def _contrasts(refined: torch.Tensor, pairs: Pairs, where: torch.Tensor) -> tuple[list, list]:
    """Mean slopes (B,) across and down, within the painted part, of the refined and of the real pictures."""
    both = []
    for picture in (refined, pairs.real):
        slopes = []
        for axis in (3, 2):
            inside = where.narrow(axis, 1, where.shape[axis] - 1)
            slope = picture.diff(dim=axis).abs() * inside
            slopes.append(slope.mean((1, 2, 3)) / (inside.mean((1, 2, 3)) + 1e-4))
        both.append(slopes)
    return tuple(both)


@torch.no_grad()
def measure(net: Refiner, pairs: Pairs) -> dict[str, float]:
    """Grey levels in the painted part: distance to the real one before and after, and fine contrast of all three."""
    where = reach(pairs.painted)
    total = where.sum() * 3 / 127.5
    refined = pairs.drawn + net(pairs.drawn, pairs.painted)
    figures = {}
    for name, picture in (("drawn", pairs.drawn), ("refined", refined)):
        figures[f"l1_{name}"] = float(((picture - pairs.real).abs() * where).sum() / total)
    for name, picture in (("drawn", pairs.drawn), ("refined", refined), ("real", pairs.real)):
        figures[f"fine_{name}"] = float((pyramid(picture)[0].abs() * where).sum() / total)
    return {name: round(value, 2) for name, value in figures.items()}


class Learner:
    """The network, its running average and the optimiser, with a checkpoint."""

    def __init__(self, run: Path, device: torch.device) -> None:
        torch.manual_seed(0)
        self.checkpoint = run / "checkpoint.pt"
        self.net = Refiner().to(device)
        self.average = copy.deepcopy(self.net)
        self.optimiser = torch.optim.AdamW(self.net.parameters(), RATE, weight_decay=1e-4)
        self.steps, self.spent_s = 0, 0.0
        if self.checkpoint.is_file():
            state = torch.load(self.checkpoint, map_location=device, weights_only=True)
            self.net.load_state_dict(state["net"])
            self.average.load_state_dict(state["average"])
            self.steps, self.spent_s = state["steps"], state["spent_s"]

    def begin_further(self, minutes: float) -> None:
        """Begin from the packaged weights, late in a training of so many minutes; a run that has begun goes on."""
        if self.steps == 0:
            for net in (self.net, self.average):
                net.load_state_dict(Refiner.load().state_dict())
            self.steps, self.spent_s = WARM_STEPS, FURTHER_FROM * minutes * 60

    def save(self) -> None:
        """Write the checkpoint."""
        state = {"net": self.net.state_dict(), "average": self.average.state_dict()}
        torch.save({**state, "steps": self.steps, "spent_s": self.spent_s}, self.checkpoint)

    def step(self, pairs: Pairs, progress: float) -> None:
        """One step of the optimiser; `progress` 0-1 through the whole training."""
        rate = RATE * min(1, self.steps / WARM_STEPS) * (0.5 + 0.5 * math.cos(math.pi * progress)) + LAST_RATE
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        twins, offset = _nudge(pairs)
        both = join(pairs, twins)
        with torch.autocast(pairs.drawn.device.type, torch.bfloat16):
            correction = self.net(both.drawn.contiguous(memory_format=torch.channels_last), both.painted).float()
        here, there = correction.split(len(pairs))
        steady = (_shifted(here, offset) - there).abs().mean() / (reach(pairs.painted).mean() + 1e-6)
        loss = loss_of(both.drawn + correction, both) + STEADY_WEIGHT * steady
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimiser.step()
        self.steps += 1
        share = 1 - min(AVERAGE, self.steps / (self.steps + 20))
        with torch.no_grad():
            for mean, value in zip(self.average.parameters(), self.net.parameters(), strict=True):
                mean.lerp_(value, share)


def train(pairs_path: Path, run: Path, minutes: float, further: bool = False) -> Learner:
    """Train for so many minutes of processor time, the time before an interruption included: from scratch, or `further`
    from the packaged weights."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    run.mkdir(parents=True, exist_ok=True)
    smiles, held_out = read_pairs(pairs_path)
    opened, held_out_opened = openings(smiles, OPENINGS, seed=0), openings(held_out, 1, seed=1)
    learner, reported_s = Learner(run, device), -REPORT_S
    if further:
        learner.begin_further(minutes)
    print(f"{len(smiles)} pairs, {len(opened)} openings, {len(held_out)} held out", flush=True)
    while (progress := learner.spent_s / 60 / minutes) < 1:
        began = time.process_time()
        halves = (some.pick(torch.randint(len(some), (BATCH // 2,))) for some in (smiles, opened))
        batch = join(*halves)
        learner.step(augment(Pairs(batch.drawn.to(device), batch.real.to(device), batch.painted.to(device))), progress)
        learner.spent_s += time.process_time() - began
        if learner.spent_s - reported_s >= REPORT_S:
            reported_s = learner.spent_s
            learner.save()
            figures = (measure(learner.average.cpu(), some) for some in (held_out, held_out_opened))
            print(round(learner.spent_s / 60, 1), learner.steps, *figures, flush=True)
            learner.average.to(device)
    learner.save()
    return learner


def export(net: Refiner) -> Path:
    """Write weights/refiner.safetensors."""
    return store(
        WEIGHTS_NAME,
        asdict(net.config),
        net.state_dict(),
        about="Corrects what the renderer paints behind the lips so that it looks photographed: a small U-Net.",
        data="Parted lips in data/faces (AI-made faces, public-domain portraits), drawn anew by the renderer.",
        licence="Apache-2.0",
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--further", action="store_true")
    parser.add_argument("--store", action="store_true")
    arguments = parser.parse_args()
    learner = train(arguments.pairs, arguments.run, arguments.minutes, arguments.further)
    if arguments.store:
        print(export(learner.average))


if __name__ == "__main__":
    main()
