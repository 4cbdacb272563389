"""How far the tracker sees mouths and eyes open: `python -m benchmarks.openings --eval DIR --score SCRIPT`.

Held-out pictures hardly show wide mouths and closed eyes; recordings of people talking do. Their frames are labelled by
MediaPipe in the scoring script's environment (kept in --out) and read by the tracker as single pictures. Prints
Markdown: for every band of the true opening how many frames, the mean true and read opening and the error of the part
as percentage of the inter-ocular distance.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from benchmarks.tracker import nearest
from talkface import weights
from talkface.face.checks import lid_opening, lip_opening
from talkface.face.tracker import FaceTracker
from talkface.landmarks import LIDS, LIPS
from training.tracker_data import interocular

MOST_A_BAND = 12  # frames of one recording in one band, evenly spread
LIP_BANDS = (0.0, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0)
LID_BANDS = (0.0, 0.07, 0.15, 0.25, 1.0)
_LABEL = """
import sys, numpy as np
sys.path.insert(0, sys.argv[1])
import mediapipe as mp, score
mesh = mp.solutions.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True, max_num_faces=1)
frames, marks = [], []
for image in score.decode(sys.argv[2])[0][:: int(sys.argv[4])]:
    found = mesh.process(np.ascontiguousarray(image)).multi_face_landmarks
    if found:
        frames.append(image)
        size = [image.shape[1], image.shape[0], image.shape[1]]
        marks.append([[p.x, p.y, p.z] * np.array(size) for p in found[0].landmark])
np.savez_compressed(sys.argv[3], frames=frames, marks=np.array(marks, np.float32))
"""


def labelled(video: Path, folder: Path, python: Path, script: Path, every: int) -> tuple[np.ndarray, np.ndarray]:
    """Every n-th frame (T, H, W, 3) uint8 of a recording and MediaPipe's landmarks (T, 478, 3)."""
    kept = folder / f"{video.parent.name}_{video.stem}.npz"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([python, "-c", _LABEL, script.parent, video, kept, str(every)], check=True, capture_output=True)
    with np.load(kept) as record:
        return record["frames"], record["marks"]


def bands_of(values: np.ndarray, limits: tuple[float, ...]) -> np.ndarray:
    """Index of the band that each value (T,) lies in."""
    return np.clip(np.searchsorted(limits, values, "right") - 1, 0, len(limits) - 2)


def spread(bands: np.ndarray) -> set[int]:
    """At most MOST_A_BAND frames of each band, evenly spread."""
    chosen: set[int] = set()
    for band in np.unique(bands):
        members = np.flatnonzero(bands == band)
        chosen |= set(members[np.linspace(0, len(members) - 1, min(MOST_A_BAND, len(members))).round().astype(int)])
    return chosen


def readings(tracker: FaceTracker, frames: np.ndarray, marks: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """(label, reading) of the chosen frames of one recording; a face that is not found is left out."""
    lips = np.array([lip_opening(mark) for mark in marks])
    lids = np.array([np.mean(lid_opening(mark)) for mark in marks])
    pairs = []
    for t in sorted(spread(bands_of(lips, LIP_BANDS)) | spread(bands_of(lids, LID_BANDS))):
        found = nearest(tracker, frames[t], marks[t])
        if found is not None:
            pairs.append((marks[t], found))
    return pairs


def table(pairs: list[tuple[np.ndarray, np.ndarray]], part: tuple[int, ...], opening, limits: tuple) -> list[str]:
    """One line per band: opening from - to, frames, true, read, error of the part in per cent."""
    true = np.array([opening(label) for label, _ in pairs])
    read = np.array([opening(found) for _, found in pairs])
    error = np.array(
        [
            np.linalg.norm((found - label)[list(part), :2], axis=1).mean() / interocular(label) * 100
            for label, found in pairs
        ]
    )
    bands, lines = bands_of(true, limits), []
    for band, (low, high) in enumerate(zip(limits, limits[1:], strict=False)):
        inside = bands == band
        if inside.any():
            means = [values[inside].mean() for values in (true, read, error)]
            cells = " | ".join(f"{mean:.{digits}f}" for mean, digits in zip(means, (3, 3, 2), strict=True))
            lines.append(f"{low:.2f}-{high:.2f} | {inside.sum()} | {cells} |")
    return lines


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eval", type=Path, required=True, help="folder with real/ and vasa1/")
    parser.add_argument("--score", type=Path, required=True, help="the scoring script")
    parser.add_argument("--score-python", type=Path, default=Path(sys.executable), help="a Python that has MediaPipe")
    parser.add_argument("--out", type=Path, default=Path("openings"), help="where the labels are kept")
    parser.add_argument("--weights", type=Path, default=None, help="folder of weights other than the installed ones")
    parser.add_argument("--every", type=int, default=3, help="label every n-th frame only")
    args = parser.parse_args()
    torch.set_num_threads(1)
    tracker, pairs = FaceTracker(*weights.load("tracker", args.weights)), []
    for video in sorted(args.eval.glob("*/*.mp4")):
        kept = labelled(video, args.out, args.score_python, args.score, args.every)
        pairs += readings(tracker, *kept)
    print("| part | true opening | frames | true | read | error % |\n|---|---|---|---|---|---|")
    for name, part, opening, limits in (
        ("lips", LIPS, lip_opening, LIP_BANDS),
        ("lids", LIDS, lambda marks: float(np.mean(lid_opening(marks))), LID_BANDS),
    ):
        print("\n".join(f"| {name} | {line}" for line in table(pairs, part, opening, limits)), flush=True)


if __name__ == "__main__":
    main()
