"""A network begins with the parameters that its released code has saved.

Released checkpoints hold a state dict for each of the system's parts (`base_model`, `regressor`, ...) beside the state
of the optimiser and figures of the training. `from_official` of the system knows the parts, and their names here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from aqa_pipeline import plugins, untrusted, weights
from aqa_pipeline.errors import InputError, nearest

if TYPE_CHECKING:
    from torch import Tensor, nn

log = logging.getLogger("aqa_pipeline")


def fill(model: nn.Module, system: str, file: str | Path, *, sha256: str | None = None) -> None:
    """Put a released checkpoint into the model of a system; the log says what of it has no place there.

    Every parameter must be in the file, in the shape that the model's options ask for. Only what the system learns from
    the labels of a training part (edges of leaves, values of bins) may be missing: no release holds it.

    Raises
    ------
    InputError
        The system has no `from_official`; the file is missing, broken or has another `sha256`; a part or a parameter is
        missing, is one too many, or has another shape.
    """
    module = plugins.load("systems", system)
    if not hasattr(module, "from_official"):
        known = ", ".join(plugins.offering("systems", "from_official"))
        raise InputError(f"official: {system} has no released parameters, expected one of {known}")
    path = weights.path(file, sha256=sha256)
    found, others = untrusted.read_state_dicts(path)
    parts = _Parts(path, found)
    ours = _renamed(module, parts)
    weights.fill(model, {**_of_labels(model), **ours}, f"official weights {path}")
    dropped = sum(map(_size, parts.used.values())) - _size(ours)
    unused = [*(name for name in found if name not in parts.used), *others]
    log.info("%s: begins with %d numbers of %s", path, _size(ours), ", ".join(parts.used))
    log.info("%s: left out: %d numbers of these, and %s", path, dropped, ", ".join(unused) or "no entry")


class _Parts(dict):
    """State dicts by part; remembers which were asked for, and names the nearest where one is missing."""

    def __init__(self, path: Path, parts: Mapping[str, Mapping[str, Tensor]]) -> None:
        super().__init__(parts)
        self.path, self.used = path, {}

    def __getitem__(self, part: str) -> Mapping[str, Tensor]:
        if part not in self:
            raise InputError(f"{self.path}: no state dict '{part}', {nearest(part, self)}")
        self.used[part] = super().__getitem__(part)
        return self.used[part]


def _renamed(module: ModuleType, parts: _Parts) -> dict[str, Tensor]:
    try:
        return module.from_official(parts)
    except InputError as error:
        raise InputError(f"{parts.path}: {str(error).removeprefix(f'{parts.path}: ')}") from error
    except (KeyError, IndexError, ValueError, RuntimeError, TypeError) as error:  # names or shapes of something else
        raise InputError(f"{parts.path}: found other parameters than the released code saves ({error!r})") from error


def _of_labels(model: nn.Module) -> dict[str, Tensor]:
    """Buffers of the system itself, which it learns from the labels of a training part."""
    if not hasattr(model, "learn_labels"):
        return {}
    own = dict(model.named_buffers(recurse=False))
    return {name: tensor for name, tensor in model.state_dict().items() if name in own}


def _size(tensors: Mapping[str, Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors.values())
