"""Sounds in: anything ffmpeg or libsndfile reads, as 16 kHz mono on disk, so that hours of speech cost no memory.

The video's sound later goes through the same ffmpeg reader as the samples here, so both start at the same instant:
readers differ by 25-50 ms in how they treat the padding of MP3 and M4A. Where the original cannot be used as it stands
(holes of NaN, or a format only libsndfile knows), a repaired copy takes its place.
"""

from __future__ import annotations

import contextlib
import errno
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from talkface.errors import EnvironmentFailure, InputError
from talkface.media import ffmpeg
from talkface.media.files import require_file
from talkface.types import SPEECH_RATE_HZ, Speech

MIN_DURATION_S = 0.2
START_AT_ZERO = "asetpts=N/SR/TB"
_BLOCK_BYTES = 4 * SPEECH_RATE_HZ * 10  # ten seconds
_COPY_BLOCK_FRAMES = 1 << 18
_SILENT_PEAK = 10 ** (-60 / 20)  # -60 dB of full scale
_CLIP_LEVEL = 0.985  # resampling leaves clipped samples a little below 1
_CLIPPED_SHARE = 0.002  # of the samples: single loud ones are no fault
_HEADER_TOLERANCE_S = 0.02  # a header further off is wrong, or speaks of another stream
_REPAIR = "aeval='if(isnan(val(ch))+isinf(val(ch)),0,val(ch))':c=same"
_SWAPPED = "The portrait and the speech look swapped: talkface render PORTRAIT SPEECH -o OUT.mp4"
_FIRST_CHANNEL = "pan=mono|c0=c0"
_ALL_CHANNELS = "aformat=channel_layouts=mono"


@contextlib.contextmanager
def open_speech(path: Path) -> Iterator[Speech]:
    """The sound at `path`; its samples are a memory map in a temporary folder that goes away with the block.

    Raises InputError when there is no usable sound (missing, empty, damaged, shorter than 0.2 s, not a sound), and
    EnvironmentFailure when the temporary folder has no room for it (230 MB an hour).
    """
    path = Path(path)
    require_file(path, "speech")
    with tempfile.TemporaryDirectory(prefix="talkface-", ignore_cleanup_errors=True) as folder:
        try:
            speech = _read(path, Path(folder))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            where = Path(folder).parent
            raise EnvironmentFailure(
                f"The folder for temporary files, {where}, is full.", "Make room there, or name another in TMPDIR."
            ) from error
        yield speech


def _read(path: Path, folder: Path) -> Speech:
    info = ffmpeg.probe(path)
    source, notes = _readable(path, info, folder), []
    raw, stats = _decode(source, folder / "speech.f32", path)
    if stats.unusable:
        notes.append("The speech held samples that are not numbers (NaN or infinite); they were silenced.")
        source = _repaired(source, folder, path)
        raw, stats = _decode(source, folder / "repaired.f32", path)
    if stats.count and stats.peak < _SILENT_PEAK:
        raw, first = _decode(source, folder / "first.f32", path, _FIRST_CHANNEL)  # channels may cancel out
        stats = first if first.count else stats
    duration_s = _duration_s(path, info, stats.count / SPEECH_RATE_HZ)
    if duration_s < MIN_DURATION_S:
        raise InputError(
            f"The speech {path.name} lasts {duration_s:.2f} s; at least {MIN_DURATION_S:g} s are needed.",
            "Use a longer recording.",
        )
    if stats.peak < _SILENT_PEAK:
        notes.append("The speech is silent; the mouth will stay closed.")
    elif stats.clipped > _CLIPPED_SHARE * stats.count:
        notes.append("The speech is clipped (recorded too loud); the lips may follow it less well.")
    samples = np.memmap(raw, dtype=np.float32, mode="r", shape=(stats.count,))
    return Speech(samples, duration_s, source, tuple(notes))


@dataclass(frozen=True)
class _Stats:
    """What passed by while decoding: sample counts and the peak."""

    count: int = 0
    unusable: int = 0
    clipped: int = 0
    peak: float = 0.0


def _decode(source: Path, target: Path, original: Path, channels: str = _ALL_CHANNELS) -> tuple[Path, _Stats]:
    """Write `source` as float32 mono 16 kHz to `target`, block by block."""
    arguments = (
        *ffmpeg.source(source),
        "-map",
        "0:a:0",
        "-af",
        f"{START_AT_ZERO},{channels},aresample={SPEECH_RATE_HZ}",
    )
    stats = _Stats()
    try:
        with ffmpeg.open_pipe(*arguments, "-f", "f32le", "-", reads=True) as stream, target.open("wb") as file:
            while block := stream.read(_BLOCK_BYTES):
                samples = np.frombuffer(block, np.float32)
                usable = np.isfinite(samples)
                samples = np.where(usable, samples, 0).clip(-1.0, 1.0)
                level = np.abs(samples)
                stats = _Stats(
                    count=stats.count + len(samples),
                    unusable=stats.unusable + int((~usable).sum()),
                    clipped=stats.clipped + int((level >= _CLIP_LEVEL).sum()),
                    peak=max(stats.peak, float(level.max(initial=0))),
                )
                file.write(samples.tobytes())
    except ffmpeg.FfmpegError as error:
        raise _damaged(original, error.message) from error
    return target, stats


def _readable(path: Path, info: ffmpeg.MediaInfo | None, folder: Path) -> Path:
    """`path`, or a copy of it in a format ffmpeg understands."""
    if info and info.audio:
        return path
    if info and info.is_still_picture:
        raise InputError(f"The speech {path.name} is a picture, not a sound.", _SWAPPED)
    if info and info.video:
        raise InputError(f"The video {path.name} has no sound.", "Use a recording of a voice.")
    return _copy_by_libsndfile(path, folder / "copy.w64")


def _copy_by_libsndfile(path: Path, copy: Path) -> Path:
    try:
        with soundfile.SoundFile(path) as source:
            rate_hz, channels = source.samplerate, source.channels
            with soundfile.SoundFile(copy, "w", rate_hz, channels, subtype="FLOAT", format="W64") as target:
                for block in source.blocks(_COPY_BLOCK_FRAMES, dtype="float32", always_2d=True):
                    target.write(block)
    except (soundfile.LibsndfileError, RuntimeError, ValueError) as error:
        raise _damaged(path, "its header makes no sense") from error
    return copy


def _repaired(source: Path, folder: Path, original: Path) -> Path:
    """A copy of the sound with every NaN and infinity replaced by silence, all channels kept."""
    copy = folder / "repaired.w64"
    filters = f"{START_AT_ZERO},{_REPAIR}"
    try:
        ffmpeg.run(*ffmpeg.source(source), "-map", "0:a:0", "-af", filters, "-c:a", "pcm_f32le", ffmpeg.url(copy))
    except ffmpeg.FfmpegError as error:
        raise _damaged(original, error.message) from error
    return copy


def _duration_s(path: Path, info: ffmpeg.MediaInfo | None, decoded_s: float) -> float:
    """Exact length from the header where libsndfile reads it and it agrees with what was decoded; not of MP3, whose
    odd headers it complains of to the terminal."""
    if info and info.format_name == "mp3":
        return decoded_s
    with contextlib.suppress(soundfile.LibsndfileError, RuntimeError, ZeroDivisionError):
        info = soundfile.info(path)
        header_s = info.frames / info.samplerate
        if abs(header_s - decoded_s) < _HEADER_TOLERANCE_S:
            return header_s
    return decoded_s


def _damaged(path: Path, reason: str) -> InputError:
    return InputError(
        f"The speech {path.name} cannot be read as sound ({reason}).", "Use a WAV, FLAC, MP3, M4A or OGG recording."
    )
