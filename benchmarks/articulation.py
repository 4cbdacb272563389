"""How well the speaking mouth follows real ones, without drawing anything.

    python -m benchmarks.articulation --eval ../shared/eval --curves CURVES [--seed 0] [--only model|rules]

The motion model and the rules perform the sound of every recording of the evaluation set; lip opening and mouth width
of the face model's mean face are compared with the tracked mouth of the recording as `tools/score.py` does. CURVES is a
folder for the references' curves, `ref_SET_NAME.npz` with `opening` and `width` at 25 frames/s; missing ones are made
by the functions of `score.py`, so the first run needs that script's environment (`--scorer PYTHON`).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf

from benchmarks.cases import FPS
from benchmarks.performers import add_argument, performers
from talkface.motion.mouth import measure
from talkface.space import MotionSpace
from talkface.speech.encoder import SpeechEncoder
from talkface.types import Controls, Speech

MAX_LAG = 4
TRACK = """
import sys, numpy as np
sys.path.insert(0, sys.argv[1])
import score
for video, out in zip(sys.argv[2::2], sys.argv[3::2]):
    frames, _ = score.decode(video)
    norm, _ = score.normalise(score.track(frames)[0])
    opening, width = score.mouth(norm)
    np.savez(out, opening=opening, width=width)
"""


@dataclass(frozen=True)
class Row:
    """Figures of one recording; correlations at the best lag within 160 ms, as `score.py` defines them."""

    name: str
    open_r: float
    lag_ms: int
    width_r: float
    env_r: float
    env_lag_ms: int
    open_p95: float
    open_std: float
    width_std: float
    silent_open: float
    jitter: float


def best_correlation(a: np.ndarray, b: np.ndarray, max_lag: int = MAX_LAG) -> tuple[float, int]:
    """Largest correlation of two curves over shifts of up to `max_lag` frames, and that shift (positive: `a` late)."""
    best = (-2.0, 0)
    for lag in range(-max_lag, max_lag + 1):
        x, y = (a[lag:], b[: len(b) - lag]) if lag >= 0 else (a[:lag], b[-lag:])
        size = min(len(x), len(y))
        if size >= 10 and x[:size].std() > 1e-6 and y[:size].std() > 1e-6:
            best = max(best, (float(np.corrcoef(x[:size], y[:size])[0, 1]), lag))
    return best


def speed_energy_above_6hz(curves: np.ndarray) -> float:
    """Share of the energy of the speed of (T, C) curves above 6 Hz."""
    speed = np.diff(curves, axis=0)
    power = (np.abs(np.fft.rfft(speed - speed.mean(0), axis=0)) ** 2).sum(1)
    return float(power[np.fft.rfftfreq(len(speed), 1 / FPS) > 6].sum() / (power.sum() + 1e-12))


def envelope_db(samples: np.ndarray, count: int) -> np.ndarray:
    """Level of each video frame in dB of full scale."""
    hop = 16000 // FPS
    frames = np.pad(samples, (0, max(0, count * hop - len(samples))))[: count * hop].reshape(count, hop)
    return 20 * np.log10(np.sqrt((frames**2).mean(1) + 1e-10))


def silent_frames(level_db: np.ndarray) -> np.ndarray:
    """Frames after at least 300 ms of silence."""
    quiet, run, silent = level_db < max(level_db.max() - 35, -55), 0, np.zeros(len(level_db), bool)
    for t, is_quiet in enumerate(quiet):
        run = run + 1 if is_quiet else 0
        silent[t] = run >= 8
    return silent


def row_of(name: str, samples: np.ndarray, motion: np.ndarray, reference: dict[str, np.ndarray]) -> Row:
    """Figures of the motion (T, D) made of one recording whose reference mouth is known."""
    from scipy.signal import butter, filtfilt

    opening, width = measure(motion[:, MotionSpace.dynamics])
    level_db = envelope_db(samples, len(opening))
    b, a = butter(2, [2 / (FPS / 2), 7 / (FPS / 2)], "band")
    bands = [filtfilt(b, a, x) for x in (opening, np.maximum(level_db, level_db.max() - 40))]
    env_r, env_lag = best_correlation(*bands, 8)
    open_r, lag = best_correlation(opening, reference["opening"])
    silent = silent_frames(level_db)
    p95 = float(np.percentile(opening, 95))
    rest = float(opening[silent].mean() / (p95 + 1e-6)) if silent.sum() > 5 else np.nan
    width_r = best_correlation(width, reference["width"])[0]
    jitter = speed_energy_above_6hz(np.stack([opening, width], 1))
    spread = float(opening.std()), float(width.std())
    return Row(name, open_r, lag * 1000 // FPS, width_r, env_r, env_lag * 1000 // FPS, p95, *spread, rest, jitter)


def reference_curves(evaluation: Path, folder: Path, scorer: str) -> dict[str, dict[str, np.ndarray]]:
    """Tracked curves of every recording, tracking those that are not in `folder` yet."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {
        f"{v.parent.name}/{v.stem}": (v, folder / f"ref_{v.parent.name}_{v.stem}.npz")
        for v in evaluation.glob("*/*.mp4")
    }
    missing = [str(p) for video, curve in wanted.values() if not curve.exists() for p in (video, curve)]
    if missing:
        subprocess.run([scorer, "-c", TRACK, str(evaluation.parent / "tools"), *missing], check=True)
    return {name: dict(np.load(curve)) for name, (_, curve) in sorted(wanted.items())}


def table(rows: list[Row]) -> str:
    """The figures as text, one recording per line, medians per set at the end."""
    fields = [f for f in Row.__dataclass_fields__ if f != "name"]
    lines = [f"{'':28}" + "".join(f"{f:>12}" for f in fields)]
    groups = sorted({r.name.split("/")[0] for r in rows})
    medians = [
        Row(f"median {g}", *(np.nanmedian([getattr(r, f) for r in rows if r.name.startswith(g + "/")]) for f in fields))
        for g in groups
    ]
    lines += [f"{r.name[:27]:28}" + "".join(f"{getattr(r, f):12.3f}" for f in fields) for r in [*rows, *medians]]
    return "\n".join(lines)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eval", type=Path, required=True)
    parser.add_argument("--curves", type=Path, required=True)
    parser.add_argument("--scorer", default=sys.executable)
    parser.add_argument("--seed", type=int, default=0)
    add_argument(parser)
    args = parser.parse_args()
    encoder, by_name = SpeechEncoder.load(), performers(args.only)
    rows: dict[str, list[Row]] = {performer: [] for performer in by_name}
    for name, reference in reference_curves(args.eval, args.curves, args.scorer).items():
        path = args.eval / f"{name}.flac"
        samples, _ = sf.read(path, dtype="float32")
        features = encoder.encode(Speech(samples, len(samples) / 16000, path))
        frames = max(1, round(len(samples) / 16000 * FPS))
        for performer, perform in by_name.items():
            motion = perform(features, Controls(), FPS, frames, args.seed).values
            rows[performer].append(row_of(name, samples, motion, reference))
    for performer, made in rows.items():
        print(f"{performer}\n{table(made)}\n")


if __name__ == "__main__":
    main()
