"""Picture networks at work: choosing the device, preparing a trained network, feeding it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from aqa_pipeline.errors import InputError
from aqa_pipeline.layers import convolutions


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
    """A frozen copy of a trained network: normalisation folded in, channels last, on its device, half there on a GPU.

    OpenCV, which cuts the pictures, is held to the threads that torch was given.
    """
    limit_opencv()
    chosen = choose_device(device)
    return channels_last(convolutions.folded(model).to(chosen, precision(chosen))).requires_grad_(False)


def channels_last(model: nn.Module) -> nn.Module:
    """Let the weights of all convolutions, of pictures and of clips, lie in memory with the channels last."""
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    for weight in model.parameters():
        if weight.dim() in formats:
            weight.data = weight.data.contiguous(memory_format=formats[weight.dim()])
    return model


def precision(device: torch.device) -> torch.dtype:
    """Half on a GPU, where it is twice as fast and costs keypoints nothing that matters; single elsewhere."""
    return torch.float16 if device.type == "cuda" else torch.float32


def workers(device: torch.device) -> int:
    """Threads that read and cut pictures while a network works: those given, on a GPU; on a CPU it needs them all."""
    return torch.get_num_threads() if device.type == "cuda" else 0


def limit_opencv() -> None:
    """Let OpenCV use no more threads than torch."""
    import cv2

    cv2.setNumThreads(torch.get_num_threads())


def to_input(pictures: Sequence[np.ndarray] | np.ndarray, device: torch.device) -> torch.Tensor:
    """RGB uint8 pictures of one size, B x (H, W, 3), to (B, 3, H, W) in -1 .. 1, of the device's precision."""
    batch = torch.from_numpy(np.ascontiguousarray(np.stack(pictures))).to(device)
    scaled = batch.permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)  # channels last already in memory
    return scaled.to(precision(device))
