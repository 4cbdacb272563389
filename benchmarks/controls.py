"""Measure from pixels that gaze, head distance and emotions do what they say, on several faces.

Usage
    python -m benchmarks.controls --speech SPEECH --phones PHONES --score SCORE.PY --score-python PYTHON [--out DIR]
                                  [--size 512] [--seconds 4] [--readme benchmarks/README.md] PORTRAIT PORTRAIT ...

Every portrait says the same sentence (one with p, b and m in it) once plainly and once per setting, with the same seed;
the independent tracker of the scoring script looks at the frames. Differences to the plain video are reported:
gaze in degrees, ratio of inter-ocular distances, and the features an emotion should move, in % of the inter-ocular
distance: these with the head held still, since a chin two degrees lower reads as a nose that came down by 2 %.

PHONES holds the exact times of the phones, as `flite -psdur` prints them: how many p, b and m close the lips is counted
as in benchmarks.closures, by the opening seen in the picture's plane: how far one lip stands before the other is the
tracker's guess, and it guesses 2-4 % of lips that are shut in a smile. On lips that touch it reads up to 1 % there,
depending on the face; so each face also moves through the sentence with its lips shut all the time, and lips touch
where they read at most `TOUCHING` more than the median of that, and never above `OPEN`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.cases import FPS, Scorer, add_arguments
from benchmarks.closures import Closures, Phone, read_phones
from benchmarks.publish import publish
from talkface.landmarks import LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS
from talkface.space import ANGLE_AXES, MOUTH_AXES, MotionSpace
from talkface.types import MotionSequence
from training.life_statistics import EYEBALL_RADIUS, EYES, take_out_pose

GAZE_DEG = 15.0
GAZE_PITCH_DEG = 10.0
DISTANCES = (0.8, 1.25)
LIP_CORNERS, LIP_MIDDLE = (61, 291), (0, 17)
INNER_BROWS, OUTER_BROWS = (55, 107, 285, 336), (70, 105, 300, 334)
INNER_EYES, OUTER_EYES = (133, 362), (33, 263)
LIDS = ((159, 145), (386, 374))
NOSE_WINGS = (48, 278)
TOUCHING, OPEN = 0.015, 0.04
"""1.5 % of the inter-ocular distance is about 1.5 pixels here: what the tracker trembles on shut lips."""
SHUT, STILL = "shut", ", head still"
FEATURES = ("lip corners up", "corner asymmetry", "mouth width", "inner brows up", "outer brows up", "brows together",
            "lids apart", "nose wings up")  # fmt: skip
EXPECTED = {
    "happy": (("lip corners up", 1), ("mouth width", 1)),
    "sad": (("lip corners up", -1), ("inner brows up", 1)),
    "angry": (("inner brows up", -1),),
    "surprised": (("inner brows up", 1), ("outer brows up", 1), ("lids apart", 1)),
    "afraid": (("inner brows up", 1), ("lids apart", 1)),
    "disgusted": (("nose wings up", 1), ("inner brows up", -1)),
    "contempt": (("corner asymmetry", 1),),
}


@dataclass(frozen=True)
class Look:
    """One measured video: raw landmarks (T, 478, 3) in pixels, and without pose in inter-ocular distances."""

    marks: np.ndarray
    flat: np.ndarray

    @classmethod
    def of(cls, marks: np.ndarray) -> Look:
        """Take the pose out and scale by the inter-ocular distance; y down."""
        flat, _ = take_out_pose(marks)
        eyes = [flat[:, pair].mean(1) for pair in (RIGHT_EYE_CORNERS, LEFT_EYE_CORNERS)]
        return cls(marks, flat / np.linalg.norm(np.median(eyes[0] - eyes[1], axis=0)))

    def gaze_deg(self) -> np.ndarray:
        """Median gaze (yaw to the image's right, pitch up), as the scoring script estimates it: (2,)."""
        angles = []
        for iris, outer, inner in EYES:
            eye, wide = (self.flat[:, outer] + self.flat[:, inner]) / 2, self.flat[:, outer] - self.flat[:, inner]
            angles.append((self.flat[:, iris] - eye)[:, :2] / np.linalg.norm(wide, axis=1)[:, None])
        sine = np.median(np.mean(angles, axis=0), axis=0) / EYEBALL_RADIUS
        return np.degrees(np.arcsin(np.clip(sine, -1, 1))) * (1, -1)

    def interocular_px(self) -> float:
        """Median distance between the eye centres in the picture."""
        return float(np.median(np.linalg.norm(self._eye(RIGHT_EYE_CORNERS) - self._eye(LEFT_EYE_CORNERS), axis=1)))

    def _eye(self, corners: tuple[int, int]) -> np.ndarray:
        return self.marks[:, corners, :2].mean(1)

    def opening(self) -> np.ndarray:
        """Lip opening (T,) seen from the front, without depth, in inter-ocular distances."""
        return np.linalg.norm(self.flat[:, 13, :2] - self.flat[:, 14, :2], axis=1)

    def features(self) -> np.ndarray:
        """FEATURES as medians over time, in inter-ocular distances, up and outwards positive."""
        height = -np.median(self.flat[:, :, 1], axis=0)
        across = np.median(self.flat[:, :, 0], axis=0)
        eyes = height[list(INNER_EYES + OUTER_EYES)].mean()
        corner = height[list(LIP_CORNERS)]
        lids = np.median([np.linalg.norm(self.flat[:, a] - self.flat[:, b], axis=1) for a, b in LIDS])
        return np.array([
            corner.mean() - height[list(LIP_MIDDLE)].mean(),
            corner[1] - corner[0],
            across[LIP_CORNERS[1]] - across[LIP_CORNERS[0]],
            height[list(INNER_BROWS)].mean() - eyes,
            height[list(OUTER_BROWS)].mean() - eyes,
            -(across[285] - across[55]),
            lids,
            height[list(NOSE_WINGS)].mean() - eyes,
        ])  # fmt: skip


def settings() -> dict[str, dict[str, object]]:
    """Name of every setting measured, and the options that make it; the plain one first, then shut lips."""
    found: dict[str, dict[str, object]] = {"plain": {}, SHUT: {}}
    for sign in (-1, 1):
        found[f"gaze yaw {sign * GAZE_DEG:+g}"] = {"gaze": (sign * GAZE_DEG, 0.0)}
        found[f"gaze pitch {sign * GAZE_PITCH_DEG:+g}"] = {"gaze": (0.0, sign * GAZE_PITCH_DEG)}
    found |= {f"distance {ratio:g}": {"head_distance": ratio} for ratio in DISTANCES}
    found |= {name: {"emotions": ((name, 1.0),)} for name in EXPECTED}
    return found | {name + STILL: found[name] for name in ("plain", *EXPECTED)}


def write_video(frames: Iterable[np.ndarray], path: Path, size: int) -> None:
    """Frames (H, W, 3) to a silent, nearly lossless video."""
    import imageio_ffmpeg

    writer = imageio_ffmpeg.write_frames(
        str(path), (size, size), fps=FPS, macro_block_size=2, output_params=["-crf", "12", "-preset", "veryfast"]
    )
    writer.send(None)
    for frame in frames:
        writer.send(np.ascontiguousarray(frame))
    writer.close()


def shut_lips(motion: MotionSequence) -> MotionSequence:
    """The same performance with a closed mouth throughout."""
    values = motion.values.copy()
    values[:, MotionSpace.columns(*MOUTH_AXES)] = 0
    values[:, MotionSpace.speaking] = 1
    return replace(motion, values=values)


def still_head(motion: MotionSequence) -> MotionSequence:
    """The same performance with the portrait's head throughout."""
    values = motion.values.copy()
    values[:, MotionSpace.columns(*ANGLE_AXES, "headX", "headY")] = 0
    return replace(motion, values=values)


def video_of(folder: Path, portrait: Path, setting: str) -> Path:
    """Where the video of a portrait under a setting is kept."""
    return folder / f"{portrait.stem}_{setting.replace(',', '').replace(' ', '_')}.mp4"


def render_all(portraits: list[Path], speech: Path, folder: Path, size: int, seconds: float, seed: int) -> None:
    """Render every portrait under every setting, unless the video is there already."""
    from talkface.analysis import analyse
    from talkface.device import pick_device
    from talkface.media.audio import open_speech
    from talkface.media.image import read_portrait
    from talkface.options import RenderOptions
    from talkface.pipeline import draw, listen, move

    device = pick_device("cpu")
    with open_speech(speech) as voice:
        features = listen(voice, device)
        frames = min(round(voice.duration_s * FPS), round(seconds * FPS))
    for portrait in portraits:
        analysis = None
        for name, choice in settings().items():
            video = video_of(folder, portrait, name)
            if video.exists():
                continue
            options = RenderOptions(size=size, **choice)
            analysis = analysis or analyse(read_portrait(portrait), options, device)
            motion = move(features, options, frames, seed, device)
            if name == SHUT:
                motion = shut_lips(motion)
            elif name.endswith(STILL):
                motion = still_head(motion)
            write_video(draw(analysis, motion, options, device), video, size)
            print(video, file=sys.stderr, flush=True)


def report(portraits: list[Path], folder: Path, scorer: Scorer, phones: list[Phone]) -> str:
    """The Markdown report."""
    names = list(settings())
    looks: dict[str, dict[str, Look]] = {}
    for portrait in portraits:
        videos = [video_of(folder, portrait, name) for name in names]
        looks[portrait.stem] = dict(zip(names, map(Look.of, scorer.track(videos)), strict=True))
    return f"{gaze_and_distance(looks)}\n\n{emotions(looks, phones)}\n"


def gaze_and_distance(looks: dict[str, dict[str, Look]]) -> str:
    """One row per face: change of the measured gaze, and inter-ocular distance times the distance asked for."""
    names = [name for name in settings() if name.startswith(("gaze", "distance"))]
    lines = ["| face | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for face, look in looks.items():
        cells = []
        for name in names:
            if name.startswith("gaze"):
                change = look[name].gaze_deg() - look["plain"].gaze_deg()
                cells.append(f"{change[0 if 'yaw' in name else 1]:+.1f} deg")
            else:
                ratio = look[name].interocular_px() / look["plain"].interocular_px()
                cells.append(f"x {ratio:.3f} = {100 * (ratio * float(name.split()[1]) - 1):+.1f} %")
        lines.append(f"| {face} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def touching(shut: Look) -> float:
    """Below which opening the lips of a face touch, given what they read while they are shut."""
    return min(float(np.median(shut.opening())) + TOUCHING, OPEN)


def emotions(looks: dict[str, dict[str, Look]], phones: list[Phone]) -> str:
    """One row per emotion: median change of every feature over the faces, how many faces did as expected, closures."""
    lines = [f"| emotion | {' | '.join(FEATURES)} | as expected | p b m | closed | for 2 frames | frames closed |"]
    lines.append("|---" * (len(FEATURES) + 6) + "|")
    for name in ("plain", *EXPECTED):
        stills = ((look[name + STILL], look["plain" + STILL]) for look in looks.values())
        change = np.array([felt.features() - plain.features() for felt, plain in stills])
        expected = EXPECTED.get(name, ())
        right = [all(row[FEATURES.index(f)] * sign > 0.004 for f, sign in expected) for row in change]
        closed = [Closures.of(look[name].opening(), phones, touching(look[SHUT])) for look in looks.values()]
        cells = [f"{100 * value:+.1f}" for value in np.median(change, axis=0)]
        as_expected = f"{sum(right)}/{len(right)}" if expected else ""
        lines.append(f"| {name} | {' | '.join(cells)} | {as_expected} | {Closures.together(closed).cells()} |")
    shut = ", ".join(f"{face} {100 * np.median(look[SHUT].opening()):.1f} %" for face, look in looks.items())
    return "\n".join(lines) + f"\n\nLips kept shut read: {shut} of the inter-ocular distance."


def main() -> None:
    """Render, track, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("portraits", type=Path, nargs="+")
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--phones", type=Path, required=True)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--seconds", type=float, default=4.0)
    add_arguments(parser, out="controls")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    render_all(args.portraits, args.speech, args.out, args.size, args.seconds, args.seed)
    text = report(args.portraits, args.out, Scorer(args.score, args.score_python), read_phones(args.phones))
    (args.out / "controls.md").write_text(text, encoding="utf-8")
    if args.readme:
        publish(args.readme, text, "controls")
    print(text)


if __name__ == "__main__":
    main()
