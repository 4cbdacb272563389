"""Contact sheets: our video and the recording (or VASA-1's video) at the same instants, one picture per case.

Usage
    python -m benchmarks.contact_sheets --eval DIR --ours DIR [--out DIR] [--cases real vasa1 NAME...] [--frames 8]
                                        [--from SECONDS --to SECONDS] [--crop]

OURS holds the videos made by benchmarks.quality. Rows: the reference, ours, and the rules' where there is one. `--from
1 --to 1.4 --frames 10` looks at neighbouring frames, `--crop` at the middle of the face.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from PIL import Image, ImageDraw

from benchmarks.cases import FPS, Case, find_cases

TILE_PX = 256
LABEL_PX = 18


def read_frames(video: Path) -> list[np.ndarray]:
    """All frames (H, W, 3) uint8 of a video, at FPS frames a second."""
    reader = imageio_ffmpeg.read_frames(str(video), output_params=["-r", str(FPS)])
    width, height = next(reader)["size"]
    return [np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in reader]


def tile(frame: np.ndarray, crop: bool) -> Image.Image:
    """One frame, TILE_PX wide and high; with `crop` its middle only."""
    picture = Image.fromarray(frame)
    if crop:
        w, h = picture.size
        picture = picture.crop((int(0.25 * w), int(0.25 * h), int(0.75 * w), int(0.85 * h)))
    return picture.resize((TILE_PX, TILE_PX), Image.Resampling.LANCZOS)


def sheet(rows: dict[str, list[np.ndarray]], at: list[int], crop: bool) -> Image.Image:
    """Rows of frames under their time, each row named."""
    picture = Image.new("RGB", (TILE_PX * len(at), (TILE_PX + LABEL_PX) * len(rows)), "white")
    draw = ImageDraw.Draw(picture)
    for r, (title, frames) in enumerate(rows.items()):
        top = r * (TILE_PX + LABEL_PX)
        for c, index in enumerate(at):
            draw.text((c * TILE_PX + 4, top + 3), f"{title}  {index / FPS:.2f} s", fill="black")
            picture.paste(tile(frames[min(index, len(frames) - 1)], crop), (c * TILE_PX, top + LABEL_PX))
    return picture


def case_sheet(case: Case, ours: Path, count: int, span_s: tuple[float, float], crop: bool) -> Image.Image:
    """The sheet of one case: `count` instants spread over `span_s`, or over the whole video."""
    rows = {"VASA-1" if case.group == "vasa1" else "recording": read_frames(case.reference),
            "talkface": read_frames(ours / f"{case.group}_{case.name}.mp4")}  # fmt: skip
    by_rules = ours / "rules" / f"{case.group}_{case.name}.mp4"
    if by_rules.exists():
        rows["rules"] = read_frames(by_rules)
    last = min(len(frames) for frames in rows.values()) - 1
    begin, end = min(int(span_s[0] * FPS), last), min(int(span_s[1] * FPS), last)
    return sheet(rows, np.linspace(begin, end, count).round().astype(int).tolist(), crop)


def main() -> None:
    """Make the sheets of all cases that have been rendered."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eval", type=Path, required=True)
    parser.add_argument("--ours", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("sheets"))
    parser.add_argument("--cases", nargs="*", default=[])
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--from", type=float, default=0.0, dest="begin_s")
    parser.add_argument("--to", type=float, default=1e6, dest="end_s")
    parser.add_argument("--crop", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for case in find_cases(args.eval, args.cases):
        if (args.ours / f"{case.group}_{case.name}.mp4").exists():
            path = args.out / f"{case.group}_{case.name}.png"
            case_sheet(case, args.ours, args.frames, (args.begin_s, args.end_s), args.crop).save(path)
            print(path)


if __name__ == "__main__":
    main()
