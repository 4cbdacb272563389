"""Videos out: frames through a pipe into one ffmpeg, sound muxed in the same pass, checked before it gets its name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from talkface.errors import RenderError
from talkface.media import ffmpeg
from talkface.media.audio import START_AT_ZERO
from talkface.media.files import disk_full

SUFFIXES = (".mp4", ".m4v")
MAX_SIDE_PX = 4096
_AUDIO_RATES_HZ = (22_050, 24_000, 32_000, 44_100, 48_000)
_AAC_FRAME = 1024
_DISK_FULL = "No space left on device"
_PIPE_BYTES = 1 << 20
_LEAST_CRF = 1  # 0 is lossless to x264, in a profile that hardly any player knows
# The colour matrix that every player assumes for small pictures, written into the file as well.
_COLOUR = (
    "-vf", "scale=out_color_matrix=smpte170m:out_range=tv:flags=accurate_rnd+bicubic,"
    "setparams=colorspace=smpte170m:color_primaries=bt709:color_trc=iec61966-2-1:range=tv",
    "-pix_fmt", "yuv420p",
)  # fmt: skip
_REPEATABLE = ("-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact")


@dataclass(frozen=True)
class VideoSpec:
    """What the finished file must be."""

    width: int
    height: int
    rate: Fraction
    frames: int
    crf: int
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def duration_s(self) -> float:
        """Length of the picture, and so of the sound."""
        return float(self.frames / self.rate)


def encode(frames: Iterable[np.ndarray], part: Path, spec: VideoSpec, sound: Path) -> None:
    """Write `spec.frames` frames (H, W, 3) uint8 RGB and the sound, padded or cut to the picture's length, to `part`.

    Raises RenderError when ffmpeg fails or the number of frames is not the promised one, EnvironmentFailure when the
    disk is full.
    """
    written = 0
    try:
        with ffmpeg.open_pipe(*_arguments(part, spec, sound), reads=False) as pipe:
            _widen(pipe)
            for frame in frames:
                if frame.shape != (spec.height, spec.width, 3) or frame.dtype != np.uint8:
                    raise RenderError(
                        f"Expected frames of {spec.width}x{spec.height} uint8, got {frame.shape} {frame.dtype}."
                    )
                pipe.write(np.ascontiguousarray(frame).data)
                written += 1
    except ffmpeg.FfmpegError as error:
        if _DISK_FULL in error.log:
            raise disk_full() from error
        raise RenderError(f"The video could not be encoded: {error.message}.", "Run: talkface doctor") from error
    if written != spec.frames:
        raise RenderError(f"Expected {spec.frames} frames, got {written}.")


def verify(part: Path, spec: VideoSpec) -> None:
    """Read back what was written. Raises RenderError naming the first thing that is not as `spec` says."""
    info = ffmpeg.probe(part)
    if info is None or info.video is None or info.audio is None:
        raise RenderError("The written video lacks its picture or its sound.", "Run: talkface doctor")
    slack_s = float(1 / spec.rate) + _AAC_FRAME / max(1, info.audio.rate_hz)
    checks = (
        ("codec", "h264", info.video.codec),
        ("size", (spec.width, spec.height), (info.video.width, info.video.height)),
        ("frame rate", round(float(spec.rate), 2), info.video.fps),
        ("sound", "aac", info.audio.codec),
        ("number of frames", spec.frames, ffmpeg.count_frames(part)),
    )
    for what, expected, got in checks:
        if expected != got:
            raise RenderError(f"The written video's {what} is wrong: expected {expected}, got {got}.")
    if abs(info.duration_s - spec.duration_s) > slack_s:
        raise RenderError(
            f"The written video's length is wrong: expected {spec.duration_s:.3f} s, got {info.duration_s:.3f} s."
        )


def _arguments(part: Path, spec: VideoSpec, sound: Path) -> list[str]:
    info = ffmpeg.probe(sound)
    rate_hz = info.audio.rate_hz if info and info.audio else 0
    length_s = f"{spec.duration_s:.6f}"
    picture = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{spec.width}x{spec.height}", "-r", str(spec.rate)]
    codec = ["-c:v", "libx264", "-preset", "veryfast", "-crf", str(max(spec.crf, _LEAST_CRF))]
    voice = ["-af", f"{START_AT_ZERO},apad,atrim=end={length_s}", "-c:a", "aac", "-b:a", "160k", "-ac", "2"]
    if rate_hz not in _AUDIO_RATES_HZ:
        voice += ["-ar", "48000"]
    tags = [item for key, value in spec.metadata.items() for item in ("-metadata", f"{key}={value}")]
    return [
        *picture, "-i", "pipe:0", *ffmpeg.source(sound), "-map", "0:v:0", "-map", "1:a:0",
        *_COLOUR, *codec, *voice, *_REPEATABLE, "-map_metadata", "-1", "-map_chapters", "-1", *tags,
        "-movflags", "+faststart", "-f", "mp4", "-y", ffmpeg.url(part),
    ]  # fmt: skip


def _widen(pipe: object) -> None:
    """Let the pipe hold a whole frame or so, which saves wake-ups of both processes; not every system can."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
