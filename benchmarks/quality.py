"""Re-create every evaluation recording from one frame and its sound; score it beside the rules and VASA-1's own videos.

Usage
    python -m benchmarks.quality --eval DIR --score SCORE.PY --score-python PYTHON [--out DIR]
        [--cases real vasa1 NAME...] [--rules] [--seed 0] [--again] [--readme benchmarks/README.md]
        [-- talkface options]

Writes OUT/quality.md, and with --readme replaces the part between the quality markers of that file. Videos and scores
already in OUT are kept; --again renders anew. With --rules every case is also rendered, to OUT/rules, from the
performance of the rules that taught the motion model, under the same seed and options.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import numpy as np

from benchmarks.cases import Case, Scorer, add_arguments, find_cases, render_case
from benchmarks.publish import publish

WANTED = {
    "ref_open_r": "real >= .65, vasa1 >= .45",
    "ref_lag_ms": "",
    "ref_width_r": "real >= .30",
    "lmd": "",
    "env_r": "",
    "env_lag_ms": "median of abs <= 40",
    "silent_open": "<= .15",
    "open_p95": ".28-.47",
    "open_std": "",
    "width_std": ".057-.114",
    "dP_deg": ".40-.53",
    "pose_std_deg": "3.3-5.0",
    "blinks_min": "12-35",
    "blink_ms": "120-300",
    "jitter": "<= .30",
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


def columns_of(scores: dict[str, dict[str, dict[str, object]]]) -> dict[str, list[dict[str, object]]]:
    """Rows of every set of videos, from scores by maker and case; what has none is left out."""
    columns = {}
    for group, label in (("real", "recordings themselves"), ("vasa1", "VASA-1 itself")):
        titles = {"model": f"talkface, {group}", "rules": f"rules, {group}", "reference": label}
        for maker, title in titles.items():
            rows = [row for name, row in scores.get(maker, {}).items() if name.startswith(group)]
            columns |= {title: rows} if rows else {}
    return columns


def report(
    cases: list[Case], folder: Path, scorer: Scorer, seed: int, extra: list[str], again: bool, rules: bool = False
) -> str:
    """Render and score all cases; the whole Markdown report."""
    makers = ("model", "rules") if rules else ("model",)
    scores: dict[str, dict[str, dict[str, object]]] = {maker: {} for maker in (*makers, "reference")}
    for number, case in enumerate(cases, 1):
        print(f"{number}/{len(cases)} {case.group} {case.name}", file=sys.stderr, flush=True)
        name = f"{case.group}/{case.name}"
        for maker in makers:
            video = render_case(case, folder, seed, extra, again, maker)
            scores[maker][name] = scorer.score(video, case.reference, case.portrait)
        scores["reference"][name] = score_reference(case, folder, scorer)
    tables = [summary_table(columns_of(scores)), "Every video of ours:", case_table(scores["model"])]
    tables += ["Every video of the rules:", case_table(scores["rules"])] if rules else []
    return "\n\n".join(tables) + "\n"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eval", type=Path, required=True, help="folder with real/ and vasa1/")
    parser.add_argument("--cases", nargs="*", default=[])
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--rules", action="store_true", help="the teacher's performance too")
    add_arguments(parser, out="quality")
    parser.add_argument("extra", nargs="*", help="options of talkface render, after --")
    args = parser.parse_args()
    scorer = Scorer(args.score, args.score_python)
    cases = find_cases(args.eval, args.cases)
    text = report(cases, args.out, scorer, args.seed, args.extra, args.again, args.rules)
    (args.out / "quality.md").write_text(text, encoding="utf-8")
    if args.readme:
        publish(args.readme, text, "quality")
    print(text)


if __name__ == "__main__":
    main()
