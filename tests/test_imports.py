"""Imports go one way: cli -> pipeline -> stages -> base; stages never import each other; the front stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "talkface"
STAGES = ("face", "speech", "motion", "rendering", "media")
BASE = ("errors", "types", "space", "options", "device", "progress", "weights", "pose", "warp", "landmarks", "tables")
MIDDLE = ("pipeline", "given", "export", "analysis", "inspection", "doctor", "bench")
FRONT = ("cli", "console", "__main__")
LEVELS = {"base": 0, "stage": 1, "middle": 2, "front": 3}


def modules() -> list[str]:
    """Dotted names under talkface/, "render.renderer" say, without packages and data folders."""
    paths = [path for path in PACKAGE.rglob("*.py") if path.stat().st_size]
    return sorted(".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in paths)


def level(module: str) -> str:
    top = module.split(".")[0]
    places = {"base": BASE, "stage": STAGES, "middle": MIDDLE, "front": FRONT}
    return next(name for name, members in places.items() if top in members)


def imports(module: str) -> set[str]:
    """Modules of talkface that `module` imports anywhere in its text, as dotted names below talkface."""
    path = PACKAGE / Path(*module.split(".")).with_suffix(".py")
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} uses a relative import"
            if node.module == "talkface":
                found |= {alias.name for alias in node.names if (PACKAGE / f"{alias.name}.py").is_file()}
            elif node.module and node.module.startswith("talkface."):
                found.add(node.module.removeprefix("talkface."))
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            found |= {name.removeprefix("talkface.") for name in names if name.startswith("talkface.")}
    return found


def packages(module: str) -> set[str]:
    """The first names of everything that `module` imports anywhere in its text."""
    tree = ast.parse((PACKAGE / Path(*module.split(".")).with_suffix(".py")).read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    wholes = plain | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name.split(".")[0] for name in wholes}


CHECKED = [name for name in modules() if not name.endswith("__init__")]


def test_every_module_has_a_place_in_the_order():
    for module in CHECKED:
        level(module)


@pytest.mark.parametrize("module", CHECKED)
def test_imports_go_down_only(module):
    for target in imports(module):
        assert LEVELS[level(target)] <= LEVELS[level(module)], f"{module} imports {target}"


@pytest.mark.parametrize("module", [name for name in CHECKED if level(name) == "stage"])
def test_stages_do_not_import_each_other(module):
    stage = module.split(".")[0]
    foreign = {target for target in imports(module) if level(target) == "stage" and target.split(".")[0] != stage}
    assert not foreign


@pytest.mark.parametrize("module", CHECKED)
def test_the_package_needs_nothing_that_made_or_measures_it(module):
    assert not packages(module) & {"training", "benchmarks", "tests"}


def test_only_ffmpeg_starts_processes():
    texts = {name: (PACKAGE / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8") for name in CHECKED}
    assert [name for name, text in texts.items() if "import subprocess" in text] == ["media.ffmpeg"]


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_importing_talkface_costs_nothing():
    assert not loaded_by("import talkface") & {"numpy", "torch", "scipy", "typer"}


@pytest.mark.parametrize("module", ["talkface.cli", "talkface.console", "talkface.options"])
def test_the_front_is_light(module):
    assert not loaded_by(f"import {module}") & {"numpy", "torch", "scipy", "soundfile", "PIL"}


def test_the_pipeline_waits_with_torch():
    assert not loaded_by("import talkface.pipeline, talkface.inspection, talkface.doctor") & {"torch", "scipy"}


def test_a_wrong_controls_file_is_refused_before_torch_is_loaded(tmp_path):
    (tmp_path / "k.json").write_text("{")
    lines = (
        "import contextlib, talkface",
        f"options = talkface.RenderOptions(controls={str(tmp_path / 'k.json')!r})",
        "with contextlib.suppress(talkface.TalkfaceError):",
        f"    talkface.render('p.png', 's.wav', {str(tmp_path / 'out.mp4')!r}, options)",
        "    print('torch')",
    )
    (tmp_path / "wrong.py").write_text("\n".join(lines))
    assert not loaded_by(f"import runpy; runpy.run_path({str(tmp_path / 'wrong.py')!r})") & {"torch", "scipy"}


def test_the_story_of_the_pipeline_stays_short():
    assert len((PACKAGE / "pipeline.py").read_text().splitlines()) < 150
