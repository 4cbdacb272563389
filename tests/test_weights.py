"""Weights: stored and loaded unchanged, and every way of being broken is told with file, expected, got and a remedy."""

import json

import pytest
import torch

from talkface import weights
from talkface.errors import EnvironmentFailure
from training.store import store

NOTES = {"about": "a test", "data": "none", "licence": "CC0"}


@pytest.fixture
def stored(tmp_path):
    tensors = {"a.weight": torch.arange(6.0).reshape(2, 3) / 8, "count": torch.tensor([3, 4])}
    store("small", {"width": 3}, tensors, folder=tmp_path, **NOTES)
    return tmp_path, tensors


def test_round_trip_returns_config_and_tensors(stored):
    folder, tensors = stored
    config, loaded = weights.load("small", folder)
    assert config == {"width": 3}
    assert loaded["a.weight"].dtype == torch.float32
    assert torch.equal(loaded["a.weight"], tensors["a.weight"])
    assert torch.equal(loaded["count"], tensors["count"])


def test_storing_again_keeps_other_entries(stored):
    folder, tensors = stored
    store("other", {}, tensors, folder=folder, **NOTES)
    assert sorted(weights.manifest(folder)) == ["other", "small"]
    assert [status.problem for status in weights.check(folder)] == ["", ""]


def test_altered_file_is_refused_with_both_hashes(stored):
    folder, _ = stored
    path = folder / "small.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(EnvironmentFailure, match="expected sha256 [0-9a-f]{64}, got [0-9a-f]{64}") as caught:
        weights.load("small", folder)
    assert str(path) in caught.value.message
    assert "pip install --force-reinstall --no-deps ." in caught.value.hint
    assert "altered" in weights.check(folder)[0].problem


def test_missing_file_is_named(stored):
    folder, _ = stored
    (folder / "small.safetensors").unlink()
    with pytest.raises(EnvironmentFailure, match=r"small\.safetensors is missing"):
        weights.load("small", folder)
    assert "missing" in weights.check(folder)[0].problem


def test_unknown_name_lists_what_there_is(stored):
    with pytest.raises(EnvironmentFailure, match="'large'.*small"):
        weights.load("large", stored[0])


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"weights": {"small": {"file": "x"}}})])
def test_broken_manifest_is_told(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(EnvironmentFailure, match="manifest"):
        weights.manifest(tmp_path)


def test_values_beyond_half_precision_are_refused(tmp_path):
    with pytest.raises(ValueError, match="half precision"):
        store("huge", {}, {"a": torch.tensor([1e6])}, folder=tmp_path, **NOTES)


def test_float32_is_kept_where_asked(tmp_path):
    value = torch.tensor([1.0000001])
    store("exact", {}, {"mean.x": value}, folder=tmp_path, keep_float32=("mean.",), **NOTES)
    assert torch.equal(weights.load("exact", tmp_path)[1]["mean.x"], value)


def test_restore_names_missing_unexpected_and_misshapen():
    tensors = {"weight": torch.zeros(1, 2), "extra": torch.zeros(1)}
    with pytest.raises(EnvironmentFailure) as caught:
        weights.restore(torch.nn.Linear(3, 1), tensors, "small")
    text = caught.value.message
    assert "missing: bias" in text
    assert "unexpected: extra" in text
    assert "weight: expected (1, 3), got (1, 2)" in text


def test_restore_fills_the_module():
    tensors = {"weight": torch.ones(1, 3), "bias": torch.zeros(1)}
    module = weights.restore(torch.nn.Linear(3, 1), tensors, "small")
    assert module(torch.ones(3)).item() == 3
    assert not module.training


def test_weights_of_this_version_are_intact():
    assert all(not status.problem for status in weights.check())
