"""The README's commands do what it says."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

import pytest

from talkface.__main__ import main
from talkface.cli import app
from talkface.errors import EnvironmentFailure, InputError, RenderError, UsageError
from talkface.options import RenderOptions
from tests.light import lighten

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")


def commands(text: str) -> list[list[str]]:
    """Arguments of every `talkface` command in the shell blocks of a page."""
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("talkface ")]


def run(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return caught.value.code or 0


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """The examples, seen from the folder in which the commands are typed."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_first_command_makes_a_video(copy, capsys):
    command = commands(README)[0]
    assert run([*command, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (copy / "out.mp4").stat().st_size > 100_000
    assert result["frames"] == round(25 * result["duration_s"])


def test_a_motion_is_written_and_drawn(copy, capsys, monkeypatch):
    write, draw = commands(README)[1:]
    assert run(write) == 0
    lighten(monkeypatch.setattr)
    assert run([*draw, "--json"]) == 0
    captured = capsys.readouterr()
    assert "resampled" not in captured.err
    assert json.loads(captured.out.removeprefix("motion.npz\n"))["frames"] == 231


def test_the_controls_example_is_accepted(copy):
    from talkface.motion.controls import COLUMNS, KEYS, read_controls

    (text,) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    Path("controls.json").write_text(text, encoding="utf-8")
    assert set(read_controls(Path("controls.json")).curves) == {"gaze", "emotion", "head_distance", "amplitude"}
    rows = re.findall(r"^\| `([a-z_]+)` \| (`[a-z_`, ]+`) \|", README, re.MULTILINE)
    assert {key for key, _ in rows} == set(KEYS)
    assert {column for _, cell in rows for column in re.findall(r"[a-z_]+", cell)} == set(COLUMNS)


@pytest.mark.parametrize("command", commands(EXAMPLES), ids=lambda command: command[command.index("-o") + 1])
def test_the_examples_are_accepted(copy, monkeypatch, command):
    if command[0] == "inspect":
        assert run(command) == 0
    else:
        lighten(monkeypatch.setattr)
        assert run(command) == 0
    assert Path(command[command.index("-o") + 1]).stat().st_size > 0


def test_the_python_example_runs(copy, light, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(code, {})
    assert capsys.readouterr().out.split()[1:] == ["25.0", "7"]


def test_every_option_of_render_is_in_the_table():
    import typer

    documented = set(re.findall(r"^\| `(--[a-z-]+)", README, re.MULTILINE))
    render = typer.main.get_command(app).commands["render"]
    offered = {flag for parameter in render.params if not parameter.hidden for flag in parameter.opts}
    offered = {flag for flag in offered if flag.startswith("--")}
    assert offered - documented == {"--output", "--quiet", "--verbose", "--help"} & offered


@pytest.mark.parametrize("name", ["size", "crf", "head_distance", "amplitude", "steps", "face", "device"])
def test_the_defaults_in_the_table_are_the_real_ones(name):
    row = re.search(rf"^\| `--{name.replace('_', '-')}\b[^|]*\| ([^|]+) \|", README, re.MULTILINE)
    default = getattr(RenderOptions(), name)
    assert row.group(1) == (f"{default:g}" if isinstance(default, (int, float)) else default)


@pytest.mark.parametrize("error", [RenderError, UsageError, InputError, EnvironmentFailure])
def test_exit_codes_are_documented(error):
    assert f"| {error.exit_code} |" in README


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_required_python_is_the_documented_one():
    assert "Python 3.10 or newer" in README
    assert sys.version_info >= (3, 10)
