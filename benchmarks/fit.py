"""How well the face model lies on pictures: `python -m benchmarks.fit`, on the tracker's held-out faces.

Prints Markdown: per set the rms distance of lips, lids and irises from the tracker's landmarks in pixels of the default
512 px crop, before and after the residual warp, the share of pictures within the limit, and the time of a fit. For the
irises it is the pupil, as the fitted gaze and eyeball put it.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from benchmarks.tracker import nearest
from talkface import landmarks as marks_of
from talkface import pose
from talkface.errors import InputError
from talkface.face.fit import fit_face
from talkface.face.framing import frame_head
from talkface.face.inspect import project
from talkface.face.tracker import FaceTracker
from talkface.types import FaceFit
from talkface.warp import residual_warp
from training.tracker_data import SETS, read_sets

FRAME_PX = 512
LIMIT_PX = 1.5
PARTS = {"lips": marks_of.LIPS, "lids": marks_of.LIDS}


def distances_px(fit: FaceFit, scale: float) -> list[float]:
    """Rms distances in frame pixels: lips and lids before the residual warp, then lips, lids and pupils after it."""
    warped = residual_warp(fit, fit.residual_from)
    rows = [
        (seen[list(part)] - fit.landmarks[list(part), :2])
        for seen in (fit.residual_from, warped)
        for part in PARTS.values()
    ]
    axes = np.array([pose.direction(*gaze) for gaze in fit.gaze_deg])
    pupils = project(fit, fit.mesh.eye_centres + fit.mesh.eye_radii[:, None] * axes)
    rows.append(pupils - fit.landmarks[[marks_of.LEFT_IRIS[0], marks_of.RIGHT_IRIS[0]], :2])
    return [float(np.sqrt((gap**2).sum(-1).mean())) * scale for gap in rows]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="measure every n-th held-out picture only")
    args = parser.parse_args()
    torch.set_num_threads(1)
    tracker = FaceTracker.load()
    print(
        "| set | pictures | lips | lids | irises | largest of a picture (95th pct) | all within 1.5 px | ms per fit |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name in SETS:
        rows, times = [], []
        for sample in [s for s in read_sets((name,)) if s.held_out][:: args.every]:
            marks = nearest(tracker, sample.image, sample.marks)
            if marks is None:
                continue
            started = time.process_time()
            try:
                fit = fit_face(marks, sample.image.shape[:2])
            except InputError:  # too small, or a profile
                continue
            times.append(time.process_time() - started)
            rows.append(distances_px(fit, FRAME_PX / frame_head(marks, sample.image.shape[:2]).size))
        table = np.array(rows)
        before, after = np.sqrt((table[:, :2] ** 2).mean(0)), np.sqrt((table[:, 2:] ** 2).mean(0))
        worst = table[:, 2:].max(1)
        cells = [f"{b:.2f} / {a:.2f}" for b, a in zip(before, after, strict=False)] + [f"{after[2]:.2f}"]
        within = f"{100 * (worst <= LIMIT_PX).mean():.1f} %"
        print(
            f"| {name} | {len(rows)} | {' | '.join(cells)} | {np.percentile(worst, 95):.2f} | {within} "
            f"| {1000 * np.median(times):.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
