"""The tracker's table: error and found-rate on the held-out pictures, whole pictures through the public API.

`python -m benchmarks.tracker [--every N] [--folder WEIGHTS]`; data as for training (TALKFACE_DATA).
Errors are per cent of the inter-ocular distance, mean over the faces found. A face counts as found when one of the
faces returned lies within half an inter-ocular distance of the label's centre.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from talkface import weights
from talkface.face.tracker import FaceTracker
from talkface.landmarks import IRISES, LIDS, LIPS
from training.tracker_data import SETS, Sample, interocular, read_sets


def nearest(tracker: FaceTracker, image: np.ndarray, marks: np.ndarray) -> np.ndarray | None:
    """Landmarks of the face returned for the labelled one, None when there is none."""
    centre, reach = marks[:, :2].mean(0), 0.5 * interocular(marks)
    faces = [face.landmarks for face in tracker(image)]
    distances = [np.linalg.norm(face[:, :2].mean(0) - centre) for face in faces]
    if not distances or min(distances) > reach:
        return None
    return faces[int(np.argmin(distances))]


def as_it_is(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """The picture itself."""
    return sample.image, sample.marks


def rolled(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """Turned by 45 degrees about the face, alternately clockwise and counter-clockwise."""
    angle = 45 if sample.index // 10 % 2 else -45
    picture = Image.fromarray(sample.image).rotate(
        angle, Image.Resampling.BICUBIC, expand=True, fillcolor=(90, 100, 110)
    )
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    turn = np.array([[c, s], [-s, c]])
    height, width = sample.image.shape[:2]
    middle, new = np.array([width - 1, height - 1]) / 2, np.array([picture.width - 1, picture.height - 1]) / 2
    return np.asarray(picture), np.c_[(sample.marks[:, :2] - middle) @ turn.T + new, sample.marks[:, 2]]


def small(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """Pasted, as it is, into a corner region of a grey 1600 x 1200 canvas with some noise."""
    rng = np.random.default_rng(sample.index)
    canvas = np.clip(rng.normal(120, 12, (1200, 1600, 3)), 0, 255).astype(np.uint8)
    height, width = sample.image.shape[:2]
    left, top = int(rng.integers(0, 1600 - width)), int(rng.integers(0, 1200 - height))
    canvas[top : top + height, left : left + width] = sample.image
    return canvas, sample.marks + [left, top, 0]


SITUATIONS = {"as it is": as_it_is, "rolled 45 deg": rolled, "small in 1600x1200": small}


def table(tracker: FaceTracker, samples: list[Sample], situation: str) -> list[str]:
    """One line per set: pictures, found, mean and median error, lips, lids, irises, 95th percentile, time."""
    lines = []
    for name in SETS:
        rows, count, started = [], 0, time.perf_counter()
        for sample in (s for s in samples if s.set_name == name):
            image, marks = SITUATIONS[situation](sample)
            count += 1
            points = nearest(tracker, image, marks)
            if points is not None:
                error = np.linalg.norm(points[:, :2] - marks[:, :2], axis=1) / interocular(marks) * 100
                rows.append([error.mean(), *(error[list(part)].mean() for part in (LIPS, LIDS, IRISES))])
        spent_ms = (time.perf_counter() - started) / max(count, 1) * 1000
        e = np.array(rows)
        numbers = (e[:, 0].mean(), np.median(e[:, 0]), *e[:, 1:].mean(0), np.percentile(e[:, 0], 95))
        cells = " | ".join(f"{number:.2f}" for number in numbers)
        found = f"{100 * len(rows) / count:.1f} %"
        lines.append(f"| {situation} | {name} | {count} | {found} | {cells} | {spent_ms:.0f} |")
    return lines


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="measure every n-th held-out picture only")
    parser.add_argument("--situations", nargs="*", default=list(SITUATIONS))
    parser.add_argument("--folder", type=Path, default=None, help="weights other than the installed ones")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    tracker = FaceTracker(*weights.load("tracker", args.folder))
    samples = [s for s in read_sets() if s.held_out][:: args.every]
    print("| situation | set | pictures | found | mean | median | lips | lids | irises | 95th pct | ms per picture |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for situation in args.situations:
        print("\n".join(table(tracker, samples, situation)), flush=True)


if __name__ == "__main__":
    main()
