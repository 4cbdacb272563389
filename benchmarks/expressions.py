"""Contact sheets of the controls: one per emotion and one per gaze direction, the same words from the same seed.

Usage
    python -m benchmarks.expressions [--portrait PICTURE ...] [--speech SPEECH] [--out DIR] [--only NAME ...]
                                     [--seconds 4] [--frames 6] [--tile 256] [--seed 0] [--quality 0]

Without a portrait it is the example's. Several portraits are the rows of each sheet; columns are instants up to the
last second. Sheets are PNG, or JPEG with `--quality` 1-95.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.cases import FPS
from benchmarks.performers import hear
from talkface.options import EMOTIONS, RenderOptions

if TYPE_CHECKING:
    from talkface.analysis import Analysis
    from talkface.types import SpeechFeatures

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
GAZES = {"left": (-20.0, 0.0), "right": (20.0, 0.0), "up": (0.0, 12.0), "down": (0.0, -12.0)}
FIRST_S = 1.2
LABEL_PX = 18
SIZE_PX = 768
ROOM = 1.4


def settings() -> dict[str, dict[str, object]]:
    """Name of every sheet, and the options that make it."""
    emotions = {f"emotion_{name}": {"emotions": ((name, 1.0),)} for name in EMOTIONS}
    return emotions | {f"gaze_{name}": {"gaze": gaze} for name, gaze in GAZES.items()}


def understand(portraits: list[Path], options: RenderOptions) -> list[Analysis]:
    """The faces."""
    from talkface.analysis import analyse
    from talkface.device import pick_device
    from talkface.media.image import read_portrait

    return [analyse(read_portrait(path), options, pick_device("cpu")) for path in portraits]


def frames_of(analysis: Analysis, features: SpeechFeatures, options: RenderOptions, at: list[int]) -> list[Image.Image]:
    """Close-ups of the frames `at` of a performance: only these are drawn."""
    from talkface.device import pick_device
    from talkface.pipeline import draw, move

    device = pick_device("cpu")
    motion = move(features, options, max(at) + 1, options.seed, device)
    chosen = replace(motion, values=motion.values[at])
    return [close_up(frame, analysis) for frame in draw(analysis, chosen, options, device)]


def close_up(frame: np.ndarray, analysis: Analysis) -> Image.Image:
    """The square of a frame around the portrait's face, with room to move in."""
    marks = (analysis.fit.landmarks[:, :2] - (analysis.crop.x0, analysis.crop.y0)) * len(frame) / analysis.crop.size
    low, high = marks.min(0), marks.max(0)
    half = min(ROOM * (high - low).max() / 2, len(frame) / 2)
    centre = np.clip((low + high) / 2, half, len(frame) - half)
    return Image.fromarray(frame).crop(
        tuple(np.concatenate([centre - half, centre + half]).round().astype(int).tolist())
    )


def sheet(title: str, rows: list[list[Image.Image]], tile_px: int) -> Image.Image:
    """Rows of frames under a title."""
    picture = Image.new("RGB", (tile_px * len(rows[0]), LABEL_PX + tile_px * len(rows)), "white")
    ImageDraw.Draw(picture).text((4, 3), title, fill="black")
    for r, row in enumerate(rows):
        for c, frame in enumerate(row):
            small = frame.resize((tile_px, tile_px), Image.Resampling.LANCZOS)
            picture.paste(small, (c * tile_px, LABEL_PX + r * tile_px))
    return picture


def sheets(args: argparse.Namespace) -> Iterator[tuple[str, Image.Image]]:
    """Every sheet by name."""
    features = hear(args.speech)
    plain = RenderOptions(size=SIZE_PX, seed=args.seed)
    faces = understand(args.portrait, plain)
    at = np.linspace(FIRST_S * FPS, args.seconds * FPS, args.frames).round().astype(int).tolist()
    for name, choice in settings().items():
        if args.only and name not in args.only:
            continue
        options = RenderOptions(size=SIZE_PX, seed=args.seed, **choice)
        rows = [frames_of(face, features, options, at) for face in faces]
        yield name, sheet(name.replace("_", ": "), rows, args.tile)


def main() -> None:
    """Make the sheets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--portrait", type=Path, nargs="*", default=[EXAMPLES / "portrait.png"])
    parser.add_argument("--speech", type=Path, default=EXAMPLES / "speech.flac")
    parser.add_argument("--out", type=Path, default=Path("expressions"))
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quality", type=int, default=0)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name, picture in sheets(args):
        path = args.out / f"{name}.{'jpg' if args.quality else 'png'}"
        picture.save(path, **({"quality": args.quality} if args.quality else {}))
        print(path)


if __name__ == "__main__":
    main()
