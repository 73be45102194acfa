"""Picture networks at work: choosing the device, preparing a trained network, feeding it in batches."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from aqa_pipeline.errors import InputError
from aqa_pipeline.layers import convolutions

Item = TypeVar("Item")


def choose_device(name: str) -> torch.device:
    """The device of that name; `auto` is the first GPU where torch sees one, else the CPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"device: found '{name}', expected auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"device: found '{name}', but torch sees no GPU; expected auto or cpu")
    return device


def ready(model: nn.Module, device: str) -> nn.Module:
    """A frozen copy of a trained network: normalisation folded in, channels last, on its device."""
    model = convolutions.folded(model).to(choose_device(device), memory_format=torch.channels_last)
    return model.requires_grad_(False)


def to_input(pictures: Sequence[np.ndarray] | np.ndarray, device: torch.device) -> torch.Tensor:
    """RGB uint8 pictures of one size, B x (H, W, 3), to (B, 3, H, W) float32 in -1 .. 1."""
    batch = torch.from_numpy(np.ascontiguousarray(np.stack(pictures))).to(device)
    return batch.permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)  # channels last already in memory


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of `size` items, the last one shorter; no more than one list is held at a time."""
    items = iter(items)
    while batch := list(itertools.islice(items, size)):
        yield batch
