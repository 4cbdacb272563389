"""The learned parts on disk: a manifest with hashes, one safetensors file per network, its configuration in the header.

The files live in `weights/` of the repository and in `talkface/weights_data/` of an installed package. Nothing is ever
downloaded, and a file whose hash differs from the manifest's is refused.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from talkface.errors import EnvironmentFailure

if TYPE_CHECKING:
    import torch

MANIFEST = "manifest.json"
REINSTALL = "Install talkface again, in its repository: pip install --force-reinstall --no-deps ."
_HEADER_LENGTH_BYTES = 8


@dataclass(frozen=True)
class WeightStatus:
    """One weight file as `check` found it: `problem` is empty when the file is there and unaltered."""

    name: str
    path: Path
    size_bytes: int
    problem: str = ""


def folder() -> Path:
    """Where the weights are: inside the installed package, else beside it in the repository."""
    package = Path(__file__).resolve().parent
    candidates = (package / "weights_data", package.parent / "weights")
    for candidate in candidates:
        if (candidate / MANIFEST).is_file():
            return candidate
    looked = " and ".join(str(candidate / MANIFEST) for candidate in candidates)
    raise EnvironmentFailure(f"The weights' manifest is missing (looked for {looked}).", REINSTALL)


def manifest(weights_folder: Path | None = None) -> dict[str, dict[str, object]]:
    """Name -> record (file, sha256, bytes, ...) of every weight file that belongs to this version.

    Raises EnvironmentFailure when there is no readable manifest.
    """
    path = (weights_folder or folder()) / MANIFEST
    try:
        records = json.loads(path.read_text(encoding="utf-8"))["weights"]
        for record in records.values():
            record["file"], record["sha256"]  # noqa: B018 - both must be there
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EnvironmentFailure(f"The weights' manifest {path} cannot be read ({error}).", REINSTALL) from error
    return records


def load(name: str, weights_folder: Path | None = None) -> tuple[dict, dict[str, torch.Tensor]]:
    """The configuration and the tensors stored under `name`; half precision comes back as float32.

    Raises EnvironmentFailure, naming file, expected and got, when the file is missing, altered or unreadable.
    """
    from safetensors.torch import load as parse

    place = weights_folder or folder()
    records = manifest(place)
    if name not in records:
        known = ", ".join(sorted(records)) or "nothing"
        raise EnvironmentFailure(f"The manifest in {place} does not know {name!r} (it lists {known}).", REINSTALL)
    path, data = _verified(place, records[name])
    try:
        config = json.loads(_header(data)["__metadata__"]["config"])
        tensors = parse(data)
    except Exception as error:  # safetensors raises its own Rust exceptions
        raise EnvironmentFailure(f"The weight file {path} cannot be parsed ({error}).", REINSTALL) from error
    return config, {key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}


def restore(module: torch.nn.Module, tensors: dict[str, torch.Tensor], name: str) -> torch.nn.Module:
    """Fill `module` with `tensors`, strictly, and return it in evaluation mode.

    Raises EnvironmentFailure naming missing, unexpected and wrongly shaped entries.
    """
    own = module.state_dict()
    missing = sorted(own.keys() - tensors.keys())
    unexpected = sorted(tensors.keys() - own.keys())
    shapes = [
        f"{key}: expected {tuple(own[key].shape)}, got {tuple(tensors[key].shape)}"
        for key in own.keys() & tensors.keys()
        if own[key].shape != tensors[key].shape
    ]
    if missing or unexpected or shapes:
        parts = (("missing", missing), ("unexpected", unexpected), ("wrong shape", sorted(shapes)))
        text = "; ".join(f"{label}: {', '.join(keys[:8])}" for label, keys in parts if keys)
        raise EnvironmentFailure(f"The weights {name!r} do not fit this version of talkface ({text}).", REINSTALL)
    module.load_state_dict(tensors)
    return module.eval()


def check(weights_folder: Path | None = None) -> list[WeightStatus]:
    """Every weight file of the manifest with its state, for `talkface doctor`; never raises for a bad weight file."""
    place = weights_folder or folder()
    statuses = []
    for name, record in sorted(manifest(place).items()):
        path = place / str(record["file"])
        try:
            _, data = _verified(place, record)
        except EnvironmentFailure as failure:
            size_bytes = path.stat().st_size if path.is_file() else 0
            statuses.append(WeightStatus(name, path, size_bytes, failure.message))
        else:
            statuses.append(WeightStatus(name, path, len(data)))
    return statuses


def _verified(place: Path, record: dict[str, object]) -> tuple[Path, bytes]:
    """The bytes of a weight file whose hash is the manifest's."""
    path = place / str(record["file"])
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EnvironmentFailure(
            f"The weight file {path} is missing or unreadable ({error.strerror}).", REINSTALL
        ) from error
    got = hashlib.sha256(data).hexdigest()
    if got != record["sha256"]:
        text = f"The weight file {path} is altered or incomplete: expected sha256 {record['sha256']}, got {got}."
        raise EnvironmentFailure(text, REINSTALL)
    return path, data


def _header(data: bytes) -> dict:
    """The JSON header of a safetensors file."""
    length = int.from_bytes(data[:_HEADER_LENGTH_BYTES], "little")
    return json.loads(data[_HEADER_LENGTH_BYTES : _HEADER_LENGTH_BYTES + length])
