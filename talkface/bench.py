"""`talkface bench`: every stage in numbers, beside operations that tell how fast this machine is."""

from __future__ import annotations

import contextlib
import itertools
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from talkface import pipeline
from talkface.analysis import analyse
from talkface.device import pick_device
from talkface.errors import InputError
from talkface.media.audio import open_speech
from talkface.media.image import read_portrait
from talkface.media.video import VideoSpec, encode
from talkface.options import RenderOptions
from talkface.progress import Progress

if TYPE_CHECKING:
    import torch

PER_FRAME_STAGES = ("voice", "motion", "video")
DRAWN_FRAMES = 200
NOISE_FRAMES = 50
BENCH_SEED = 1
WARM_UP_FRAMES = 16
_REFERENCE_REPEATS = 20
_MEMORY_COPY_BYTES = 64 * 2**20
_GEMM_SIDE = 512


@dataclass(frozen=True)
class BenchReport:
    """What one benchmark run measured.

    Attributes:
        device: where it ran; threads: torch's on the CPU.
        frames, size, fps: what was rendered.
        steps: sampling steps of the motion model.
        start_s: seconds of each stage that does not depend on the length.
        per_frame_ms: milliseconds per frame of each stage that does; "motion" includes loading the model, "video" is
            drawing and encoding together.
        frames_per_s: steady state, encoding included.
        reference_ms: one operation each, on the same machine in the same run.
        peak_memory_mb: of this process, and of ffmpeg beside it.
    """

    device: str
    threads: int
    frames: int
    size: int
    fps: float
    steps: int
    total_s: float
    start_s: dict[str, float]
    per_frame_ms: dict[str, float]
    frames_per_s: float
    reference_ms: dict[str, float]
    peak_memory_mb: dict[str, float]


def measure(
    portrait: Path | None, speech: Path | None, options: RenderOptions, progress: Progress | None = None
) -> BenchReport:
    """Render once as a user would, then moving, drawing and encoding by themselves, then the reference operations."""
    import torch

    options = replace(options, seed=BENCH_SEED)
    portrait, speech = portrait or example("portrait.png"), speech or example("speech.flac")
    progress = progress or Progress()
    watch = FrameWatch(progress)
    with tempfile.TemporaryDirectory(prefix="talkface-bench-") as folder:
        started = time.perf_counter()
        result = pipeline.render(portrait, speech, Path(folder) / "bench.mp4", options, watch)
        total_s = time.perf_counter() - started
        memory_mb = {"talkface": peak_memory_mb(), "ffmpeg": watch.ffmpeg_mb}
        device = pick_device(options.device)
        drawn = _draw_alone(portrait, speech, options, device, progress)
        progress.stage("Encoding alone")
        encode_ms = _encode_ms(drawn.frames, options.rate, Path(folder), options.crf)
        progress.stage("Reference operations")
        references = reference_ms(device) | {
            "x264_of_noise": _encode_ms(_noise(options.size), options.rate, Path(folder))
        }
    per_frame = {name: 1e3 * result.timings_s[name] / result.frames for name in PER_FRAME_STAGES}
    per_frame |= {"moving_alone": drawn.moving_ms, "drawing_alone": drawn.drawing_ms, "encoding_alone": encode_ms}
    return BenchReport(
        device=result.device,
        threads=torch.get_num_threads(),
        frames=result.frames,
        size=options.size,
        fps=result.fps,
        steps=result.steps,
        total_s=round(total_s, 2),
        start_s={name: value for name, value in result.timings_s.items() if name not in PER_FRAME_STAGES},
        per_frame_ms=_rounded(per_frame),
        frames_per_s=round(watch.frames_per_s(), 1),
        reference_ms=_rounded(references),
        peak_memory_mb=_rounded(memory_mb),
    )


def table(report: BenchReport) -> str:
    """The report as lines of text."""
    lines = [
        f"device           {report.device}, {report.threads} threads",
        f"video            {report.frames} frames of {report.size}x{report.size} at {report.fps:g} frames/s",
        f"motion           {report.steps} sampling steps",
        f"steady state     {report.frames_per_s:g} frames/s, encoding included",
        f"everything       {report.total_s:g} s",
    ]
    for title, unit, values in (
        ("start", "s", report.start_s),
        ("per frame", "ms", report.per_frame_ms),
        ("reference", "ms", report.reference_ms),
        ("peak memory", "MB", report.peak_memory_mb),
    ):
        lines += ["", f"{title} ({unit})", *(f"  {name:<24}{value:>10.2f}" for name, value in values.items())]
    return "\n".join(lines)


def example(name: str) -> Path:
    """A file of `examples/`: inside the installed package, else in the repository. Raises InputError."""
    package = Path(__file__).resolve().parent
    for folder in (package / "examples", package.parent / "examples"):
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"The example {name} is missing.", "Name a portrait and a speech: talkface bench PORTRAIT SPEECH")


def reference_ms(device: torch.device) -> dict[str, float]:
    """Milliseconds of a bilinear grid_sample of a 512x512 frame, a 512 matrix product and a 64 MB copy on `device`."""
    import torch

    frame = torch.rand(1, 3, 512, 512, device=device)
    grid = torch.rand(1, 512, 512, 2, device=device) * 2 - 1
    matrix = torch.rand(_GEMM_SIDE, _GEMM_SIDE, device=device)
    block = torch.zeros(_MEMORY_COPY_BYTES, dtype=torch.uint8, device=device)
    operations: dict[str, Callable[[], object]] = {
        "grid_sample_512": lambda: torch.nn.functional.grid_sample(frame, grid, align_corners=False),
        "matmul_512": lambda: matrix @ matrix,
        "copy_64_mb": block.clone,
    }
    return {name: _time_ms(operation, device) for name, operation in operations.items()}


def peak_memory_mb() -> float:
    """Largest resident size of this process so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def children_memory_mb() -> float:
    """Largest resident size of the processes started by this one that still run; 0 where the system does not tell."""
    peaks_kb = [0]
    for children in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in children.read_text().split():
                peaks_kb += re.findall(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{child}/status").read_text())
    return max(map(int, peaks_kb)) * 1024 / 1e6


@dataclass(frozen=True)
class _Drawn:
    frames: list[np.ndarray]
    moving_ms: float
    drawing_ms: float


class FrameWatch(Progress):
    """Passes everything on and remembers when frames were done and what ffmpeg took."""

    def __init__(self, listener: Progress) -> None:
        self.listener = listener
        self.times_s: list[float] = []
        self.ffmpeg_mb = 0.0

    def stage(self, title: str, frames: int = 0) -> None:
        """Pass on."""
        self.listener.stage(title, frames)

    def advance(self) -> None:
        """Remember and pass on."""
        self.times_s.append(time.perf_counter())
        if len(self.times_s) % WARM_UP_FRAMES == 0:
            self.ffmpeg_mb = max(self.ffmpeg_mb, children_memory_mb())
        self.listener.advance()

    def warn(self, text: str) -> None:
        """Pass on."""
        self.listener.warn(text)

    def frames_per_s(self) -> float:
        """Speed after the first batches."""
        steady = self.times_s[WARM_UP_FRAMES:]
        return (len(steady) - 1) / (steady[-1] - steady[0]) if len(steady) > 1 else 0.0


def _draw_alone(
    portrait: Path, speech: Path, options: RenderOptions, device: torch.device, progress: Progress
) -> _Drawn:
    """The whole performance once more, and its first frames, without encoding."""
    progress.stage("Moving and drawing alone")
    analysis = analyse(read_portrait(portrait), options, device)
    with open_speech(speech) as voice:
        features = pipeline.listen(voice, device)
        frame_count = options.frame_count(voice.duration_s)
    start = time.perf_counter()
    motion = pipeline.move(features, options, frame_count, BENCH_SEED, device)
    moving_ms = 1e3 * (time.perf_counter() - start) / frame_count
    for _ in itertools.islice(pipeline.draw(analysis, motion, options, device), WARM_UP_FRAMES):
        pass
    some = replace(motion, values=motion.values[:DRAWN_FRAMES])
    frames = pipeline.draw(analysis, some, options, device)
    start = time.perf_counter()
    kept = list(frames)
    return _Drawn(kept, moving_ms, 1e3 * (time.perf_counter() - start) / len(kept))


def _encode_ms(frames: list[np.ndarray], rate: Fraction, folder: Path, crf: int = 18) -> float:
    """Milliseconds per frame of encoding, with a silent sound."""
    import soundfile

    sound = folder / "silence.wav"
    soundfile.write(sound, np.zeros(16_000, np.float32), 16_000)
    spec = VideoSpec(frames[0].shape[1], frames[0].shape[0], rate, len(frames), crf)
    start = time.perf_counter()
    encode(frames, folder / "encode.mp4", spec, sound)
    return 1e3 * (time.perf_counter() - start) / len(frames)


def _noise(size: int) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return list(generator.integers(0, 256, (NOISE_FRAMES, size, size, 3), dtype=np.uint8))


def _time_ms(operation: Callable[[], object], device: torch.device) -> float:
    """Median time of an operation, waiting for the device."""
    import torch

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    def once() -> float:
        start = time.perf_counter()
        operation()
        wait()
        return time.perf_counter() - start

    once()
    return 1e3 * float(np.median([once() for _ in range(_REFERENCE_REPEATS)]))


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in values.items()}
