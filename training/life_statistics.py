"""Measure how real heads, lids and eyes move, as the figures behind training/teacher/life.py and eyes.py.

Usage
    python -m training.life_statistics --grid DATA/grid_s1 [--clips 200] [--tracks FOLDER] [--out REPORT.md]

Reads landmark tracks (GRID, CC BY 4.0; or any FOLDER of NAME.npz holding `marks` (T, 478, 3), pixels at 25 frames/s),
takes pose out of the rigid points, and prints a Markdown table: change of pitch, yaw and roll per frame, their spread,
how their speed divides over frequency bands, blinks and their length, how long gaze rests. Where a NAME.ogg lies beside
the track it also prints what the chin does around stressed syllables.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import soundfile

from training.speech_mouth_data import RIGID

FPS = 25
BANDS_HZ = (0.0, 0.3, 0.6, 1.0, 1.5, 2.5, 4.0, 6.0, 12.6)
LIDS = ((159, 145), (386, 374))
EYES = ((468, 33, 133), (473, 263, 362))
EYEBALL_RADIUS = 0.42  # of the width of the eye opening: 12 mm / 29 mm


def read_tracks(folder: Path, limit: int) -> list[tuple[str, np.ndarray, Path]]:
    """Names, landmarks (T, 478, 3) in pixels (NaN where not tracked) and sound files of a folder of tracks."""
    index_file = folder / "landmark_index.npy"
    index = np.load(index_file) if index_file.exists() else np.arange(478)
    tracks = []
    for path in sorted(folder.glob("*.npz"))[:limit]:
        marks = np.load(path)["marks"]
        if marks.dtype == np.int16:
            marks = np.cumsum(marks, 0, dtype=np.int32) / 8
        full = np.full((len(marks), 478, 3), np.nan)
        full[:, index] = marks
        tracks.append((path.stem, full, path.with_suffix(".ogg")))
    return tracks


def take_out_pose(marks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks (T, 478, 3) without position, size and rotation, and the rotations as pitch, yaw, roll (T, 3) degrees.

    Orthogonal Procrustes on the rigid points against their median; + pitch is chin down here.
    """
    rigid = marks[:, RIGID] - marks[:, RIGID].mean(1, keepdims=True)
    template = np.median(rigid, axis=0)
    u, s, vt = np.linalg.svd(template.T @ rigid)
    flip = np.ones((len(marks), 3))
    flip[:, 2] = np.sign(np.linalg.det(vt.transpose(0, 2, 1) @ u.transpose(0, 2, 1)))
    turn = vt.transpose(0, 2, 1) @ (flip[:, :, None] * u.transpose(0, 2, 1))
    scale = (s * flip).sum(1) / (template**2).sum()
    flat = (marks - marks[:, RIGID].mean(1, keepdims=True)) @ turn / scale[:, None, None]
    angles = (
        np.arctan2(turn[:, 2, 1], turn[:, 2, 2]),
        -np.arcsin(np.clip(turn[:, 2, 0], -1, 1)),
        np.arctan2(turn[:, 1, 0], turn[:, 0, 0]),
    )
    return flat, np.degrees(np.stack(angles, 1))


def speed_shares(angles: np.ndarray) -> np.ndarray:
    """Share of the speed energy of angles (T, 3) in each of BANDS_HZ, (bands,)."""
    speed = np.diff(angles, axis=0)
    energy = (np.abs(np.fft.rfft(speed - speed.mean(0), axis=0)) ** 2).sum(1)
    band = np.digitize(np.fft.rfftfreq(len(speed), 1 / FPS), BANDS_HZ) - 1
    return np.bincount(band, energy, len(BANDS_HZ) - 1)[: len(BANDS_HZ) - 1] / energy.sum()


def blink_lengths_s(flat: np.ndarray) -> np.ndarray:
    """Lengths in seconds of the blinks: runs in which the lids are less than 60 % as open as usual."""
    opening = np.mean([np.linalg.norm(flat[:, a] - flat[:, b], axis=1) for a, b in LIDS], axis=0)
    shut = np.concatenate(([0], opening < 0.6 * np.median(opening), [0])).astype(int)
    edges = np.flatnonzero(np.diff(shut))
    return (edges[1::2] - edges[::2]) / FPS


def gaze_holds_s(flat: np.ndarray) -> np.ndarray:
    """How long gaze rests between changes of more than 2.5 degrees within 3 frames, in seconds."""
    yaw = np.zeros(len(flat))
    for iris, outer, inner in EYES:
        wide = np.linalg.norm(flat[:, outer] - flat[:, inner], axis=1)
        offset = (flat[:, iris, 0] - (flat[:, outer, 0] + flat[:, inner, 0]) / 2) / wide
        yaw += np.degrees(np.arcsin(np.clip(offset / EYEBALL_RADIUS, -1, 1))) / len(EYES)
    jumps = np.flatnonzero(np.abs(yaw[3:] - yaw[:-3]) > 2.5)
    starts = jumps[np.concatenate(([True], np.diff(jumps) > 3))] if len(jumps) else jumps
    return np.diff(np.concatenate(([0], starts, [len(yaw)]))) / FPS


def chin_around_stress(angles: np.ndarray, sound: Path) -> list[np.ndarray]:
    """Pitch, degrees (+ chin down), from .5 s before to .5 s after each loudness peak, mean removed: (26,) each."""
    samples, rate_hz = soundfile.read(sound)
    hop = rate_hz // FPS
    level = np.sqrt((samples[: len(samples) // hop * hop].reshape(-1, hop) ** 2).mean(1))
    level = np.convolve(level, np.ones(3) / 3, "same")[: len(angles)]
    peak = (level[1:-1] > level[:-2]) & (level[1:-1] >= level[2:]) & (level[1:-1] > 0.5 * level.max())
    at = [t for t in np.flatnonzero(peak) + 1 if 13 <= t < len(angles) - 13]
    return [angles[t - 13 : t + 13, 0] - angles[t - 13 : t + 13, 0].mean() for t in at]


def measure(folder: Path, limit: int) -> str:
    """The Markdown report of one folder of tracks."""
    rows, blinks, holds, chins, seconds = [], [], [], [], 0.0
    for _, marks, sound in read_tracks(folder, limit):
        flat, angles = take_out_pose(marks)
        rows.append([np.abs(np.diff(angles, axis=0)).mean(), *angles.std(0), *speed_shares(angles)])
        blinks += blink_lengths_s(flat).tolist()
        holds += gaze_holds_s(flat).tolist()
        seconds += len(marks) / FPS
        if sound.exists():
            chins += chin_around_stress(angles, sound)
    low, middle, high = np.percentile(rows, [10, 50, 90], axis=0)
    names = ["change, deg/frame", "pitch spread, deg", "yaw spread, deg", "roll spread, deg"]
    names += [f"speed {a:g}-{b:g} Hz" for a, b in zip(BANDS_HZ, BANDS_HZ[1:], strict=False)]
    lines = [
        f"## {folder.name}: {len(rows)} recordings, {seconds:.0f} s",
        "",
        "| figure | median | 10 % | 90 % |",
        "|---|---|---|---|",
    ]
    lines += [f"| {n} | {m:.2f} | {a:.2f} | {b:.2f} |" for n, m, a, b in zip(names, middle, low, high, strict=True)]
    lines += ["", f"Blinks {len(blinks) * 60 / seconds:.1f} a minute, median {1000 * np.median(blinks or [0]):.0f} ms; "
              f"gaze rests {np.mean(holds):.1f} s on average."]  # fmt: skip
    if chins:
        curve = np.mean(chins, axis=0)[1::4]
        lines += ["", f"Chin around {len(chins)} stresses (deg, + down, from -.48 s every .16 s): "
                  + ", ".join(f"{value:+.2f}" for value in curve)]  # fmt: skip
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grid", type=Path)
    parser.add_argument("--tracks", type=Path, nargs="*", default=[])
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    folders = ([arguments.grid] if arguments.grid else []) + arguments.tracks
    report = "\n".join(measure(folder, arguments.clips) for folder in folders)
    if arguments.out:
        arguments.out.write_text(report, encoding="utf-8")
    print(report)


if __name__ == "__main__":
    main()
