r"""Real movement for the motion model: GRID's landmarks fitted with the face model, FACEGOOD's captured blendshapes.

    python -m training.motion_tracks --data ../shared/data --out training/runs/motion/data

Every recording is heard several times: as it is, and spoiled by noise, rooms and manners of speaking. Prints how far
the fitted model is from the landmarks. GRID's other speakers, a twentieth of speaker 1's recordings and one of
FACEGOOD's are held out.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile as sf
import torch

from talkface.motion.curves import ease
from talkface.motion.mouth import OPENING_PER_UNIT, measure
from talkface.options import EMOTIONS
from talkface.space import DYNAMICS_AXES, MOUTH_AXES, UPPER_AXES, MotionSpace
from talkface.speech.encoder import SpeechEncoder
from talkface.types import SPEECH_RATE_HZ
from training.motion_data import FPS, MotionClip, save_clips
from training.motion_fit import Person, Track, calm_face, meet, pose_of, track
from training.motion_sounds import LONGEST_S, shouted, spoiled, swelling, whispered
from training.motion_teacher import Teacher, stock_of_surroundings

JOINED = 4
"""Short recordings of one speaker that make one clip; they begin and end with closed lips."""

OPENING_AXES = tuple(OPENING_PER_UNIT)
OVERLAP_FRAMES = 6
HELD_OUT_EVERY = 20
FACEGOOD_FPS, FACEGOOD_HELD_OUT = 30.0, "1114_3_16"
FACEGOOD_LATE_S = 0.04
"""How much later its movement is than its sound, by the best correlation with the rules' lip opening."""

BLINKS_SEEN, USUAL_BLINK, SHUT_SHARE = 0.4, 0.7, 0.4
YAW_READ, PITCH_READ = 0.75, 0.66
X_PER_YAW, Y_PER_PITCH = 0.0105, -0.0135
"""What the tracker and the fit read of a head that the renderer turns by one degree, and the shift they see for each
degree read: medians of five portraits turned to +-12 and +-10 degrees."""

MOUTH_GAIN = 1.6
"""Both speakers hardly open their mouths (95 % of the time below .16 and .18 inter-ocular distances; VASA-1's .36)."""

CLOSED_OPENING, OPEN_OPENING = 0.014, 0.04
"""Lip openings that landmarks show of lips that touch, and of lips that surely do not."""
VARIANTS = 6
SPEEDS = (0.82, 1.22)
"""Every other variant is played so much slower or faster: another voice, higher or lower, for there are only two."""

FACEGOOD = {
    "jawOpen": {"mouth_stretch_c": 0.71, "tooth_d_d": 0.27, "mouth_oh_c": 0.05},
    "mouthShrugLower": {"mouth_chinRaise_d": 1.0},
    "mouthFunnel": {"mouth_funnel": 0.17, "mouth_oh_c": 0.3},
    "mouthPucker": {"mouth_pucker": 0.62, "mouth_oh_c": 0.4, "mouth_oo_c": 0.9},
    "mouthSmileLeft": {"mouth_lipCornerPull_l": 0.95}, "mouthSmileRight": {"mouth_lipCornerPull_r": 0.95},
    "mouthStretchLeft": {"mouth_lipStretch_l": 0.92}, "mouthStretchRight": {"mouth_lipStretch_r": 0.92},
    "mouthLowerDownLeft": {"mouth_lowerLipDepress_l": 1.0}, "mouthLowerDownRight": {"mouth_lowerLipDepress_r": 1.0},
    "mouthUpperUpLeft": {"mouth_upperLipRaise_l": 1.0}, "mouthUpperUpRight": {"mouth_upperLipRaise_r": 1.0},
    "mouthPressLeft": {"mouth_press_l": 1.0}, "mouthPressRight": {"mouth_press_r": 1.0},
    "mouthRollLower": {"mouth_suck_d": 0.5}, "mouthRollUpper": {"mouth_suck_u": 0.5},
    "mouthClose": {},
}  # fmt: skip
"""Our axis -> FACEGOOD's shapes (by the beginning of their names) and their shares, so that lip opening and mouth width
come out as `speech_mouth_data` measures them. Its lips close by the jaw alone, so mouthClose is known to be 0."""


@dataclass(frozen=True)
class Moved:
    """A recording with its movement: sound (N,) float32 at 16 kHz, motion (T, D) at 25 frames/s, known (D,) bool."""

    name: str
    speaker: str
    held_out: bool
    samples: np.ndarray
    motion: np.ndarray
    known: np.ndarray


def motion_of(person: Person, followed: Track, blink: float, mouth_gain: float) -> np.ndarray:
    """(T, D) in `MotionSpace`, relative to the recording's middle pose and gaze; `blink` is the activation of a shut
    eye, which becomes 1; `mouth_gain` as in `articulated`."""
    values = np.zeros((len(followed.dynamics), MotionSpace.size), np.float32)
    values[:, MotionSpace.dynamics] = articulated(followed.dynamics, mouth_gain)
    lids = MotionSpace.columns("eyeBlinkLeft", "eyeBlinkRight")
    values[:, lids] = np.clip(values[:, lids] / blink, 0, 1)
    pose = pose_of(person, followed)
    middle = np.median(pose, axis=0)
    values[:, MotionSpace.pose] = as_drawn(pose - middle)
    values[:, MotionSpace.index("headDistance")] = pose[:, -1] / middle[-1]
    values[:, MotionSpace.gaze] = followed.gaze_deg - np.median(followed.gaze_deg, axis=0)
    return values


def as_drawn(pose: np.ndarray) -> np.ndarray:
    """Pose (T, 6) as the renderer has to be asked for it, so that what it draws reads as `pose` again."""
    yaw_deg, pitch_deg, roll_deg, x, y, distance = pose.T
    x, y = x - X_PER_YAW * yaw_deg, y - Y_PER_PITCH * pitch_deg
    return np.column_stack([yaw_deg / YAW_READ, pitch_deg / PITCH_READ, roll_deg, x, y, distance])


def shut_eye(dynamics: np.ndarray) -> float:
    """Activation of eyeBlink at which this person's eyes are shut, from dynamics (T, K): most blinks reach it."""
    lids = dynamics[:, [DYNAMICS_AXES.index("eyeBlinkLeft"), DYNAMICS_AXES.index("eyeBlinkRight")]].min(1)
    middle = lids[1:-1]
    peaks = middle[(middle > BLINKS_SEEN) & (middle >= lids[:-2]) & (middle > lids[2:])]
    return float(np.quantile(peaks, SHUT_SHARE)) if len(peaks) else USUAL_BLINK


def articulated(dynamics: np.ndarray, mouth_gain: float) -> np.ndarray:
    """Dynamics (T, K) with the mouth `mouth_gain` times as active, and shut where the landmarks say that lips touch."""
    opening = measure(dynamics.astype(np.float64))[0]
    apart = ease((opening - CLOSED_OPENING) / (OPEN_OPENING - CLOSED_OPENING))
    values = dynamics.copy()
    for axis in MOUTH_AXES:
        gain = mouth_gain * apart if axis.startswith(OPENING_AXES) else mouth_gain
        values[:, DYNAMICS_AXES.index(axis)] *= gain
    return values.clip(0, 1)


KNOWN_OF_GRID = np.array([n in MOUTH_AXES + UPPER_AXES and n != "tongueOut" for n in MotionSpace.names])
"""Lips, jaw, cheeks and brows. GRID's speaker sits still and reads from a screen: head and eyes are no example."""


def read_marks(path: Path) -> np.ndarray:
    """(T, M, 3) pixels of a landmark file of ../shared/data."""
    with np.load(path) as data:
        return np.cumsum(data["marks"], 0, dtype=np.int32) / 8


@dataclass(frozen=True)
class Residual:
    """How far the model stays from a person's landmarks: rms px and % of the inter-ocular distance, frames."""

    speaker: str
    frames: int
    rms_px: float
    worst_px: float
    percent: float

    def __str__(self) -> str:
        return (f"{self.speaker}: {self.frames} frames, residual {self.rms_px:.2f} px rms (95 % of frames below "
                f"{self.worst_px:.2f}), {self.percent:.2f} % of the inter-ocular distance")  # fmt: skip


def follow(
    recordings: list[np.ndarray], index: np.ndarray, speaker: str, mouth_gain: float
) -> tuple[list[np.ndarray], Residual]:
    """Motions (T, D) of one person's recordings, marks (T, M, 3) each, and how well they fit."""
    marks = np.concatenate(recordings)
    ends = np.cumsum([len(r) for r in recordings])
    cuts = np.isin(np.arange(len(marks)), [0, *ends[:-1]])
    person = meet(calm_face(marks, index), index)
    whole = track(person, marks, index, cuts)
    blink = shut_eye(whole.dynamics)
    parts = [Track(*(np.split(a, ends[:-1])[i] for a in vars(whole).values())) for i in range(len(recordings))]
    rms = float(np.sqrt((whole.error_px**2).mean()))
    residual = Residual(speaker, len(marks), rms, float(np.percentile(whole.error_px, 95)),
                        100 * rms / person.interocular_px)  # fmt: skip
    return [motion_of(person, part, blink, mouth_gain) for part in parts], residual


def grid_recordings(folder: Path) -> tuple[list[Moved], list[Residual]]:
    """All of GRID: speaker 1 joined to longer recordings, the other speakers (held out) as they are."""
    index = np.load(folder / "landmark_index.npy")
    names = sorted(path.stem for path in folder.glob("*.npz"))
    speakers = {name: name if name.startswith("x_") else "grid/s1" for name in names}
    found, residuals = [], []
    for speaker in sorted(set(speakers.values())):
        own = [name for name in names if speakers[name] == speaker]
        motions, residual = follow([read_marks(folder / f"{name}.npz") for name in own], index, speaker, MOUTH_GAIN)
        residuals.append(residual)
        sounds = [sf.read(folder / f"{name}.ogg", dtype="float32")[0] for name in own]
        moved = [Moved(*row, KNOWN_OF_GRID) for row in zip(
            own, len(own) * [speaker], [speaker != "grid/s1"] * len(own), sounds, motions, strict=True)]  # fmt: skip
        found += joined(moved) if speaker == "grid/s1" else moved
    return found, residuals


def joined(recordings: list[Moved]) -> list[Moved]:
    """`JOINED` recordings each in a row, sound and motion faded over where they meet; every 20th result is held out."""
    order = np.random.default_rng(0).permutation(len(recordings))
    groups = [[recordings[i] for i in order[k : k + JOINED]] for k in range(0, len(order), JOINED)]
    return [_in_a_row(group, held_out=k % HELD_OUT_EVERY == 0) for k, group in enumerate(groups)]


def _in_a_row(group: list[Moved], *, held_out: bool) -> Moved:
    samples, motion = _cut_to_motion(group[0])
    for part in group[1:]:
        sound, more = _cut_to_motion(part)
        samples = faded(samples, sound, round(OVERLAP_FRAMES / FPS * SPEECH_RATE_HZ))
        motion = faded(motion, more, OVERLAP_FRAMES)
    return replace(group[0], held_out=held_out, samples=samples, motion=motion)


def _cut_to_motion(recording: Moved) -> tuple[np.ndarray, np.ndarray]:
    """Sound, exactly as long as its motion (zeros appended), and motion."""
    count = round(len(recording.motion) / FPS * SPEECH_RATE_HZ)
    sound = recording.samples[:count]
    return np.pad(sound, (0, count - len(sound))), recording.motion


def faded(first: np.ndarray, second: np.ndarray, overlap: int) -> np.ndarray:
    """`first` (N, ...) going over into `second` (M, ...) within `overlap` rows: (N + M - overlap, ...)."""
    share = ((np.arange(overlap) + 0.5) / overlap).reshape(-1, *[1] * (first.ndim - 1)).astype(first.dtype)
    middle = (1 - share) * first[-overlap:] + share * second[:overlap]
    return np.concatenate([first[:-overlap], middle, second[overlap:]])


def facegood_recordings(folder: Path) -> list[Moved]:
    """FACEGOOD's recordings in pieces of at most `LONGEST_S`; only the mouth is known."""
    found = []
    known = np.array([name in FACEGOOD for name in MotionSpace.names])
    for path in sorted(folder.glob("*.npz")):
        motion = facegood_motion(path)
        samples, _ = sf.read(path.with_suffix(".ogg"), dtype="float32")
        size = int(LONGEST_S * FPS)
        for k, start in enumerate(range(0, len(motion) - size // 4, size)):
            first = round(start / FPS * SPEECH_RATE_HZ)
            part = Moved(f"{path.stem}/{k}", "facegood/1114", path.stem == FACEGOOD_HELD_OUT,
                         samples[first : first + round(LONGEST_S * SPEECH_RATE_HZ)], motion[start : start + size],
                         known)  # fmt: skip
            found.append(replace(part, samples=_cut_to_motion(part)[0]))
    return found


def facegood_motion(path: Path) -> np.ndarray:
    """(T, D) at 25 frames/s of one capture."""
    with np.load(path) as data:
        weights, names = data["weights"].astype(np.float64), [str(name) for name in data["names"]]
    count = int(len(weights) / FACEGOOD_FPS * FPS)
    place = (np.arange(count) / FPS + FACEGOOD_LATE_S) * FACEGOOD_FPS
    values = np.zeros((count, MotionSpace.size), np.float32)
    for axis, shapes in FACEGOOD.items():
        shares = [sum(share for shape, share in shapes.items() if name.startswith(shape)) for name in names]
        curve = np.clip(weights @ np.array(shares), 0, 1)
        values[:, MotionSpace.index(axis)] = np.interp(place, np.arange(len(curve)), curve)
    values[:, MotionSpace.dynamics] = articulated(values[:, MotionSpace.dynamics], MOUTH_GAIN)
    values[:, MotionSpace.index("headDistance")] = 1
    return values


def retimed(recording: Moved, speed: float) -> Moved:
    """The recording played `speed` times as fast, its voice higher or lower by as much."""

    def read(rows: np.ndarray, rate_hz: float) -> np.ndarray:
        count = min(int((len(rows) - 1) / speed) + 1, int(LONGEST_S * rate_hz))
        place = np.arange(count) * speed
        low = np.minimum(place.astype(int), len(rows) - 2)
        part = (place - low).reshape(-1, *[1] * (rows.ndim - 1)).astype(np.float32)
        return rows[low] * (1 - part) + rows[low + 1] * part

    played = replace(recording, samples=read(recording.samples, SPEECH_RATE_HZ), motion=read(recording.motion, FPS))
    return replace(played, samples=_cut_to_motion(played)[0])


def heard(teacher: Teacher, recording: Moved, source: str, variants: int, rng: np.random.Generator) -> list[MotionClip]:
    """The recording with its motion as the encoder hears it: first as it is, then retimed, spoiled, or both."""
    clips, original = [], recording
    for variant in range(variants):
        recording = retimed(original, float(rng.uniform(*SPEEDS))) if variant % 2 else original
        sound = recording.samples / max(1.0, float(np.abs(recording.samples).max()))
        if variant > 1:
            change = {0: whispered, 1: shouted, 2: swelling}.get(int(rng.integers(12)))
            sound = spoiled(change(sound, rng) if change else sound, teacher.surroundings, rng)
        clips.append(MotionClip.hearing(
            teacher.hear(sound),
            name=f"{recording.name}/{variant}",
            source=source,
            speaker=recording.speaker,
            held_out=recording.held_out,
            motion=recording.motion.astype(np.float16),
            known=recording.known,
            gaze_deg=np.zeros(2, np.float32),
            head_distance=1.0,
            emotion=np.zeros(len(EMOTIONS), np.float32),
            opening=False,
        ))  # fmt: skip
    return clips


def save_heard(teacher: Teacher, recordings: list[Moved], source: str, shard: Path) -> None:
    """Hear all recordings and write them as one shard."""
    rng = np.random.default_rng(1)
    clips = [c for r in recordings for c in heard(teacher, r, source, 1 if r.held_out else VARIANTS, rng)]
    save_clips(shard, clips)
    print(f"{source}: {len(clips)} clips, {sum(c.duration_s for c in clips) / 3600:.2f} h", flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with grid_s1 and facegood")
    parser.add_argument("--out", type=Path, required=True, help="folder for the shards")
    parser.add_argument("--crowd", type=Path, help="corpus file (see speech_corpus) of people who talk in the noise")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    teacher = Teacher(SpeechEncoder.load("cpu"), stock_of_surroundings(args.crowd))
    recordings, residuals = grid_recordings(args.data / "grid_s1")
    print("\n".join(map(str, residuals)), flush=True)
    save_heard(teacher, recordings, "grid_s1", args.out / "grid_s1.npz")
    save_heard(teacher, facegood_recordings(args.data / "facegood"), "facegood", args.out / "facegood.npz")


if __name__ == "__main__":
    main()
