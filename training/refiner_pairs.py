"""Pairs for the refiner: real parted lips, and the same lips with what is behind them drawn by the renderer.

    python -m training.refiner_pairs --out training/runs/refiner_pairs.npz

Every labelled picture of `data/faces` with visibly parted lips is drawn at rest, as if the portrait's own mouth were
not known: only the height at which its teeth end is used. About 0.8 s of a core per picture.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
import torch.nn.functional as F

from talkface.errors import TalkfaceError
from talkface.face.fit import fit_face
from talkface.face.framing import frame_head
from talkface.rendering import renderer as drawing
from talkface.rendering.canvas import Canvas, unproject
from talkface.rendering.refiner import CropFrame, Refiner
from talkface.rendering.sampling import sample_plate
from talkface.rendering.sheet import Fields, cell_centres
from talkface.rendering.teeth import mouth_light
from talkface.space import MotionSpace
from training.tracker_data import Sample, interocular, read_sets

SIZE_PX = 512
PARTED = 0.09  # of the mouth's width
SMALLEST_EYES_PX = 38
HALF_PAINTED = 127  # less than this everywhere: the lips touch after all
UPPER_LIP, LOWER_LIP, CORNERS = 13, 14, (78, 308)


class Witness(Refiner):
    """Stands where the refiner stands, keeps what it is shown and corrects nothing."""

    def forward(self, picture: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
        """Keeps both; a correction of zeros."""
        self.picture, self.masks = picture, masks
        return torch.zeros_like(picture)


def still_fields(canvas: Canvas, mesh, still: np.ndarray) -> Fields:
    """Geometry of a face that never moves: all that is needed at rest, in a hundredth of the time."""
    cells = 32
    centres = cell_centres(canvas.size, cells)
    xy = np.stack(np.meshgrid(centres, centres), -1)
    depth = np.full((cells, cells), float(canvas.points[:, 2].mean()), np.float32)
    basis = np.zeros((len(canvas.camera_dynamics), cells, cells, 3), np.float32)
    rigidity = np.ones((cells, cells, 2), np.float32)
    return Fields(unproject(xy, depth, canvas.camera), basis, rigidity, cut=np.empty((0, 3)))


def draw_pair(sample: Sample) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The drawn and the real crop (3, 48, 64) uint8, and what was painted (3, 48, 64) uint8, of a picture.

    Raises InputError when the face cannot be used.
    """
    fit = fit_face(sample.marks, image_size=sample.image.shape[:2])
    crop, witness = frame_head(sample.marks, sample.image.shape[:2]), Witness()
    with (
        patch.object(drawing, "make_fields", still_fields),
        patch.object(drawing, "mouth_light", lambda *seen: mouth_light(*seen[:3], None, seen[4])),
        patch.object(drawing.Refiner, "load", lambda: witness),
    ):
        renderer = drawing.Renderer(sample.image, fit, crop, SIZE_PX)
    renderer.mouth.shows_inside = False
    rest = np.zeros((1, MotionSpace.size), np.float32)
    rest[0, MotionSpace.index("headDistance")] = 1
    renderer.draw(rest)
    mouth = renderer.mouth
    places = CropFrame(mouth.corner[None], mouth.axes[:1], mouth.length).places()
    still = torch.from_numpy(renderer.still.copy()).permute(2, 0, 1).float()
    real = sample_plate(F.avg_pool2d(still, 2, 1), places - 0.5)
    pictures = ((witness.picture + 1) * 127.5, real, witness.masks * 255)
    return tuple(picture[0].round().clamp(0, 255).byte().numpy() for picture in pictures)


def is_parted(sample: Sample) -> bool:
    """Whether the lips are apart and the picture is fine enough to learn from."""
    points = sample.marks[:, :2]
    width = np.linalg.norm(points[CORNERS[0]] - points[CORNERS[1]])
    gap = np.linalg.norm(points[UPPER_LIP] - points[LOWER_LIP])
    return gap > PARTED * width and interocular(points) > SMALLEST_EYES_PX


def main() -> None:
    """Draw all pairs and save them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=["official", "generated", "congress"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    pairs, held_out = [], []
    for name in arguments.sets:
        for sample in filter(is_parted, read_sets((name,))):
            try:
                pair = draw_pair(sample)
            except TalkfaceError as error:
                print(f"{name} {sample.index}: {error}")
                continue
            if pair[-1].max() > HALF_PAINTED:
                pairs.append(pair)
                held_out.append(sample.held_out)
    drawn, real, painted = (np.stack(pictures) for pictures in zip(*pairs, strict=True))
    np.savez_compressed(arguments.out, drawn=drawn, real=real, painted=painted, held_out=np.array(held_out))
    print(f"{len(drawn)} pairs, {sum(held_out)} held out")


if __name__ == "__main__":
    main()
