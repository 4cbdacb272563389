r"""The motion model's teacher: the rules of `training.teacher` over many voices, manners, rooms and wishes.

    python -m training.motion_teacher --corpus training/runs/speech/corpus --out training/runs/motion/data --hours 10

The performance comes from what is really said (exact phone segments where there are any), the stored hearing from the
spoiled sound, so that a model learns to see through noise. Every recording is performed several times, each with
another manner, place, seed, gaze, distance and emotion. A shard (one per corpus) that is there already is kept.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from talkface.options import EMOTIONS, GAZE_PITCH_LIMIT_DEG, GAZE_YAW_LIMIT_DEG, HEAD_DISTANCE_RANGE
from talkface.space import MotionSpace
from talkface.speech.encoder import SpeechEncoder
from talkface.types import Controls, Speech, SpeechFeatures
from training.motion_data import FPS, MotionClip, save_clips
from training.motion_sounds import (
    LONGEST_S,
    SHORTEST_S,
    Recording,
    groups,
    join,
    performed,
    posteriors,
    spoiled,
)
from training.speech_augment import Surroundings
from training.speech_corpus import RATE_HZ, read_corpus
from training.speech_phones import INDEX
from training.speech_train import HELD_OUT
from training.teacher.perform import perform

SHARES = {
    "espeak": 0.22, "flite": 0.10, "speechocean762": 0.22, "librispeech": 0.22, "heard": 0.20, "silence": 0.02,
    "kerstin_de": 0.06, "azure_9_languages": 0.06, "ten_languages": 0.05, "mfa_styles": 0.03,
}  # fmt: skip
OTHER_SHARE = 0.01
VARIANTS = 6
CLEAN_SHARE = 0.35
TRACKED = ("grid", "facegood")
"""Voices whose real movement is known: see `motion_tracks`."""


def draw_controls(rng: np.random.Generator) -> Controls:
    """A random wish: half the time the main gaze straight ahead, the distance 1, no emotion."""
    gaze = (0.0, 0.0)
    if rng.random() < 0.5:
        gaze = (rng.uniform(-1, 1) * GAZE_YAW_LIMIT_DEG, rng.uniform(-1, 1) * GAZE_PITCH_LIMIT_DEG)
    distance = float(np.exp(rng.uniform(*np.log(HEAD_DISTANCE_RANGE)))) if rng.random() < 0.4 else 1.0
    count = rng.choice([0, 1, 2], p=[0.5, 0.42, 0.08])
    names = rng.choice(EMOTIONS[1:], count, replace=False)
    emotions = tuple((str(name), float(rng.uniform(0.2, 1.0))) for name in names)
    return Controls(*gaze, distance, emotions)


def relative_motion(features: SpeechFeatures, controls: Controls, frames: int, seed: int) -> np.ndarray:
    """The rules' performance (frames, D), gaze and distance relative to what was asked (see `MotionClip.motion`)."""
    values = perform(features, controls, FPS, frames, seed).values
    asked = perform(replace(features, is_silent=True), replace(controls, amplitude=0.0), FPS, frames, 0).values
    values[:, MotionSpace.gaze] -= asked[:, MotionSpace.gaze]
    values[:, MotionSpace.index("headDistance")] /= controls.head_distance
    return values


@dataclass
class Teacher:
    """Makes clips; `encoder` is the hearing to be stored."""

    encoder: SpeechEncoder
    surroundings: Surroundings

    def hear(self, samples: np.ndarray) -> SpeechFeatures:
        """What the encoder hears in a sound (N,)."""
        return self.encoder.encode(Speech(samples, len(samples) / RATE_HZ, Path("recording")))

    def clip(self, recording: Recording, held_out: bool, rng: np.random.Generator) -> MotionClip:
        """One performance of a recording."""
        recording = performed(recording, rng)
        clean = self.hear(recording.samples)
        heard = clean
        if rng.random() >= CLEAN_SHARE:
            heard = self.hear(spoiled(recording.samples, self.surroundings, rng))
        if recording.whole:
            clean = replace(clean, phones=posteriors(recording.segments, len(clean.phones)), is_silent=False)
        return self._clip(recording, clean, heard, held_out, rng)

    def silent_clip(self, index: int, rng: np.random.Generator) -> MotionClip:
        """A performance of somebody who listens: to nothing, or to noise or music."""
        count = int(rng.uniform(4.0, LONGEST_S) * RATE_HZ)
        samples = np.zeros(count, np.float32)
        if rng.random() < 0.6:
            samples = (0.05 * self.surroundings.bed(rng)[:count]).clip(-1, 1).astype(np.float32)
        heard = self.hear(samples)
        nothing = np.zeros_like(heard.phones)
        nothing[:, INDEX["sil"]] = 1
        clean = replace(heard, phones=nothing, voiced=0 * heard.voiced, pitch_hz=0 * heard.pitch_hz, is_silent=True)
        recording = Recording(f"silence{index}", "silence", samples, np.zeros((0, 3), np.float32))
        return self._clip(recording, clean, heard, index % 10 == 0, rng)

    def _clip(
        self, recording: Recording, clean: SpeechFeatures, heard: SpeechFeatures, held_out: bool, rng
    ) -> MotionClip:
        controls = draw_controls(rng)
        frames = round(recording.duration_s * FPS)
        strengths = dict(controls.emotions)
        return MotionClip.hearing(
            heard,
            name=recording.name,
            source="teacher",
            speaker=recording.speaker,
            held_out=held_out,
            motion=relative_motion(clean, controls, frames, int(rng.integers(2**31))).astype(np.float16),
            known=np.ones(MotionSpace.size, bool),
            gaze_deg=np.array([controls.gaze_yaw_deg, controls.gaze_pitch_deg], np.float32),
            head_distance=controls.head_distance,
            emotion=np.array([strengths.get(name, 0.0) for name in EMOTIONS], np.float32),
            opening=True,
        )


def recordings(corpus: Path, hours: float, rng: np.random.Generator) -> Iterator[tuple[Recording, bool]]:
    """Recordings of one corpus, in random order, until `hours` of them were given; and whether each is held out."""
    utterances = [u for u in read_corpus(corpus) if not u.speaker.startswith(TRACKED) and len(u.samples) > 8000]
    found = list(groups(utterances, rng))
    given_s = 0.0
    for i in rng.permutation(len(found)):
        recording = join(found[i], rng)
        if given_s > hours * 3600:
            return
        if recording.duration_s >= SHORTEST_S:
            given_s += recording.duration_s
            yield recording, found[i][0].speaker.startswith(HELD_OUT)


def teach(teacher: Teacher, corpus: Path, hours: float) -> Iterator[MotionClip]:
    """All clips of one corpus, about `hours` long together; of silence where `corpus` has no file."""
    rng = np.random.default_rng(zlib.crc32(corpus.stem.encode()))
    if not corpus.exists():
        yield from (teacher.silent_clip(i, rng) for i in range(int(hours * 3600 / 10)))
        return
    for recording, held_out in recordings(corpus, hours / VARIANTS, rng):
        for variant in range(VARIANTS):
            clip = teacher.clip(recording, held_out, rng)
            yield replace(clip, name=f"{corpus.stem}/{clip.name}/{variant}")


def stock_of_surroundings(crowd: Path | None) -> Surroundings:
    """Beds and rooms; the voices of the corpus file `crowd`, if there is one, talk among them."""
    count = int(LONGEST_S * RATE_HZ)
    voices = [np.zeros(2 * count, np.int16)]
    if crowd is not None and crowd.exists():
        talk = np.concatenate([u.samples for u in read_corpus(crowd)])
        voices = np.array_split(talk, max(1, len(talk) // (3 * count)))
    return Surroundings(count, voices, np.random.default_rng(0), stock=48)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of corpus files (see speech_corpus)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the shards")
    parser.add_argument("--hours", type=float, default=10.0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    paths = {path.stem: path for path in sorted(args.corpus.glob("*.npz"))}
    paths["silence"] = args.corpus / "silence"
    teacher = Teacher(SpeechEncoder.load("cpu"), stock_of_surroundings(args.corpus / "librispeech.npz"))
    for name, path in paths.items():
        shard = args.out / f"teacher_{name}.npz"
        if not shard.exists():
            clips = list(teach(teacher, path, args.hours * SHARES.get(name, OTHER_SHARE)))
            if clips:
                save_clips(shard, clips)
            print(f"{name}: {len(clips)} clips, {sum(c.duration_s for c in clips) / 3600:.2f} h", flush=True)


if __name__ == "__main__":
    main()
