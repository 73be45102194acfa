"""ONNX files at work: ONNX Runtime held to the device and threads that a job was given."""

from __future__ import annotations

import importlib.util
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from aqa_pipeline.errors import InputError
from aqa_pipeline.layers import inference


class Network:
    """A network with one picture input `(B, 3, H, W)`; `height` and `width` are None where it leaves them open."""

    def __init__(self, path: Path, *, device: str) -> None:
        self._session = _session(Path(path).read_bytes(), str(path), _providers(device))
        inputs = self._session.get_inputs()
        shape = inputs[0].shape
        if len(inputs) != 1 or len(shape) != 4 or shape[1] != 3 or inputs[0].type != "tensor(float)":
            found = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
            raise InputError(f"{path}: takes {found}, expected one picture of float and shape (B, 3, H, W)")
        self._input = inputs[0].name
        self._one_by_one = shape[0] == 1
        self.height, self.width = (side if isinstance(side, int) else None for side in shape[2:])
        inference.limit_opencv()

    def __call__(self, pictures: np.ndarray) -> list[np.ndarray]:
        """All outputs of a batch `(B, 3, H, W)` float32; networks exported for one picture get one at a time."""
        parts = np.split(pictures, len(pictures)) if self._one_by_one else [pictures]
        answers = [self._session.run(None, {self._input: np.ascontiguousarray(part)}) for part in parts]
        return [np.concatenate(outputs) for outputs in zip(*answers, strict=True)]


class Exported:
    """A torch network run by ONNX Runtime on the CPU: the same numbers but for the last digits, sooner.

    Its convolutions are about as fast as oneDNN's; what comes between them, additions and activations, is nearly free,
    for it happens while a convolution's output is at hand.

    Parameters
    ----------
    network : takes (B, 3, H, W) float32 and answers with a tuple of tensors; on the CPU, its normalisation folded
    size : H, W
    """

    def __init__(self, network: nn.Module, *, size: tuple[int, int]) -> None:
        self._session = _session(_file(network, size), type(network).__name__, ["CPUExecutionProvider"])

    def __call__(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(torch.from_numpy(answer) for answer in self._session.run(None, {"x": x.contiguous().numpy()}))


def can_export() -> bool:
    """Whether torch can write ONNX here: it asks for the package `onnx`, which nothing else at work needs."""
    return importlib.util.find_spec("onnx") is not None


def _file(network: nn.Module, size: tuple[int, int]) -> bytes:
    """The network as an ONNX file, for any number of pictures."""
    file = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its tracer warns of every size that is fixed, and that a newer one exists
        torch.onnx.export(
            network, (torch.zeros(1, 3, *size),), file, input_names=["x"], dynamic_axes={"x": {0: "b"}}, dynamo=False
        )
    return file.getvalue()


def _session(network: bytes, name: str, providers: list[Any]) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors alone
    try:
        return onnxruntime.InferenceSession(network, options, providers=providers)
    except Exception as error:  # of a type for every kind of failure, none of them public
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"{name}: cannot be read as an ONNX network ({reason:.200})") from error


def _providers(device: str) -> list[Any]:
    """ONNX Runtime's name of a device; `auto` is the GPU where this build of it can use one."""
    import onnxruntime

    has_gpu = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    if device == "cpu" or (device == "auto" and not has_gpu):
        return ["CPUExecutionProvider"]
    number = 0 if device == "auto" else inference.choose_device(device).index or 0
    if not has_gpu:
        raise InputError(f"device: found '{device}', but ONNX Runtime uses no GPU here; onnxruntime-gpu does")
    return [("CUDAExecutionProvider", {"device_id": number}), "CPUExecutionProvider"]
