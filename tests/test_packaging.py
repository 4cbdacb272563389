"""What `pip install .` puts into the wheel."""

from __future__ import annotations

from pathlib import Path

import pytest

from talkface import weights

tomllib = pytest.importorskip("tomllib")
ROOT = Path(__file__).resolve().parents[1]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
WHEEL_LIMIT_BYTES = 60e6


def packaged_data() -> list[Path]:
    return [
        path
        for package, patterns in SETTINGS["package-data"].items()
        for pattern in patterns
        for path in (ROOT / SETTINGS["package-dir"][package]).glob(pattern)
    ]


def test_every_package_travels():
    inside = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "talkface").rglob("__init__.py")}
    assert inside | set(SETTINGS["package-dir"]) == set(SETTINGS["packages"])


def test_every_weight_file_and_the_examples_travel():
    names = {path.name for path in packaged_data()}
    assert {str(record["file"]) for record in weights.manifest().values()} <= names
    assert {"manifest.json", "portrait.png", "speech.flac"} <= names


def test_the_wheel_stays_small():
    assert sum(path.stat().st_size for path in packaged_data()) < WHEEL_LIMIT_BYTES


def test_no_weight_file_is_forgotten_in_the_manifest():
    listed = {str(record["file"]) for record in weights.manifest().values()}
    assert {path.name for path in (ROOT / "weights").glob("*.safetensors")} == listed
