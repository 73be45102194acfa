"""Weights: what was saved comes back, what was changed is refused, and what ships is small and complete."""

import json

import pytest
import torch

from aqa_pipeline import weights
from aqa_pipeline.backbones import heatmap_net
from aqa_pipeline.errors import InputError


@pytest.fixture
def saved(tmp_path):
    model = heatmap_net.build(**heatmap_net.tiny)
    path = tmp_path / "small.safetensors"
    weights.save(path, model.state_dict(), network="heatmap_net", options=heatmap_net.tiny, input_size=64)
    return path, model


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """An empty registry in a folder of its own."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "registry.json").write_text("{}")
    monkeypatch.setattr(weights, "_FOLDER", folder)
    monkeypatch.setattr(weights, "REGISTRY", folder / "registry.json")
    weights.forget()
    yield folder
    weights.forget()


def test_round_trip(saved):
    path, model = saved
    again = weights.network(path)
    assert not again.training
    assert weights.facts(path)["input_size"] == 64
    for name, tensor in model.state_dict().items():
        found = again.state_dict()[name]
        exact = tensor.ndim <= 1
        torch.testing.assert_close(found, tensor, rtol=0 if exact else 1e-3, atol=0 if exact else 1e-6)


def test_matrices_are_stored_in_half_the_space(saved):
    path, model = saved
    count = sum(p.numel() for p in model.parameters() if p.ndim > 1)
    vectors = sum(b.numel() * b.element_size() for b in model.state_dict().values() if b.ndim <= 1)
    assert path.stat().st_size < 2 * count + vectors + 12_000


def test_a_registered_file_is_checked_before_it_is_read(saved, registry):
    weights.register("small", saved[0])
    assert weights.available() == ["small"]
    assert weights.sha256("small") == json.loads(weights.REGISTRY.read_text())["small"]["sha256"]
    assert weights.load("small").keys() == weights.load(saved[0]).keys()
    file = registry / "small.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    weights.forget()
    with pytest.raises(InputError, match="has SHA-256"):
        weights.load("small")
    file.unlink()
    with pytest.raises(InputError, match="is missing"):
        weights.network("small")


def test_unknown_names_and_files(tmp_path, saved, registry):
    weights.register("estimator", saved[0])
    with pytest.raises(InputError, match="did you mean 'estimator'"):
        weights.load("estimater")
    with pytest.raises(InputError, match="no such file"):
        weights.load(tmp_path / "nothing.safetensors")
    weights.save(tmp_path / "nameless.safetensors", {"x": torch.ones(2)})
    with pytest.raises(InputError, match="names no network"):
        weights.network(tmp_path / "nameless.safetensors")


@pytest.mark.parametrize("name", ["athlete_detector", "estimator_coco_17", "estimator_coco_wholebody_133"])
def test_what_ships_is_whole_and_small(name):
    model, about = weights.network(name), weights.facts(name)
    stored = (weights._FOLDER / f"{name}.safetensors").stat().st_size
    assert stored <= 3 * 2**20
    assert all(torch.isfinite(tensor).all() for tensor in model.state_dict().values())
    assert about["training"]["frames"] > 1000
    assert len(weights.sha256(name)) == 64


@pytest.mark.parametrize("name", weights.available())
def test_every_entry_says_what_it_is_and_where_from(name):
    entry = weights.entry(name)
    assert {"file", "from", "licence", "what"} <= set(entry)
    assert entry["from"] in ("shipped", "distribution", "url")
    if entry["from"] == "url":
        assert entry["url"].startswith("https://")
        assert "found_in" in entry
        assert entry.get("sha256", entry.get("sha256_prefix", ""))[:8] in entry["file"]
    else:
        assert len(entry["sha256"]) == 64


@pytest.mark.parametrize("name", ["blazepose_detector", "blazepose_landmarks_full"])
def test_files_of_a_distribution_are_found_without_importing_it(name):
    file, entry = weights.path(name), weights.entry(name)
    assert file.stat().st_size == entry["bytes"]
    assert weights.sha256(name) == entry["sha256"]
    assert file.read_bytes()[4:8] == b"TFL3"


def test_a_distribution_that_is_not_installed_is_named(registry):
    entry = {"from": "distribution", "distribution": "no-such-thing", "version": "1.2", "file": "a/b.tflite"}
    weights.REGISTRY.write_text(json.dumps({"there": entry}))
    assert not weights.is_present("there")
    with pytest.raises(InputError, match=r"no a/b.tflite; it comes with no-such-thing==1.2 \(pip install --no-deps"):
        weights.path("there")


def test_a_checkpoint_of_pytorch_is_read_without_running_it(tmp_path):
    torch.save({"state_dict": {"x": torch.ones(2, 3, dtype=torch.float16)}}, tmp_path / "net.pth")
    assert weights.load(tmp_path / "net.pth")["x"].dtype == torch.float32
    torch.save({"model": print}, tmp_path / "evil.pth")
    with pytest.raises(InputError, match="holds more than named tensors"):
        weights.load(tmp_path / "evil.pth")
