"""The same performance on the CPU and on another device: how fast each stage is, and how far the results are apart.

Usage
    python -m benchmarks.devices [--device cuda] [--seconds 60] [--readme benchmarks/README.md]

The example's speech is repeated for so many seconds and rendered at 512x512 by each device, sound and encoding
included, as `talkface render` does it; then motion and frames are made alone and compared. On a machine without the
device the command says so.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import soundfile
import torch

from benchmarks.publish import publish
from talkface import pipeline
from talkface.analysis import Analysis, analyse
from talkface.bench import FrameWatch, example
from talkface.device import device_label, pick_device
from talkface.media.audio import open_speech
from talkface.media.image import read_portrait
from talkface.options import RenderOptions
from talkface.progress import Progress
from talkface.space import MotionSpace
from talkface.types import MotionSequence

SEED = 1
COMPARED_FRAMES = 250
SPEED_ROWS = ("whole render, s", "frames/s while encoding", "listening, s", "motion, s", "drawing, ms a frame")


@dataclass(frozen=True)
class Run:
    """What one device made of the speech: its name, the figures of SPEED_ROWS, the motion and the first frames."""

    device: str
    speed: tuple[float, ...]
    motion: MotionSequence
    frames: np.ndarray


def repeated_speech(folder: Path, seconds: float) -> Path:
    """A file in `folder` with the example's speech said over and over."""
    samples, rate_hz = soundfile.read(example("speech.flac"))
    path = folder / "speech.wav"
    soundfile.write(path, np.resize(samples, round(seconds * rate_hz)), rate_hz)
    return path


def run_on(name: str, speech: Path) -> Run:
    """Render, then make motion and frames alone, each once before it is timed."""
    device, portrait = pick_device(name), example("portrait.png")
    options = RenderOptions(seed=SEED, device=name, force=True)

    def timed(make: Callable[[Progress], object]) -> tuple[float, object]:
        make(Progress())
        began = time.perf_counter()
        made = make(watch)
        return time.perf_counter() - began, made

    video, watch = speech.with_name(f"{name}.mp4"), FrameWatch(Progress())
    whole_s, _ = timed(lambda progress: pipeline.render(portrait, speech, video, options, progress))
    analysis = analyse(read_portrait(portrait), options, device)
    with open_speech(speech) as voice:
        count = options.frame_count(voice.duration_s)
        listening_s, features = timed(lambda _: pipeline.listen(voice, device))
    motion_s, motion = timed(lambda _: pipeline.move(features, options, count, SEED, device))
    frame_s, frames = _drawn(analysis, motion, options, device)
    speed = (whole_s, watch.frames_per_s(), listening_s, motion_s, 1e3 * frame_s)
    return Run(device_label(device), speed, motion, frames)


def _drawn(
    analysis: Analysis, motion: MotionSequence, options: RenderOptions, device: torch.device
) -> tuple[float, np.ndarray]:
    """Seconds per frame of drawing without encoding, and the first COMPARED_FRAMES frames.

    Those are drawn once before all are timed: frames are drawn ahead, so a clock started among them would miss some.
    """
    kept = np.stack(list(islice(pipeline.draw(analysis, motion, options, device), COMPARED_FRAMES)))
    frames = pipeline.draw(analysis, motion, options, device)
    began = time.perf_counter()
    for _ in frames:
        pass
    return (time.perf_counter() - began) / len(motion.values), kept


def report(runs: list[Run]) -> str:
    """The Markdown report: the first run is what the others are compared with."""
    first, *others = runs
    lines = ["| figure | " + " | ".join(run.device for run in runs) + " |", "|---" * (len(runs) + 1) + "|"]
    for row, values in zip(SPEED_ROWS, zip(*(run.speed for run in runs), strict=True), strict=True):
        lines.append(f"| {row} | " + " | ".join(f"{value:.3g}" for value in values) + " |")
    return "\n".join([*lines, "", *(apart(first, other) for other in others)]) + "\n"


def apart(one: Run, other: Run) -> str:
    """A sentence: the axis whose motion differs most, and the least alike of the frames."""
    difference = np.abs(one.motion.values - other.motion.values).max(0)
    axis = int(difference.argmax())
    noise = np.square(one.frames.astype(np.float32) - other.frames.astype(np.float32)).mean((1, 2, 3)).max()
    psnr_db = 10 * np.log10(255**2 / max(float(noise), 1e-9))
    return (
        f"Apart: motion by at most {difference[axis]:.4f} ({MotionSpace.names[axis]}), "
        f"frames by at most {psnr_db:.1f} dB PSNR."
    )


def main() -> None:
    """Run on both, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--readme", type=Path, help="publish the report between its markers in this file")
    args = parser.parse_args()
    if args.seconds * RenderOptions().fps < COMPARED_FRAMES:
        parser.error(f"--seconds: too short; {COMPARED_FRAMES} frames are compared")
    pick_device(args.device)
    with tempfile.TemporaryDirectory(prefix="talkface-devices-") as folder:
        speech = repeated_speech(Path(folder), args.seconds)
        text = report([run_on(name, speech) for name in ("cpu", args.device)])
    if args.readme:
        publish(args.readme, text, "devices")
    print(text)


if __name__ == "__main__":
    main()
