"""Fit the viseme table of `training.teacher.visemes` to tracked mouths, shrunk towards the table as it stands.

    python -m training.speech_mouth --data ../shared/data --cache training/runs/speech --penalty .15

Only the opening and spread columns (targets and insistence) and the widths of their two kernels are fitted: few enough
numbers that two speakers teach something about all. How far vowels open is not fitted (`visemes.BY_PHONETICS`). The
loss is 1 - correlation per clip, so a speaker's own scale and resting width do not matter. GRID speaker 1 teaches
opening and width, FACEGOOD (Mandarin) width only: its openings are blendshapes of another rig. The eleven other GRID
speakers are held out. Prints the new table and kernels.
"""

from __future__ import annotations

import argparse
import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as fn

from benchmarks.articulation import best_correlation
from talkface.motion.curves import reaching_kernel
from talkface.motion.voice import silence_of
from talkface.speech.encoder import SpeechEncoder
from talkface.types import FEATURE_RATE_HZ, Speech
from training.speech_mouth_data import MouthClip, facegood_clips, grid_clips
from training.teacher import articulation, visemes

CHANNELS = ("opening", "spread")
CHUNK_S = 6.0
LEAD_MS = {"grid_s1": 20.0, "facegood": -13.0, "other": 20.0}
"""How far the lips lead in each source, as measured with the table; FACEGOOD's capture is half a frame late."""

WEIGHTS = {"grid_s1": (1.0, 0.5), "facegood": (0.0, 0.5)}
"""Weight of opening and of width in the loss, per source."""


@dataclass(frozen=True)
class Example:
    """One clip as tensors: phones (T, P), fixed factors (T,) at the feature rate, curves (N,) at `fps`."""

    source: str
    phones: torch.Tensor
    gain: torch.Tensor
    free: torch.Tensor
    fps: float
    opening: torch.Tensor
    width: torch.Tensor


def tensor(values: np.ndarray) -> torch.Tensor:
    """As float32."""
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))


def examples_of(clip: MouthClip, encoder: SpeechEncoder) -> tuple[list[Example], tuple[str, ...]]:
    """A clip cut into stretches of about `CHUNK_S`."""
    heard = encoder.encode(Speech(clip.samples, len(clip.samples) / 16000, Path(clip.name)))
    channels = articulation.mouth_channels(heard)
    silence = silence_of(heard)
    gain = articulation.loudness_gain(heard.level_db, silence)
    free = (1 - articulation.pause_curve(silence)) * (1 - channels["close"]) * (1 - 0.6 * channels["tuck"])
    source = clip.speaker if clip.speaker in LEAD_MS else "other"
    made, step = [], round(CHUNK_S * clip.fps)
    for start in range(0, max(1, len(clip.opening) - step // 2), step):
        stop = min(len(clip.opening), start + step)
        part = slice(round(start / clip.fps * FEATURE_RATE_HZ), round(stop / clip.fps * FEATURE_RATE_HZ))
        made.append(
            Example(
                source,
                tensor(heard.phones[part]),
                tensor(gain[part]),
                tensor(free[part]),
                clip.fps,
                tensor(clip.opening[start:stop]),
                tensor(clip.width[start:stop]),
            )  # fmt: skip
        )
    return made, heard.phone_names


class Table(nn.Module):
    """The differentiable part of `articulation.mouth_channels`."""

    def __init__(self, phone_names: tuple[str, ...]) -> None:
        super().__init__()
        targets, dominance = visemes.tables(phone_names)
        columns = [visemes.CHANNELS.index(name) for name in CHANNELS]
        self.targets = nn.Parameter(tensor(targets[:, columns]))
        self.log_dominance = nn.Parameter(tensor(np.log(dominance[:, columns])))
        self.log_width_ms = nn.Parameter(tensor(np.log([articulation.KERNEL_MS[name] for name in CHANNELS])))
        self.jaw_narrows = nn.Parameter(torch.tensor(-0.18))
        fitted = torch.ones_like(self.targets)
        fitted[[phone_names.index(name) for name in visemes.BY_PHONETICS], CHANNELS.index("opening")] = 0
        self.targets.register_hook(lambda gradient: gradient * fitted)
        self.start = {name: value.detach().clone() for name, value in self.named_parameters()}

    def smooth(self, curve: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        """As `curves.smooth`."""
        reach = len(kernel) // 2
        return fn.conv1d(fn.pad(curve[None, None], (reach, reach), mode="replicate"), kernel.flip(0)[None, None])[0, 0]

    def kernel(self, column: int) -> torch.Tensor:
        """As `curves.reaching_kernel`."""
        offset_ms = torch.arange(-12, 13) * (1000 / FEATURE_RATE_HZ)
        width_ms = torch.where(offset_ms < 0, self.log_width_ms[column, 0].exp(), self.log_width_ms[column, 1].exp())
        kernel = torch.exp(-0.5 * (offset_ms / width_ms) ** 2)
        return kernel / kernel.sum()

    def forward(self, example: Example) -> tuple[torch.Tensor, torch.Tensor]:
        """Opening and width (N,) at the clip's frames, in units of their own."""
        curves = []
        for column in range(len(CHANNELS)):
            dominance, kernel = self.log_dominance[:, column].exp(), self.kernel(column)
            wish = self.smooth(example.phones @ (dominance * self.targets[:, column]), kernel)
            curves.append(wish / self.smooth(example.phones @ dominance, kernel).clamp_min(1e-4))
        opening = curves[0] * example.gain * example.free
        width = curves[1] * example.free.clamp_min(0.6) + self.jaw_narrows * opening
        last = tensor(reaching_kernel(articulation.SMOOTH_MS, articulation.SMOOTH_MS))
        times_s = torch.arange(len(example.opening)) / example.fps + LEAD_MS[example.source] / 1000
        place = (times_s * FEATURE_RATE_HZ - 0.5).clamp(0, len(opening) - 1.001)
        whole, part = place.long(), place.frac()
        smoothed = [self.smooth(curve, last) for curve in (opening, width)]
        return tuple(curve[whole] * (1 - part) + curve[whole + 1] * part for curve in smoothed)

    def distance(self) -> torch.Tensor:
        """How far the table has moved from where it started."""
        moved = {name: ((value - self.start[name]) ** 2).mean() for name, value in self.named_parameters()}
        return 4 * moved["targets"] + moved["log_dominance"] + 2 * moved["log_width_ms"]


def correlation(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Pearson's, differentiable, 0 where a curve is flat."""
    a, b = a - a.mean(), b - b.mean()
    return (a * b).sum() / (a.norm() * b.norm() + 1e-4)


def fit(table: Table, pools: dict[str, list[Example]], penalty: float, steps: int = 250) -> None:
    """Gradient descent on 1 - correlation plus `penalty` times the distance from the start."""
    optimiser, rng = torch.optim.Adam(table.parameters(), 0.03), np.random.default_rng(0)
    for _ in range(steps):
        loss = penalty * table.distance()
        for source, (opening_weight, width_weight) in WEIGHTS.items():
            for i in rng.integers(0, len(pools[source]), 8):
                example = pools[source][i]
                opening, width = table(example)
                misses = 1 - correlation(opening, example.opening), 1 - correlation(width, example.width)
                loss = loss + (opening_weight * misses[0] + width_weight * misses[1]) / (8 * len(WEIGHTS))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


@torch.no_grad()
def report(table: Table, pools: dict[str, list[Example]], title: str) -> None:
    """Median correlations per source, at the best lag."""
    for source, pool in pools.items():
        rows = [
            [best_correlation(a.numpy(), b.numpy())[0] for a, b in zip(table(e), (e.opening, e.width), strict=True)]
            for e in pool
        ]
        print(f"{title} {source}: opening {np.median(rows, 0)[0]:.3f} width {np.median(rows, 0)[1]:.3f}", flush=True)


def collect(data: Path, cache: Path) -> tuple[dict[str, list[Example]], tuple[str, ...]]:
    """Examples per source; the tracked clips are cached because removing the pose takes a while."""
    path = cache / "mouth_clips.pkl"
    if not path.exists():
        path.write_bytes(pickle.dumps(grid_clips(data / "grid_s1") + facegood_clips(data / "facegood")))
    encoder, pools, names = SpeechEncoder.load(), {}, ()
    for clip in pickle.loads(path.read_bytes()):
        made, names = examples_of(clip, encoder)
        pools.setdefault(made[0].source, []).extend(made)
    return pools, names


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--penalty", type=float, default=0.15)
    args = parser.parse_args()
    torch.set_num_threads(1)
    pools, names = collect(args.data, args.cache)
    table = Table(names)
    report(table, pools, "before")
    fit(table, pools, args.penalty)
    report(table, pools, "after")
    targets, dominance = table.targets.detach().numpy(), table.log_dominance.detach().exp().numpy()
    for i, name in enumerate(names):
        print(
            f'    "{name}": ({targets[i, 0]:.2f}, {dominance[i, 0]:.2f}, {targets[i, 1]:.2f}, {dominance[i, 1]:.2f}),'
        )
    print("kernels", table.log_width_ms.detach().exp().numpy().round(0).tolist(), "jaw", table.jaw_narrows.item())


if __name__ == "__main__":
    main()
