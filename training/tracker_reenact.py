"""Make the training faces speak with talkface's own renderer: open mouths with teeth and tongue, and their landmarks.

The pictures hardly show speaking mouths, so portraits of the training half are fitted and drawn with random mouths by
`talkface.rendering`; the landmarks go where the face model takes them. `python -m training.tracker_reenact` writes
training/runs/reenacted.zip and reenacted_landmarks.npz, in the format of `data/faces`.
"""

from __future__ import annotations

import argparse
import signal
import sys
import zipfile
from collections.abc import Iterator

import cv2
import numpy as np
import torch

from talkface.errors import TalkfaceError
from talkface.face.fit import fit_face
from talkface.face.framing import frame_head
from talkface.face.model import FaceModel
from talkface.landmarks import SURFACE_COUNT
from talkface.rendering.renderer import Renderer
from talkface.space import DYNAMICS_AXES, MotionSpace
from talkface.types import Crop, FaceFit
from training.tracker_data import LABEL_SCALE, Sample, interocular, read_sets
from training.tracker_learner import RUNS

SIZE_PX = 256
KEPT_UNITS = 3.9  # inter-ocular distances of the drawn square that are stored
FACES_OF = {"generated": 0.45, "official": 0.35, "congress": 0.2}
SMALLEST_PX = 36  # inter-ocular distance of a portrait worth drawing
WIDEST_JAW = 1.4  # beyond the model's unit: the widest mouths of people open 0.8 inter-ocular distances
SIDED = ("mouthSmile", "mouthFrown", "mouthStretch", "mouthDimple", "mouthLowerDown", "mouthUpperUp", "mouthPress")
LARGEST = {"mouthLowerDown": 0.7, "mouthUpperUp": 0.6, "mouthPress": 0.5, "mouthDimple": 0.5}


def random_mouth(rng: np.random.Generator) -> dict[str, float]:
    """Activations of the mouth's axes: closed, ajar or wide open, round or spread, teeth bared or not."""
    kind = rng.random()
    jaw = 0.0 if kind < 0.12 else float(rng.beta(1.3, 2.0)) if kind < 0.55 else float(rng.uniform(0.4, WIDEST_JAW))
    mouth = {"jawOpen": jaw}
    if rng.random() < 0.15:
        mouth["mouthClose"] = jaw * rng.uniform(0.3, 1.0)
    for axis, chance, most in (
        ("mouthFunnel", 0.35, 0.9),
        ("mouthPucker", 0.25, 0.8),
        ("mouthRollLower", 0.15, 0.6),
        ("mouthRollUpper", 0.15, 0.6),
        ("tongueOut", 0.08, 0.5),
    ):
        if rng.random() < chance:
            mouth[axis] = float(rng.uniform(0, most))
    for axis in SIDED:
        if rng.random() < 0.25:
            both, most = rng.uniform(0, 1), LARGEST.get(axis, 0.8)
            for side in ("Left", "Right"):
                mouth[axis + side] = float(np.clip(both + rng.normal(0, 0.1), 0, 1) * most)
    if rng.random() < 0.1:
        mouth[str(rng.choice(["jawLeft", "jawRight", "mouthLeft", "mouthRight"]))] = float(rng.uniform(0, 0.5))
    return mouth


def moved_marks(fit: FaceFit, model: FaceModel, crop: Crop, change: np.ndarray) -> np.ndarray:
    """Landmarks (478, 3) in pixels of the drawn square after a change (K,) of the dynamics.

    Each moves as the renderer moves the picture: from where it is seen, at the model's depth, by the model's movement.
    """
    scale, start = SIZE_PX / crop.size, np.array([crop.x0, crop.y0])
    marks = fit.landmarks.astype(np.float64) * scale
    marks[:, :2] -= start * scale + 0.5
    centre = (np.array([fit.camera.centre_x, fit.camera.centre_y]) - start) * scale - 0.5
    focal_px = fit.camera.focal_px * scale
    mean, _, dynamics = model.landmark_basis()  # identity changes the depth by millimetres only
    head = mean + np.tensordot(fit.dynamics, dynamics, 1)
    depth = -(head @ fit.rotation.T + fit.translation)[:, 2:]
    surface = marks[:SURFACE_COUNT]
    place = np.concatenate([(surface[:, :2] - centre) * [1, -1] * depth / focal_px, -depth], 1)
    moved = place + np.tensordot(change, dynamics, 1) @ fit.rotation.T
    surface[:, :2] = centre + moved[:, :2] * [1, -1] * focal_px / -moved[:, 2:]
    surface[:, 2] -= (moved - place)[:, 2] * focal_px / depth[:, 0]
    return marks


def performed(
    sample: Sample, model: FaceModel, frames: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Drawings (S, S, 3) uint8 of one portrait with random mouths, and their landmarks (478, 3)."""
    try:
        fit = fit_face(sample.marks, sample.image.shape[:2], model)
    except TalkfaceError:  # a profile
        return
    crop = frame_head(sample.marks, sample.image.shape[:2])
    values = np.zeros((frames, MotionSpace.size), np.float32)
    values[:, MotionSpace.index("headDistance")] = 1
    values[:, MotionSpace.speaking] = 1
    for row in values:
        for axis, activation in random_mouth(rng).items():
            row[MotionSpace.index(axis)] = activation
    renderer = Renderer(sample.image, fit, crop, SIZE_PX)
    kept = fit.dynamics * (1 - renderer.released.numpy())
    drawn = renderer.draw(values)
    for image, row in zip(drawn, values, strict=True):
        change = row[MotionSpace.dynamics] + kept - fit.dynamics
        change[[k for k, name in enumerate(DYNAMICS_AXES) if name.startswith("eye")]] = 0
        yield cut_out(image, moved_marks(fit, model, crop, change))


def cut_out(image: np.ndarray, marks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The surroundings of the face only."""
    half, middle = KEPT_UNITS / 2 * float(interocular(marks)), marks[:SURFACE_COUNT, :2].mean(0)
    low = np.clip(np.floor(middle - half), 0, None).astype(int)
    high = np.ceil(middle + half).astype(int)
    return image[low[1] : high[1], low[0] : high[0]], marks - [*low, 0]


def chosen(samples: list[Sample], count: int, rng: np.random.Generator) -> list[Sample]:
    """Training portraits with faces large enough, by set as FACES_OF asks."""
    picked = []
    for name, share in FACES_OF.items():
        fit_for_it = [
            s for s in samples if s.set_name == name and not s.held_out and interocular(s.marks) > SMALLEST_PX
        ]
        order = rng.permutation(len(fit_for_it))[: round(count * share)]
        picked += [fit_for_it[i] for i in order]
    return [picked[i] for i in rng.permutation(len(picked))]


def main() -> None:
    """Draw them all; what was drawn so far is there when it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=140)
    parser.add_argument("--frames", type=int, default=11)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # `finally` runs
    rng = np.random.default_rng(args.seed)
    model, rows = FaceModel.load(), []
    samples = chosen(read_sets(tuple(FACES_OF)), args.faces, rng)
    archive = zipfile.ZipFile(RUNS / "reenacted.zip", "w")
    try:
        for sample in samples:
            for image, marks in performed(sample, model, args.frames, rng):
                data = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
                archive.writestr(f"{len(rows):05d}.jpg", data.tobytes())
                rows.append(np.round(marks * LABEL_SCALE).astype(np.int16))
    finally:
        archive.close()
        np.savez_compressed(RUNS / "reenacted_landmarks.npz", marks=np.array(rows))
        print(f"{len(rows)} pictures")


if __name__ == "__main__":
    main()
