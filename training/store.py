"""Write a trained network into `weights/`: a safetensors file in half precision and its entry in the manifest.

Run training scripts from the repository's root (`python -m training.tracker`), then

    from training.store import store
    store("tracker", config, net.state_dict(), about="...", data="...", licence="...")
    config, tensors = talkface.weights.load("tracker")
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import torch
from safetensors.torch import save

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"
MANIFEST_VERSION = 1


def store(
    name: str,
    config: dict,
    tensors: dict[str, torch.Tensor],
    *,
    about: str,
    data: str,
    licence: str,
    keep_float32: tuple[str, ...] = (),
    folder: Path = WEIGHTS,
) -> Path:
    """Save `tensors` as `<name>.safetensors` with `config` (JSON) in the header and update `manifest.json`.

    Floating-point tensors become float16, save those whose key starts with an entry of `keep_float32`; integers keep
    their type. `about`, `data` and `licence` are one sentence each, for the model card. Returns the file's path.
    Raises ValueError when a value does not fit half precision.
    """
    compact = {key: _compact(key, value, keep_float32) for key, value in tensors.items()}
    content = save(compact, metadata={"config": json.dumps(config, sort_keys=True)})
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    _replace(path, content)
    record = {
        "file": path.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "values": sum(value.numel() for value in compact.values()),
        "about": about,
        "data": data,
        "licence": licence,
    }
    _register(folder / "manifest.json", name, record)
    return path


def _compact(key: str, value: torch.Tensor, keep_float32: tuple[str, ...]) -> torch.Tensor:
    value = value.detach().cpu().contiguous()
    if not value.is_floating_point():
        return value
    if keep_float32 and key.startswith(keep_float32):
        return value.float()
    half = value.half()
    if not torch.isfinite(half).all():
        raise ValueError(f"{key} holds values that half precision cannot (largest {value.abs().max():g})")
    return half


def _register(path: Path, name: str, record: dict[str, object]) -> None:
    document = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    weights = {**document.get("weights", {}), name: record}
    document = {"version": MANIFEST_VERSION, "weights": dict(sorted(weights.items()))}
    _replace(path, (json.dumps(document, indent=2) + "\n").encode())


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    os.replace(part, path)
