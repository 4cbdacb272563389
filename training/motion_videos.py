r"""Your own talking videos as training data: track, filter, fit, hear; then `training.motion_train` learns from them.

    python -m training.motion_videos --videos FOLDER --work training/runs/yours --out training/runs/motion/data
    torchrun --nproc-per-node 4 -m -- training.motion_videos ...     (four processes share the videos; GPUs are used)

Any file ffmpeg reads, one person in each, speaking. Finished videos are skipped, so that an interrupted run goes on
where it was. `report.jsonl` in the work folder says, for every video, what was kept, what was not, and why.
"""

from __future__ import annotations

import argparse
import json
import os
import zlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from talkface.errors import TalkfaceError
from talkface.face.tracker import FaceTracker
from talkface.landmarks import COUNT
from talkface.media import ffmpeg
from talkface.media.audio import open_speech
from talkface.motion.mouth import measure
from talkface.space import MotionSpace
from talkface.speech.encoder import SpeechEncoder
from talkface.types import SPEECH_RATE_HZ, SpeechFeatures
from training.motion_data import FPS, save_clips
from training.motion_sounds import LONGEST_S
from training.motion_teacher import Teacher, stock_of_surroundings
from training.motion_tracks import Moved, follow, heard
from training.teacher.articulation import articulate
from training.video_takes import Limits, Takes, cut_into_takes, read_takes, save_takes, watch

HELD_OUT_OF = 20
VARIANTS = 3
LEAST_SPEECH, LEAST_SYNC = 0.2, 0.2
LARGEST_LAG_S, SEARCHED_LAG_S = 0.12, 0.24
WORST_FIT_PERCENT = 6.0
KNOWN = np.array([name not in ("speaking", "tongueOut") for name in MotionSpace.names])


@dataclass(frozen=True)
class Report:
    """What became of one video; lengths in seconds."""

    video: str
    seconds: float
    kept_s: float
    dropped_s: dict[str, float]
    residual_percent: float | None = None
    error: str = ""


def work_share(items: list[Path]) -> list[Path]:
    """This process's share of the work, when torchrun started several."""
    return items[int(os.environ.get("RANK", 0)) :: int(os.environ.get("WORLD_SIZE", 1))]


def own_device() -> torch.device:
    """This process's GPU, if there is one."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count())


def synchrony(motion: np.ndarray, features: SpeechFeatures) -> tuple[float, float]:
    """Best correlation of the lips (T, D) with what the rules make of the voice and its lag, s (+: lips late)."""
    seen = measure(motion[:, MotionSpace.dynamics].astype(np.float64))[0]
    wanted = measure(articulate(features, FPS, len(motion) / FPS).dynamics.astype(np.float64))[0][: len(seen)]
    reach = min(round(SEARCHED_LAG_S * FPS), len(seen) // 4)
    found = []
    for lag in range(-reach, reach + 1):
        a, b = seen[reach + lag : len(seen) - reach + lag], wanted[reach : len(seen) - reach]
        flat = min(a.std(), b.std()) < 1e-4
        found.append((0.0 if flat else float(np.corrcoef(a, b)[0, 1]), lag / FPS))
    return max(found)


def objection(recording: Moved, features: SpeechFeatures) -> str:
    """Why a take teaches nothing; "" when it does."""
    silence = features.phones[:, features.phone_names.index("sil")].astype(np.float32)
    if features.is_silent or (silence < 0.5).mean() < LEAST_SPEECH:
        return "no speech"
    agreement, lag_s = synchrony(recording.motion, features)
    return "" if agreement >= LEAST_SYNC and abs(lag_s) <= LARGEST_LAG_S else "lips and sound do not agree"


def recordings_of(video: Path, takes: Takes, samples: np.ndarray, motions: list[np.ndarray]) -> list[Moved]:
    """The takes of a video with their sound, in pieces of at most `LONGEST_S`."""
    held_out = zlib.crc32(video.stem.encode()) % HELD_OUT_OF == 0
    found, size = [], int(LONGEST_S * FPS)
    for take, motion in zip(takes.kept, motions, strict=True):
        for start in range(0, max(1, len(motion) - size // 8), size):
            part = motion[start : start + size]
            first, count = (round(frames / FPS * SPEECH_RATE_HZ) for frames in (take.first + start, len(part)))
            sound = np.array(samples[first : first + count], np.float32)
            sound = np.pad(sound, (0, count - len(sound)))
            found.append(Moved(f"{video.stem}/{take.first + start}", video.stem, held_out, sound, part, KNOWN))
    return found


@dataclass
class Workshop:
    """Turns videos into shards."""

    work: Path
    out: Path
    limits: Limits
    tracker: FaceTracker
    teacher: Teacher

    def takes_of(self, video: Path) -> Takes:
        """The video's takes, tracked now or in an earlier run."""
        path = self.work / f"{video.name}.takes.npz"
        if not path.exists():
            save_takes(path, cut_into_takes(watch(video, self.tracker), self.limits))
        return read_takes(path)

    def shard_of(self, video: Path) -> Path:
        """Where the video's clips go."""
        return self.out / f"yours_{video.name}.npz"

    def make(self, video: Path) -> Report:
        """Write the video's shard, if it holds anything to learn from."""
        takes = self.takes_of(video)
        dropped = {reason: frames / FPS for reason, frames in takes.dropped.items()}
        report = Report(video.name, takes.frames / FPS, 0.0, dropped)
        if not takes.kept:
            return report
        marks = [take.marks.astype(np.float64) for take in takes.kept]
        motions, residual = follow(marks, np.arange(COUNT), video.stem, 1.0)
        report = replace(report, residual_percent=round(residual.percent, 2))
        if residual.percent > WORST_FIT_PERCENT:
            dropped["poor fit"] = sum(map(len, motions)) / FPS
            return report
        with open_speech(video) as speech:
            recordings = recordings_of(video, takes, speech.samples, motions)
        clips, rng = [], np.random.default_rng(zlib.crc32(video.name.encode()))
        for recording in recordings:
            found = heard(self.teacher, recording, "yours", VARIANTS, rng)
            reason = objection(recording, found[0].features)
            if reason:
                dropped[reason] = dropped.get(reason, 0.0) + found[0].duration_s
            else:
                clips += found
        if clips:
            save_clips(self.shard_of(video), clips)
        return replace(report, kept_s=sum(clip.duration_s for clip in clips[::VARIANTS]))  # the first is as recorded

    def log(self, report: Report) -> None:
        """Append to the report and tell."""
        with (self.work / "report.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(report)) + "\n")
        reasons = ", ".join(f"{reason} {seconds:.0f} s" for reason, seconds in report.dropped_s.items())
        print(
            f"{report.video}: {report.kept_s:.0f} of {report.seconds:.0f} s kept. {report.error or reasons}", flush=True
        )

    def run(self, videos: list[Path]) -> None:
        """Work through the videos that have not been worked through."""
        done = self.work / "done"
        done.mkdir(exist_ok=True)
        for video in videos:
            if (done / video.name).exists():
                continue
            try:
                report = self.make(video)
            except TalkfaceError as error:
                report = Report(video.name, 0.0, 0.0, {}, error=str(error))
            self.log(report)
            (done / video.name).touch()


def find_videos(folder: Path) -> list[Path]:
    """All files below a folder that ffmpeg sees a moving picture and a sound in."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    known = ((path, ffmpeg.probe(path)) for path in files)
    return [path for path, info in known if info and info.video and info.audio and not info.is_still_picture]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=Path, required=True, help="folder of talking videos")
    parser.add_argument("--work", type=Path, required=True, help="folder for tracks and the report")
    parser.add_argument("--out", type=Path, required=True, help="folder for the shards")
    parser.add_argument("--shortest", type=float, default=Limits.seconds, help="seconds of the shortest take")
    parser.add_argument("--smallest", type=float, default=Limits.interocular_px, help="least eye distance in pixels")
    parser.add_argument("--crowd", type=Path, help="corpus file (see speech_corpus) of people who talk in the noise")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for folder in (args.work, args.out):
        folder.mkdir(parents=True, exist_ok=True)
    device = own_device()
    teacher = Teacher(SpeechEncoder.load(device), stock_of_surroundings(args.crowd))
    limits = Limits(seconds=args.shortest, interocular_px=args.smallest)
    workshop = Workshop(args.work, args.out, limits, FaceTracker.load(device), teacher)
    workshop.run(work_share(find_videos(args.videos)))


if __name__ == "__main__":
    main()
