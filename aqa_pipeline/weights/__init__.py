"""Weights that ship with the package: safetensors files, and a registry of SHA-256 that is checked on loading.

A file's own header says which network it belongs to (`network`, a file of `backbones/`; `options`, JSON for
its `build`) and how it was trained. Wherever a name of the registry is expected, the path of a safetensors
file will do as well.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aqa_pipeline import plugins, stores
from aqa_pipeline.errors import InputError, nearest

if TYPE_CHECKING:
    import torch

_FOLDER = Path(__file__).parent
REGISTRY = _FOLDER / "registry.json"


def available() -> list[str]:
    """Names in the registry."""
    return sorted(_registry())


def load(name: str | Path) -> dict[str, torch.Tensor]:
    """Tensors by name, as float32; InputError where the file is missing or is not the one that was registered."""
    from safetensors.torch import load_file

    return {key: tensor.float() for key, tensor in load_file(_checked(str(name))).items()}


def facts(name: str | Path) -> dict[str, Any]:
    """What the file says of itself: network, options, keypoint_set, input size, how it was trained."""
    from safetensors import safe_open

    with safe_open(_checked(str(name)), framework="pt") as file:
        return json.loads((file.metadata() or {}).get("about", "{}"))


def sha256(name: str | Path) -> str:
    """SHA-256 of the file, hexadecimal; goes into the attributes of whatever is made with it."""
    return _digest(_checked(str(name)))


def network(name: str | Path) -> torch.nn.Module:
    """The network with its weights, in evaluation mode."""
    about = facts(name)
    if "network" not in about:
        raise InputError(f"weights '{name}': names no network, expected a file made by a training stage")
    model = plugins.load("backbones", about["network"]).build(**about["options"])
    model.load_state_dict(load(name))
    return model.eval()


def save(path: Path, tensors: Mapping[str, torch.Tensor], **about: Any) -> None:
    """Write weights with their facts: matrices as float16, vectors (biases, normalisation) as float32."""
    from safetensors.torch import save_file

    stored = {key: _compact(tensor.detach().cpu()) for key, tensor in tensors.items()}
    with stores.replacing(path) as temporary:
        # One entry: several would be written in an order that changes from run to run.
        save_file(stored, temporary, metadata={"about": json.dumps(about, sort_keys=True)})


def register(name: str, path: Path) -> None:
    """Copy a weights file into the package and enter its SHA-256 into the registry."""
    target = _FOLDER / f"{name}.safetensors"
    shutil.copyfile(path, target)
    entries = {**_registry(), name: dict(file=target.name, sha256=_digest(target), bytes=target.stat().st_size)}
    with stores.replacing(REGISTRY) as temporary:
        temporary.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n")
    _checked.cache_clear()


def _compact(tensor: torch.Tensor) -> torch.Tensor:
    matrix = tensor.is_floating_point() and tensor.ndim > 1
    return (tensor.half() if matrix else tensor).contiguous()


def _registry() -> dict[str, dict[str, Any]]:
    return json.loads(REGISTRY.read_text())


@functools.lru_cache(maxsize=32)
def _checked(name: str) -> Path:
    """The file behind a registered name (its SHA-256 compared once a process) or a path."""
    if name.endswith(".safetensors"):
        if not Path(name).is_file():
            raise InputError(f"weights '{name}': no such file")
        return Path(name)
    if name not in _registry():
        raise InputError(f"no weights '{name}': {nearest(name, available())}; or give a .safetensors file")
    entry = _registry()[name]
    path = _FOLDER / entry["file"]
    if not path.is_file():
        raise InputError(f"weights '{name}': {path} is missing, install the package again")
    if (found := _digest(path)) != entry["sha256"]:
        raise InputError(f"weights '{name}': {path} has SHA-256 {found}, expected {entry['sha256']}")
    return path


def _digest(path: Path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
