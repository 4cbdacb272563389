"""ffmpeg: the only place that starts a process.

The program comes with the `imageio-ffmpeg` package; there is no ffprobe, so files are described by reading what
`ffmpeg -i` prints. Inputs may only be local files (`-protocol_whitelist`), so a playlist cannot make talkface fetch
anything.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from talkface.errors import EnvironmentFailure, TalkfaceError

CHOICE = "IMAGEIO_FFMPEG_EXE"  # the variable in which imageio-ffmpeg lets its user name another ffmpeg
REINSTALL = "Put it back with: pip install --force-reinstall imageio-ffmpeg"
_COMMON = ("-hide_banner", "-nostdin", "-loglevel", "error")
_DURATION = re.compile(r"Duration: (\d+):(\d+):(\d+(?:\.\d+)?)")
_STREAM = re.compile(r"Stream (?:group )?#\d+:\d+.*?: (Video|Audio|Tile Grid): (.*)")  # a telephone's HEIC is a grid
_HEIF = re.compile(r"major_brand\s*: (?:hei[cfmsx]|mif1|avif)\b")
_SIZE = re.compile(r"\b(\d{2,5})x(\d{2,5})\b")
_FPS = re.compile(r"([\d.]+) fps")
_SPEAKER = re.compile(r"^\[[^]]* @ 0x[0-9a-f]+\] ")
_TEXT_FORMATS = {"tty"}  # ffmpeg draws text files as a terminal would


class FfmpegError(TalkfaceError):
    """ffmpeg ended with an error; `message` is the last line it printed, `log` all of them."""

    def __init__(self, log: str, code: int) -> None:
        lines = [_SPEAKER.sub("", line).strip() for line in log.splitlines() if line.strip()]
        if code < 0:
            lines.append(f"ffmpeg was killed by signal {-code}")
        super().__init__(lines[-1].rstrip(".") if lines else f"ffmpeg ended with code {code}")
        self.log = log


@dataclass(frozen=True)
class VideoStream:
    """A moving picture as ffmpeg describes it; `is_cover` marks the still picture inside a music file."""

    codec: str
    width: int
    height: int
    fps: float
    is_cover: bool


@dataclass(frozen=True)
class AudioStream:
    """A sound as ffmpeg describes it."""

    codec: str
    rate_hz: int


@dataclass(frozen=True)
class MediaInfo:
    """What a file holds, as far as ffmpeg can tell; duration 0 when the file does not say."""

    format_name: str
    duration_s: float
    video: VideoStream | None
    audio: AudioStream | None

    @property
    def is_still_picture(self) -> bool:
        """The file is a picture format, which ffmpeg would read as a video of one frame."""
        return self.format_name in ("image2", "heif") or self.format_name.endswith("_pipe")


def executable() -> str:
    """Path of the ffmpeg program. Raises EnvironmentFailure."""
    import imageio_ffmpeg

    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise EnvironmentFailure("The ffmpeg program is missing.", REINSTALL) from error


def version() -> str:
    """First line of `ffmpeg -version`, shortened. Raises EnvironmentFailure when it does not run."""
    try:
        done = subprocess.run([executable(), "-version"], capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        raise _does_not_run(error) from error
    return done.stdout.split("\n", 1)[0].removeprefix("ffmpeg version ").split(" Copyright")[0]


def url(path: Path) -> str:
    """`path` as ffmpeg must be given it, so that no dash, colon or percent sign in a name means anything."""
    return f"file:{Path(path).absolute()}"


def source(path: Path) -> tuple[str, ...]:
    """The arguments that make a local file an input; whatever it refers to must be local too."""
    return ("-protocol_whitelist", "file,pipe", "-i", url(path))


def run(*arguments: str) -> bytes:
    """Run ffmpeg to its end and return its standard output. Raises FfmpegError."""
    with open_pipe(*arguments, reads=True) as stream:
        return stream.read()


def probe(path: Path) -> MediaInfo | None:
    """What is in the file; None when ffmpeg cannot make anything of it."""
    command = [executable(), "-hide_banner", "-nostdin", *source(path)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, start_new_session=True)
    except OSError as error:
        raise _does_not_run(error) from error
    return parse_info(done.stderr.decode("utf-8", "replace"))


def parse_info(text: str) -> MediaInfo | None:
    """`MediaInfo` from what `ffmpeg -i` prints."""
    header = re.search(r"Input #0, (.+?), from ", text)
    if not header or header.group(1) in _TEXT_FORMATS:
        return None
    streams = _STREAM.findall(text)
    videos = [_video(rest) for kind, rest in streams if kind != "Audio"]
    audios = [_audio(rest) for kind, rest in streams if kind == "Audio"]
    found = _DURATION.search(text)
    hours, minutes, seconds = (float(part) for part in found.groups()) if found else (0.0, 0.0, 0.0)
    return MediaInfo(
        format_name="heif" if _HEIF.search(text) else header.group(1),  # ffmpeg says "mov"
        duration_s=hours * 3600 + minutes * 60 + seconds,
        video=videos[0] if videos else None,
        audio=audios[0] if audios else None,
    )


def count_frames(path: Path) -> int:
    """Number of video packets in the file, without decoding them. Raises FfmpegError."""
    report = run(*source(path), "-map", "0:v:0", "-c", "copy", "-f", "null", "-progress", "pipe:1", "-nostats", "-")
    return max((int(number) for number in re.findall(rb"^frame=(\d+)", report, re.MULTILINE)), default=0)


@contextlib.contextmanager
def open_pipe(*arguments: str, reads: bool) -> Iterator[BinaryIO]:
    """A running ffmpeg, as the stream to read its output from (`reads`) or to write its input to.

    Leaving the block waits for ffmpeg; leaving it by an exception (Ctrl-C too) kills it. ffmpeg gets a session of its
    own, so that a Ctrl-C in the terminal reaches Python alone. Raises FfmpegError with ffmpeg's last line.
    """
    command = [executable(), *_COMMON, *arguments]
    stdin, stdout = (subprocess.DEVNULL, subprocess.PIPE) if reads else (subprocess.PIPE, subprocess.DEVNULL)
    process = None
    with tempfile.TemporaryFile() as log:
        try:
            with _interrupts_wait():
                process = _started(command, stdin=stdin, stdout=stdout, stderr=log)
            stream = process.stdout if reads else process.stdin
            yield stream
            stream.close()
            process.wait()
        except BrokenPipeError:  # ffmpeg has ended; its exit code and its log tell why
            process.wait()
        finally:
            if process is not None:
                _end(process)
        if process.returncode != 0:
            log.seek(0)
            raise FfmpegError(log.read().decode("utf-8", "replace"), process.returncode)


def _started(command: list[str], **streams: object) -> subprocess.Popen:
    try:
        return subprocess.Popen(command, **streams, start_new_session=True)
    except OSError as error:
        raise _does_not_run(error) from error


def _does_not_run(error: Exception) -> EnvironmentFailure:
    hint = f"The variable {CHOICE} names it: change or unset that." if CHOICE in os.environ else REINSTALL
    return EnvironmentFailure(f"The ffmpeg program does not run ({error}).", hint)


def _end(process: subprocess.Popen) -> None:
    """Make sure that the process is gone and its pipes are closed."""
    if process.poll() is None:
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout):
        with contextlib.suppress(BrokenPipeError):
            if stream:
                stream.close()


@contextlib.contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Hold Ctrl-C and the wish to terminate back until the block is over, so that no process starts unnoticed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived = []
    handlers = {
        number: signal.signal(number, lambda *call: arrived.append(call)) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number, _ in arrived[:1]:
            signal.raise_signal(number)


def _video(rest: str) -> VideoStream:
    size, fps = _SIZE.search(rest), _FPS.search(rest)
    return VideoStream(
        codec=rest.split(maxsplit=1)[0].rstrip(","),
        width=int(size.group(1)) if size else 0,
        height=int(size.group(2)) if size else 0,
        fps=float(fps.group(1)) if fps else 0.0,
        is_cover="(attached pic)" in rest,
    )


def _audio(rest: str) -> AudioStream:
    rate = re.search(r"(\d+) Hz", rest)
    return AudioStream(codec=rest.split(maxsplit=1)[0].rstrip(","), rate_hz=int(rate.group(1)) if rate else 0)
