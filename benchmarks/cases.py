"""The recordings to re-create, how to render them, and the independent tracker that measures the result."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FPS = 25
_TRACK = """
import sys, numpy as np
sys.path.insert(0, sys.argv[1])
import score
for video, tracks in zip(sys.argv[2::2], sys.argv[3::2]):
    marks, found = score.track(score.decode(video)[0])
    np.savez(tracks, marks=np.zeros((0, 478, 3)) if marks is None else marks, found=found)
"""


@dataclass(frozen=True)
class Case:
    """One recording to re-create: `group` is real or vasa1; picture, sound and the recording itself."""

    name: str
    group: str
    portrait: Path
    speech: Path
    reference: Path


@dataclass(frozen=True)
class Scorer:
    """The scoring script and the Python that can run it (it needs MediaPipe, which talkface must not)."""

    script: Path
    python: Path

    def score(self, video: Path, reference: Path | None = None, portrait: Path | None = None) -> dict[str, object]:
        """The script's figures of one video, kept beside it in NAME.score.json until the video changes."""
        kept = video.with_suffix(".score.json")
        if not _is_newer(kept, video):
            command = [self.python, self.script, video, "--json"]
            command += ["--ref", reference] if reference else []
            command += ["--portrait", portrait] if portrait else []
            kept.write_text(_run(command).splitlines()[-1], encoding="utf-8")
        return json.loads(kept.read_text(encoding="utf-8"))

    def track(self, videos: list[Path]) -> list[np.ndarray]:
        """Landmarks (T, 478, 3) in pixels of each video, kept beside it in NAME.npz until the video changes."""
        kept = [video.with_suffix(".npz") for video in videos]
        stale = [(v, k) for v, k in zip(videos, kept, strict=True) if not _is_newer(k, v)]
        if stale:
            _run([self.python, "-c", _TRACK, self.script.parent, *(path for pair in stale for path in pair)])
        return [np.load(path)["marks"] for path in kept]


def add_arguments(parser: argparse.ArgumentParser, out: str) -> None:
    """What every benchmark that renders and scores asks for; `out` is the folder it writes to by default."""
    parser.add_argument("--score", type=Path, required=True, help="the scoring script")
    parser.add_argument("--score-python", type=Path, default=Path(sys.executable), help="a Python that has MediaPipe")
    parser.add_argument("--out", type=Path, default=Path(out))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--readme", type=Path, help="publish the report between its markers in this file")


def find_cases(folder: Path, wanted: list[str]) -> list[Case]:
    """Cases under FOLDER/real and FOLDER/vasa1; `wanted` holds groups, names or beginnings of names; empty = all."""
    cases = [
        Case(path.stem, path.parent.name, path.with_suffix(".png"), path.with_suffix(".flac"), path)
        for group in ("real", "vasa1")
        for path in sorted((folder / group).glob("*.mp4"))
    ]
    if not wanted:
        return cases
    exact = [case for case in cases if case.name in wanted or case.group in wanted]
    return exact or [case for case in cases if case.name.startswith(tuple(wanted))]


def render_case(case: Case, folder: Path, seed: int, extra: list[str], again: bool, by: str = "model") -> Path:
    """Render a case to FOLDER/GROUP_NAME.mp4 with the command line a user would type, unless it is there already.

    `by` the "rules" it goes to FOLDER/rules, and their motion, made by `training.teacher`, is drawn.
    """
    folder = folder if by == "model" else folder / by
    video = folder / f"{case.group}_{case.name}.mp4"
    if again or not video.exists():
        folder.mkdir(parents=True, exist_ok=True)
        performing, drawing = ["--seed", str(seed)], extra
        if by == "rules":
            motion = video.with_suffix(".motion.npz")
            wishes, drawing = wishes_and_rest(extra)
            _run([sys.executable, "-m", "training.teacher", case.speech, "-o", motion, *performing, *wishes])
            performing = ["--motion", motion]
        command = [sys.executable, "-m", "talkface", "render", case.portrait, case.speech, "-o", video, "--force", "-q"]
        _run([*command, *performing, *drawing])
    return video


def wishes_and_rest(options: list[str]) -> tuple[list[str], list[str]]:
    """Options of `talkface render` parted: what shapes a performance, for `training.teacher`, and what draws it."""
    shaping = ("--gaze", "--head-distance", "--emotion", "--amplitude", "--controls")
    wishes, rest, words = [], [], iter(options)
    for word in words:
        if word in shaping:
            wishes += [word, next(words)]
        elif word == "--steps":  # the rules have none
            next(words)
        else:
            rest.append(word)
    return wishes, rest


def _is_newer(kept: Path, source: Path) -> bool:
    return kept.exists() and kept.stat().st_mtime >= source.stat().st_mtime


def _run(command: list[object]) -> str:
    """Run a command and give its output; a failure shows what it printed."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command[:4]))} ... failed:\n{done.stderr[-2000:]}")
    return done.stdout
