r"""Draw a track back over its landmarks, so that a person can see whether the fit follows.

    python -m training.motion_view --folder ../shared/data/grid_s1 --name bgwo3s --out track.png

White dots are the landmarks, lines the fitted model: lips red, lids green, brows yellow, outline blue. Below them run
lip opening (landmarks white, model red), the lids (model green) and the head's yaw, pitch and roll.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from talkface import landmarks as marks_of
from training.motion_fit import Person, Track, calm_face, gap_px, meet, pose_of, projected, track
from training.motion_tracks import read_marks

PANEL_PX, COLUMNS, PLOT_PX = 300, 5, 110
LINES = (
    (marks_of.OVAL, "#5080ff"),
    (marks_of.LIP_OUTER_UPPER, "#ff6060"), (marks_of.LIP_OUTER_LOWER, "#ff6060"),
    (marks_of.LIP_INNER_UPPER, "#ff2020"), (marks_of.LIP_INNER_LOWER, "#ff2020"),
    (marks_of.RIGHT_LID_UPPER, "#40e040"), (marks_of.RIGHT_LID_LOWER, "#40e040"),
    (marks_of.LEFT_LID_UPPER, "#40e040"), (marks_of.LEFT_LID_LOWER, "#40e040"),
    (marks_of.RIGHT_BROW[:5], "#e0e040"), (marks_of.LEFT_BROW[:5], "#e0e040"),
)  # fmt: skip


def panel(marks: np.ndarray, seen: np.ndarray, index: np.ndarray, window: tuple[float, float, float]) -> Image.Image:
    """One frame: landmarks (M, 2+) and the model's points (N, 2), both in pixels; `window` is left, top, size."""
    left, top, size = window
    scale = PANEL_PX / size
    image = Image.new("RGB", (PANEL_PX, PANEL_PX), "#202020")
    draw = ImageDraw.Draw(image)
    places = {int(k): tuple((p - (left, top)) * scale) for k, p in zip(index[index < 468], seen, strict=True)}
    for line, colour in LINES:
        draw.line([places[k] for k in line if k in places], fill=colour, width=1)
    for x, y in (marks[:, :2] - (left, top)) * scale:
        draw.ellipse((x - 1, y - 1, x + 1, y + 1), fill="white")
    return image


def plot(curves: list[tuple[np.ndarray, str]], width: int, label: str) -> Image.Image:
    """Curves (T,) in common units over time."""
    image = Image.new("RGB", (width, PLOT_PX), "black")
    draw = ImageDraw.Draw(image)
    low, high = (f([f(curve) for curve, _ in curves]) for f in (min, max))
    for curve, colour in curves:
        x = np.linspace(0, width - 1, len(curve))
        y = (PLOT_PX - 6) - (curve - low) / max(high - low, 1e-6) * (PLOT_PX - 12)
        draw.line(list(zip(x, y, strict=True)), fill=colour, width=1)
    draw.text((4, 2), f"{label}: {low:.2f} to {high:.2f}", fill="white")
    return image


def sheet(marks: np.ndarray, index: np.ndarray, person: Person, followed: Track, panels: int) -> Image.Image:
    """A contact sheet of `panels` frames, evenly spread, and the curves of the whole recording."""
    seen = projected(person, followed)
    low, high = marks[:, :, :2].min((0, 1)), marks[:, :, :2].max((0, 1))
    size = float((high - low).max()) * 1.06
    left, top = (low + high) / 2 - size / 2
    rows = -(-panels // COLUMNS)
    out = Image.new("RGB", (COLUMNS * PANEL_PX, rows * PANEL_PX + 3 * PLOT_PX))
    for k, t in enumerate(np.linspace(0, len(marks) - 1, panels).round().astype(int)):
        out.paste(panel(marks[t], seen[t], index, (left, top, size)), (k % COLUMNS * PANEL_PX, k // COLUMNS * PANEL_PX))
    lips, lids = ([gap_px(marks, index, *pair), gap_px(seen, person.index, *pair)] for pair in ((13, 14), (159, 145)))
    turns = pose_of(person, followed)[:, :3].T
    plots = (
        plot(list(zip(lips, ("white", "#ff4040"), strict=True)), out.width, "lips, px"),
        plot(list(zip(lids, ("white", "#40e040"), strict=True)), out.width, "right lids, px"),
        plot(list(zip(turns, ("#ff8080", "#80ff80", "#8080ff"), strict=True)), out.width, "yaw, pitch, roll, degrees"),
    )
    for k, image in enumerate(plots):
        out.paste(image, (0, rows * PANEL_PX + k * PLOT_PX))
    return out


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="folder of NAME.npz and landmark_index.npy")
    parser.add_argument("--name", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--panels", type=int, default=15)
    parser.add_argument("--with", dest="others", type=int, default=20, help="recordings that show the person at rest")
    args = parser.parse_args()
    index = np.load(args.folder / "landmark_index.npy")
    marks = read_marks(args.folder / f"{args.name}.npz")
    kin = [p for p in sorted(args.folder.glob("*.npz")) if not p.stem.startswith("x_")][: args.others]
    alone = args.name.startswith("x_")
    person = meet(calm_face(np.concatenate([marks] + [read_marks(p) for p in ([] if alone else kin)]), index), index)
    followed = track(person, marks, index)
    sheet(marks, index, person, followed, args.panels).save(args.out)
    print(f"{args.out}: {followed.error_px.mean():.2f} px from the landmarks on average")


if __name__ == "__main__":
    main()
