r"""Draw a track back over its landmarks, so that a person can see whether the fit follows.

    python -m training.motion_view --folder ../shared/data/grid_s1 --name bgwo3s --out track.png
    python -m training.motion_view --takes training/runs/yours/talk.mp4.takes.npz --video talk.mp4 --out track.png

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
from training.video_takes import read_frames, read_takes

PANEL_PX, COLUMNS, PLOT_PX = 300, 5, 110
LINES = (
    (marks_of.OVAL, "#5080ff"),
    (marks_of.LIP_OUTER_UPPER, "#ff6060"), (marks_of.LIP_OUTER_LOWER, "#ff6060"),
    (marks_of.LIP_INNER_UPPER, "#ff2020"), (marks_of.LIP_INNER_LOWER, "#ff2020"),
    (marks_of.RIGHT_LID_UPPER, "#40e040"), (marks_of.RIGHT_LID_LOWER, "#40e040"),
    (marks_of.LEFT_LID_UPPER, "#40e040"), (marks_of.LEFT_LID_LOWER, "#40e040"),
    (marks_of.RIGHT_BROW[:5], "#e0e040"), (marks_of.LEFT_BROW[:5], "#e0e040"),
)  # fmt: skip


def panel(
    marks: np.ndarray,
    seen: np.ndarray,
    index: np.ndarray,
    window: tuple[float, float, float],
    picture: np.ndarray | None,
) -> Image.Image:
    """One frame: landmarks (M, 2+) and the model's points (N, 2), both in pixels; `window` is left, top, size.

    They are drawn over the `picture` (H, W, 3), if there is one.
    """
    left, top, size = window
    scale = PANEL_PX / size
    image = Image.new("RGB", (PANEL_PX, PANEL_PX), "#202020")
    if picture is not None:
        box = [round(value) for value in (left, top, left + size, top + size)]
        image = Image.fromarray(picture).crop(box).resize((PANEL_PX, PANEL_PX)).point(lambda value: value * 0.6)
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


def sheet(
    marks: np.ndarray, index: np.ndarray, person: Person, followed: Track, pictures: dict[int, np.ndarray | None]
) -> Image.Image:
    """A contact sheet of the frames of `pictures`, with what they show, and the curves of the whole recording."""
    seen = projected(person, followed)
    low, high = marks[:, :, :2].min((0, 1)), marks[:, :, :2].max((0, 1))
    size = float((high - low).max()) * 1.06
    left, top = (low + high) / 2 - size / 2
    rows = -(-len(pictures) // COLUMNS)
    out = Image.new("RGB", (COLUMNS * PANEL_PX, rows * PANEL_PX + 3 * PLOT_PX))
    for k, (t, picture) in enumerate(pictures.items()):
        drawn = panel(marks[t], seen[t], index, (left, top, size), picture)
        out.paste(drawn, (k % COLUMNS * PANEL_PX, k // COLUMNS * PANEL_PX))
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


def grid_track(folder: Path, name: str, others: int) -> tuple[np.ndarray, np.ndarray, Person]:
    """Landmarks (T, M, 3) of one recording, which of the 478 they are, and the person, known from `others` too."""
    index = np.load(folder / "landmark_index.npy")
    marks = read_marks(folder / f"{name}.npz")
    kin = [p for p in sorted(folder.glob("*.npz")) if not p.stem.startswith("x_")][:others]
    known = [] if name.startswith("x_") else [read_marks(path) for path in kin]
    return marks, index, meet(calm_face(np.concatenate([marks, *known]), index), index)


def shown(count: int, panels: int, video: Path | None, first: int) -> dict[int, np.ndarray | None]:
    """The frames to draw, evenly spread over `count`, with their pictures where there is a video of them."""
    chosen = {int(t): None for t in np.linspace(0, count - 1, panels).round()}
    if video is not None:
        chosen |= {t - first: image for t, image in enumerate(read_frames(video)) if t - first in chosen}
    return chosen


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="folder of NAME.npz and landmark_index.npy")
    parser.add_argument("--name", help="which recording of the folder")
    parser.add_argument("--with", dest="others", type=int, default=20, help="recordings that show the person at rest")
    parser.add_argument("--takes", type=Path, help="tracked takes of a video (see motion_videos), instead of a folder")
    parser.add_argument("--take", type=int, default=0, help="which of the takes")
    parser.add_argument("--video", type=Path, help="the video itself, to be drawn over")
    parser.add_argument("--panels", type=int, default=15)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    if args.takes:
        takes, index = read_takes(args.takes).kept, np.arange(marks_of.COUNT)
        marks, first = takes[args.take].marks.astype(np.float64), takes[args.take].first
        person = meet(calm_face(np.concatenate([take.marks for take in takes]).astype(np.float64), index), index)
    elif args.folder and args.name:
        marks, index, person = grid_track(args.folder, args.name, args.others)
        first = 0
    else:
        parser.error("give either --folder and --name, or --takes")
    followed = track(person, marks, index)
    sheet(marks, index, person, followed, shown(len(marks), args.panels, args.video, first)).save(args.out)
    print(f"{args.out}: {followed.error_px.mean():.2f} px from the landmarks on average")


if __name__ == "__main__":
    main()
