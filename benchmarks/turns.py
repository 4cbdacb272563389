"""What turns of the head make of the picture around the face: how much of it folds or smears.

Usage
    python -m benchmarks.turns PORTRAIT PORTRAIT ... [--out DIR] [--readme benchmarks/README.md]

Every portrait takes every pose of POSES with a face at rest. Where the sheet turns over, the picture folds; where it is
stretched to more than SMEARED times its length, it smears. Both are counted as the share of what there is to see: a
place counts by the steps of brightness about it, since a plain wall shows neither. DIR gets OUT/NAME.png, the poses.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from scipy import ndimage

from benchmarks.expressions import sheet, understand
from benchmarks.publish import publish
from talkface.errors import InputError
from talkface.options import RenderOptions
from talkface.space import ANGLE_AXES, MotionSpace

if TYPE_CHECKING:
    from talkface.rendering.renderer import Renderer

POSES = {
    "yaw": [(-15, 0, 0), (15, 0, 0)],
    "pitch": [(0, -10, 0), (0, 10, 0)],
    "roll": [(0, 0, -10), (0, 0, 10)],
    "all three": [(-15, -10, -10), (15, -10, 10), (-15, 10, 10), (15, 10, -10)],
}
FOLDED = 0.05  # of its area: what is left of a place that turns over or vanishes
SMEARED = 1.8
SIZE_PX = 512
TILE_PX = 256


@dataclass(frozen=True)
class Damage:
    """Shares of what is to be seen, in percent, (P,) for every pose."""

    folded: np.ndarray
    smeared: np.ndarray


def poses() -> np.ndarray:
    """Motion vectors (P, D) of all poses."""
    values = np.zeros((sum(map(len, POSES.values())), MotionSpace.size), np.float32)
    values[:, MotionSpace.index("headDistance")] = 1
    values[:, MotionSpace.columns(*ANGLE_AXES)] = [pose for group in POSES.values() for pose in group]
    return values


def damage(flow: np.ndarray, cell_px: float, weight: np.ndarray) -> Damage:
    """Of displacements (P, 2, h, w) in pixels on cells `cell_px` wide, each with its weight (h, w)."""
    slopes = np.stack([np.stack(np.gradient(flow[:, axis], cell_px, axis=(2, 1)), -1) for axis in (0, 1)], -2)
    slopes += np.eye(2)
    area, length = np.linalg.det(slopes), np.linalg.svd(slopes, compute_uv=False)[..., 0]
    share = 100 * weight / weight.sum()
    return Damage((share * (area < FOLDED)).sum((1, 2)), (share * (length > SMEARED)).sum((1, 2)))


def visible(still: np.ndarray, centres: np.ndarray, cell_px: float) -> np.ndarray:
    """Mean steps of brightness in the cells with the given centres (2, h, w) of a picture (S, S, 3)."""
    steps = np.hypot(*np.gradient(still.astype(np.float32).mean(-1)))
    x, y = centres.round().astype(int).clip(0, len(still) - 1)
    return ndimage.uniform_filter(steps, round(cell_px) + 1)[y, x]


def measure(renderer: Renderer) -> Damage:
    """The damage of all poses to one portrait."""
    head = renderer.head
    turn, shift = renderer.head_motion(renderer.reach.within(poses()))
    flow = head.flow(torch.zeros(len(turn), len(head.basis)), turn, shift).numpy()
    return damage(flow, head.cell_px, visible(renderer.still, head.centres.numpy(), head.cell_px))


def report(damages: list[Damage]) -> str:
    """One row per group of poses: means over the portraits, and the worst of them."""
    lines = ["| turn | poses | folded, % | smeared, % | both, worst portrait, % |", "|---" * 5 + "|"]
    first = 0
    for name, group in POSES.items():
        columns = slice(first, first := first + len(group))
        folded, smeared = (
            np.array([getattr(d, kind)[columns].mean() for d in damages]) for kind in ("folded", "smeared")
        )
        worst = (folded + smeared).max()
        lines.append(f"| {name} | {len(group)} | {folded.mean():.2f} | {smeared.mean():.2f} | {worst:.2f} |")
    return "\n".join(lines) + f"\n\n{len(damages)} portraits.\n"


def main() -> None:
    """Turn every portrait, count, draw, report."""
    from talkface.rendering.renderer import Renderer

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("portraits", type=Path, nargs="+")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--readme", type=Path)
    args = parser.parse_args()
    damages = []
    for path in args.portraits:
        try:
            (face,) = understand([path], RenderOptions(size=SIZE_PX))
        except InputError as error:
            print(f"{path}: left out. {error}", file=sys.stderr, flush=True)
            continue
        renderer = Renderer(face.image, face.fit, face.crop, SIZE_PX)
        damages.append(measure(renderer))
        folded, smeared = damages[-1].folded.mean(), damages[-1].smeared.mean()
        print(f"{path}: folded {folded:.2f} %, smeared {smeared:.2f} %", file=sys.stderr, flush=True)
        if args.out:
            args.out.mkdir(parents=True, exist_ok=True)
            tiles = [Image.fromarray(frame) for frame in renderer.draw(poses())]
            picture = sheet(f"{path.parent.name} {path.stem}", [tiles[:5], tiles[5:]], TILE_PX)
            picture.save(args.out / f"{path.parent.name}_{path.stem}.png")
    text = report(damages)
    if args.readme:
        publish(args.readme, text, "turns")
    print(text)


if __name__ == "__main__":
    main()
