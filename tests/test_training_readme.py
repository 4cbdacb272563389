"""The commands of training/README.md name modules and options that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMMANDS = [
    line.strip().split("#")[0]
    for line in (ROOT / "training" / "README.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("    ") and re.search(r"-m (-- )?training\.", line)
]


def source_of(command: str) -> str:
    """The script's text, with those of which it shares options: the tracker's learner, talkface's command line."""
    name = re.search(r"-m (?:-- )?training\.(\w+)", command).group(1)
    path = ROOT / "training" / f"{name}.py"
    path = path if path.is_file() else path.with_suffix("") / "__main__.py"
    assert path.is_file(), f"{path} does not exist"
    shared = (ROOT / "training" / "tracker_learner.py", ROOT / "talkface" / "cli.py")
    return "".join(part.read_text(encoding="utf-8") for part in (path, *shared))


def test_there_are_commands():
    assert len(COMMANDS) > 20


@pytest.mark.parametrize("command", COMMANDS)
def test_the_options_exist(command: str):
    source = source_of(command)
    own = command.split("training", 1)[1]  # not torchrun's
    for option in re.findall(r"(?<=\s)--[a-z-]+", own):
        assert f'"{option}"' in source, f"{option} is no option of: {command}"


def test_every_script_with_a_command_line_is_on_the_page():
    page = (ROOT / "training" / "README.md").read_text(encoding="utf-8")
    scripts = [p for p in (ROOT / "training").rglob("*.py") if "__main__" in p.read_text(encoding="utf-8")]
    names = [p.parent.name if p.stem == "__main__" else p.stem for p in scripts]
    assert not [name for name in names if f"-m training.{name}" not in page and f"-m -- training.{name}" not in page]
