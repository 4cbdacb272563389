"""From a video of somebody talking to takes: stretches in which one face is seen well, without a cut.

Frames come through ffmpeg at 25 frames/s; talkface's own tracker follows the face. What cannot be learned from is left
out, with the reason and the seconds written down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from talkface.face.checks import interocular
from talkface.face.tracker import FaceTracker, TrackedFace
from talkface.landmarks import COUNT
from talkface.media import ffmpeg
from training.motion_data import FPS

LONGEST_SIDE_PX = 960
LOOK_EVERY = 25
"""Frames between two looks at the whole picture, which find other faces and a better one."""

THUMBNAIL, CROP_PX = 24, 128
MOST_CHANGE = 0.14
MOST_JUMP, MOST_SCALING = 0.35, 1.2
OTHER_FACE = 0.5


@dataclass(frozen=True)
class Limits:
    """What a frame and a take must be.

    Attributes:
        interocular_px: least distance of the eyes in the picture, at most `LONGEST_SIDE_PX` wide or high.
        score: least certainty of the tracker. sharpness: see `sharpness`.
        seconds: length of the shortest take.
    """

    interocular_px: float = 28.0
    score: float = 0.6
    sharpness: float = 0.035
    seconds: float = 3.0


@dataclass(frozen=True)
class Sight:
    """What was seen in one frame: landmarks (478, 3) or None, sharpness of the face, how unlike the frame before the
    picture is (0-1), and whether another face is about as large."""

    marks: np.ndarray | None
    score: float
    sharpness: float
    change: float
    crowded: bool


@dataclass(frozen=True)
class Take:
    """Landmarks (T, 478, 3) float32, pixels, of consecutive frames from `first` on."""

    first: int
    marks: np.ndarray


@dataclass
class Takes:
    """The takes of one video, its number of frames, and how many frames were left out for which reason."""

    kept: list[Take] = field(default_factory=list)
    frames: int = 0
    dropped: Counter = field(default_factory=Counter)


def read_frames(path: Path) -> Iterator[np.ndarray]:
    """Frames (H, W, 3) uint8 of a video at `FPS`, upright, the longer side at most `LONGEST_SIDE_PX`."""
    side = f"min({LONGEST_SIDE_PX},max(iw,ih))"
    scale = f"scale='if(gte(iw,ih),{side},-2)':'if(gte(iw,ih),-2,{side})'"
    chain = f"fps={FPS:g}:start_time=0,{scale}"
    with ffmpeg.open_pipe(
        *ffmpeg.source(path), "-map", "0:v:0", "-vf", chain, "-f", "image2pipe", "-c:v", "ppm", "-", reads=True
    ) as stream:
        while stream.readline():  # "P6"; every frame says its own size
            width, height = map(int, stream.readline().split())
            stream.readline()
            yield np.frombuffer(stream.read(width * height * 3), np.uint8).reshape(height, width, 3)


def sharpness(image: np.ndarray, marks: np.ndarray) -> float:
    """Mean second difference of the face's brightness over its spread, at 128 pixels across: 0 when all is blurred."""
    low, high = marks[:, :2].min(0), marks[:, :2].max(0)
    box = (*np.floor(low).astype(int).tolist(), *np.ceil(high).astype(int).tolist())
    grey = Image.fromarray(image).convert("L").crop(box).resize((CROP_PX, CROP_PX), Image.Resampling.BILINEAR)
    pixels = np.asarray(grey, np.float32)
    edges = np.abs(np.diff(pixels, 2, axis=0)).mean() + np.abs(np.diff(pixels, 2, axis=1)).mean()
    return float(edges / (2 * pixels.std() + 1e-3))


def watch(path: Path, tracker: FaceTracker) -> Iterator[Sight]:
    """What is seen in every frame of a video."""
    marks, before = None, None
    for number, image in enumerate(read_frames(path)):
        small = Image.fromarray(image).convert("L").resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
        thumbnail = np.asarray(small, np.float32) / 255
        change = 1.0 if before is None else float(np.abs(thumbnail - before).mean())
        before = thumbnail
        faces: tuple[TrackedFace, ...] = ()
        followed = None
        if marks is not None and change < MOST_CHANGE:
            followed = tracker.track(image, marks)
        if followed is None or number % LOOK_EVERY == 0:
            faces = tracker(image)
        face = followed or (faces[0] if faces else None)
        marks = face.landmarks if face else None
        sizes = [interocular(other.landmarks) for other in faces]
        crowded = len(sizes) > 1 and sizes[1] > OTHER_FACE * sizes[0]
        sharp = sharpness(image, marks) if marks is not None else 0.0
        yield Sight(marks, face.score if face else 0.0, sharp, change, crowded)


def fault(sight: Sight, limits: Limits) -> str:
    """Why a frame cannot be used; "" when it can."""
    if sight.marks is None or sight.score < limits.score:
        return "no face"
    if sight.crowded:
        return "several faces"
    if interocular(sight.marks) < limits.interocular_px:
        return "small face"
    return "blurred" if sight.sharpness < limits.sharpness else ""


def jumps(before: np.ndarray, now: np.ndarray) -> bool:
    """Whether landmarks (478, 3) of one frame cannot be the same face an instant later."""
    size, ratio = interocular(before), interocular(now) / interocular(before)
    moved = np.linalg.norm(now[:, :2].mean(0) - before[:, :2].mean(0))
    return bool(moved > MOST_JUMP * size or not 1 / MOST_SCALING < ratio < MOST_SCALING)


def cut_into_takes(sights: Iterator[Sight], limits: Limits) -> Takes:
    """Join good frames that continue one another; what remains too short is dropped."""
    found, run, first = Takes(), [], 0

    def end() -> None:
        if len(run) >= limits.seconds * FPS:
            found.kept.append(Take(first, np.array(run, np.float32)))
        elif run:
            found.dropped["too short"] += len(run)
        run.clear()

    for number, sight in enumerate(sights):
        found.frames = number + 1
        reason = fault(sight, limits)
        if reason:
            found.dropped[reason] += 1
        if reason or sight.change >= MOST_CHANGE or (run and jumps(run[-1], sight.marks)):
            end()
        if not reason:
            first = first if run else number
            run.append(sight.marks)
    end()
    return found


def save_takes(path: Path, takes: Takes) -> None:
    """Write takes, whole or not at all."""
    part = path.with_suffix(".part.npz")
    marks = [take.marks for take in takes.kept] or [np.zeros((0, COUNT, 3), np.float32)]
    np.savez(
        part,
        marks=np.concatenate(marks),
        firsts=np.array([take.first for take in takes.kept], int),
        counts=np.array([len(take.marks) for take in takes.kept], int),
        frames=takes.frames,
        reasons=np.array(list(takes.dropped), str),
        dropped=np.array(list(takes.dropped.values()), int),
    )
    part.rename(path)


def read_takes(path: Path) -> Takes:
    """What `save_takes` wrote."""
    with np.load(path) as data:
        parts = np.split(data["marks"], np.cumsum(data["counts"]))[:-1]
        kept = [Take(int(first), marks) for first, marks in zip(data["firsts"], parts, strict=True)]
        dropped = Counter(dict(zip(data["reasons"].tolist(), data["dropped"].tolist(), strict=True)))
        return Takes(kept, int(data["frames"]), dropped)
