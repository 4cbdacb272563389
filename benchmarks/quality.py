"""Re-create every evaluation recording from one frame and its sound, and score the result beside VASA-1's own videos.

Usage
    python -m benchmarks.quality --eval DIR --score SCORE.PY --score-python PYTHON [--out DIR]
        [--cases real vasa1 NAME...] [--seed 0] [--again] [--readme benchmarks/README.md] [-- talkface options]

Writes OUT/quality.md, and with --readme replaces the part between the quality markers of that file. Videos and scores
already in OUT are kept; --again renders anew.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from pathlib import Path

import numpy as np

from benchmarks.cases import Case, Scorer, add_arguments, find_cases, render_case

WANTED = {
    "ref_open_r": "real >= .50, vasa1 >= .25",
    "ref_lag_ms": "",
    "ref_width_r": "",
    "lmd": "",
    "env_r": "",
    "env_lag_ms": "median of abs <= 40",
    "silent_open": "<= .2",
    "open_p95": ".2-.45",
    "open_std": "",
    "width_std": ">= .03",
    "dP_deg": ".41-.53",
    "pose_std_deg": "3.3-5.0",
    "blinks_min": "15-30",
    "blink_ms": "150-300",
    "jitter": "<= .35",
    "flicker": "",
    "sharp_end": ">= .97",
    "found": "1",
    "dur_gap_ms": "<= 40",
    "rest_psnr": "",
}
ABSOLUTE = {"env_lag_ms", "ref_lag_ms"}


def medians(rows: list[dict[str, object]]) -> dict[str, float]:
    """Median of every figure over videos; of its size where the sign says only early or late."""
    result = {}
    for figure in WANTED:
        values = [float(row[figure]) for row in rows if figure in row]
        if values:
            result[figure] = float(np.median(np.abs(values) if figure in ABSOLUTE else values))
    return result


def summary_table(columns: dict[str, list[dict[str, object]]]) -> str:
    """Markdown: one row per figure, one column per set of videos, medians."""
    names = list(columns)
    middle = {name: medians(rows) for name, rows in columns.items()}
    lines = ["| figure (median) | " + " | ".join(f"{n} ({len(columns[n])})" for n in names) + " | wanted |"]
    lines.append("|---" * (len(names) + 2) + "|")
    for figure, wanted in WANTED.items():
        cells = [f"{middle[name][figure]:.3g}" if figure in middle[name] else "" for name in names]
        label = f"abs {figure}" if figure in ABSOLUTE else figure
        lines.append(f"| {label} | " + " | ".join(cells) + f" | {wanted} |")
    return "\n".join(lines)


def case_table(rows: dict[str, dict[str, object]]) -> str:
    """Markdown: one row per video of ours."""
    lines = ["| video | " + " | ".join(WANTED) + " |", "|---" * (len(WANTED) + 1) + "|"]
    for name, row in rows.items():
        lines.append(f"| {name} | " + " | ".join(str(row.get(figure, "")) for figure in WANTED) + " |")
    return "\n".join(lines)


def score_reference(case: Case, folder: Path, scorer: Scorer) -> dict[str, object]:
    """Figures of the recording itself, through the same script (a copy is scored: nothing is written to the data)."""
    copy = folder / f"{case.group}_{case.name}.reference.mp4"
    if not copy.exists():
        shutil.copyfile(case.reference, copy)
    return scorer.score(copy)


def report(cases: list[Case], folder: Path, scorer: Scorer, seed: int, extra: list[str], again: bool) -> str:
    """Render and score all cases; the whole Markdown report."""
    ours: dict[str, dict[str, object]] = {}
    theirs: dict[str, dict[str, object]] = {}
    for number, case in enumerate(cases, 1):
        print(f"{number}/{len(cases)} {case.group} {case.name}", file=sys.stderr, flush=True)
        video = render_case(case, folder, seed, extra, again)
        ours[f"{case.group}/{case.name}"] = scorer.score(video, case.reference, case.portrait)
        theirs[f"{case.group}/{case.name}"] = score_reference(case, folder, scorer)
    columns = {}
    for group, label in (("real", "recordings themselves"), ("vasa1", "VASA-1 itself")):
        for source, title in ((ours, f"talkface, {group}"), (theirs, label)):
            rows = [row for name, row in source.items() if name.startswith(group)]
            if rows:
                columns[title] = rows
    return f"{summary_table(columns)}\n\nEvery video of ours:\n\n{case_table(ours)}\n"


def publish(readme: Path, text: str, name: str) -> None:
    """Replace what stands between `<!-- NAME -->` and `<!-- /NAME -->` in a Markdown file, or add it at the end."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    old = readme.read_text(encoding="utf-8") if readme.exists() else ""
    block = f"{begin}\n{text}{end}"
    if begin in old:
        new = re.sub(re.escape(begin) + ".*?" + re.escape(end), lambda _: block, old, flags=re.DOTALL)
    else:
        new = f"{old}\n{block}\n"
    readme.write_text(new, encoding="utf-8")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eval", type=Path, required=True, help="folder with real/ and vasa1/")
    parser.add_argument("--cases", nargs="*", default=[])
    parser.add_argument("--again", action="store_true")
    add_arguments(parser, out="quality")
    parser.add_argument("extra", nargs="*", help="options of talkface render, after --")
    args = parser.parse_args()
    scorer = Scorer(args.score, args.score_python)
    text = report(find_cases(args.eval, args.cases), args.out, scorer, args.seed, args.extra, args.again)
    (args.out / "quality.md").write_text(text, encoding="utf-8")
    if args.readme:
        publish(args.readme, text, "quality")
    print(text)


if __name__ == "__main__":
    main()
