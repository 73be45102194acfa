"""Small ONNX networks with random weights, in the forms that rtmlib's detectors and estimators have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

PICTURE = ("batch", 3, "height", "width")


def _save(path: Path, nodes: list, constants: dict[str, np.ndarray], inputs: dict, outputs: dict) -> Path:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    of, one = onnx.helper, onnx.TensorProto.FLOAT
    graph = of.make_graph(
        [of.make_node(kind, ins.split(), outs.split(), **more) for kind, ins, outs, more in nodes],
        "small",
        [of.make_tensor_value_info(name, one, shape) for name, shape in inputs.items()],
        [of.make_tensor_value_info(name, one, shape) for name, shape in outputs.items()],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = of.make_model(graph, opset_imports=[of.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def simcc(path: Path, *, n_keypoints: int, width: int, height: int, batch: int | str = "batch") -> Path:
    """Crops (B, 3, height, width) to bins along x (B, K, 2 width) and y (B, K, 2 height)."""
    rng = np.random.default_rng(5)
    cells = 3 * (height // 4) * (width // 4)
    nodes = [
        ("AveragePool", "input", "pooled", dict(kernel_shape=[4, 4], strides=[4, 4])),
        ("Flatten", "pooled", "flat", {}),
    ]
    constants = {}
    for axis, size in (("x", 2 * width), ("y", 2 * height)):
        constants[f"w{axis}"] = rng.normal(size=(cells, n_keypoints * size)).astype(np.float32)
        constants[f"s{axis}"] = np.array([-1, n_keypoints, size])
        nodes.append(("MatMul", f"flat w{axis}", f"m{axis}", {}))
        nodes.append(("Reshape", f"m{axis} s{axis}", f"simcc_{axis}", {}))
    outputs = {f"simcc_{a}": ("b", n_keypoints, 2 * s) for a, s in (("x", width), ("y", height))}
    return _save(path, nodes, constants, {"input": (batch, 3, height, width)}, outputs)


def cells(path: Path, *, n_classes: int, side: int | str = "side", scale: float = 1.0) -> Path:
    """Pictures to a row a cell of strides 8, 16 and 32: offsets, log extents, objectness and classes."""
    rng = np.random.default_rng(6)
    n = 5 + n_classes
    nodes, constants = [], {"rows": np.array([0, n, -1]), "parts": np.array([4, 1 + n_classes])}
    for s in (8, 16, 32):
        constants[f"w{s}"] = (rng.normal(size=(n, 3, s, s)) * scale * 20 / s**2).astype(np.float32)
        nodes.append(("Conv", f"images w{s}", f"c{s}", dict(kernel_shape=[s, s], strides=[s, s])))
        nodes.append(("Reshape", f"c{s} rows", f"r{s}", {}))
    nodes += [
        ("Concat", "r8 r16 r32", "all", dict(axis=2)),
        ("Transpose", "all", "turned", dict(perm=[0, 2, 1])),
        ("Split", "turned parts", "places chances", dict(axis=2)),
        ("Tanh", "places", "bounded", {}),
        ("Sigmoid", "chances", "sure", {}),
        ("Concat", "bounded sure", "output", dict(axis=2)),
    ]
    return _save(path, nodes, constants, {"images": ("batch", 3, side, side)}, {"output": ("b", "cells", n)})


def suppressed(path: Path, boxes: np.ndarray, labels: np.ndarray | None = None) -> Path:
    """Pictures (B, 3, 64, 64) to the boxes (N, 5) whatever is in them, and perhaps to labels (N,)."""
    nodes = [
        ("ReduceMean", "images", "means", dict(axes=[1, 2, 3], keepdims=1)),
        ("Reshape", "means one", "means3", {}),
        ("Mul", "means3 zero", "nothing", {}),
        ("Add", "nothing boxes", "dets", {}),
    ]
    constants = dict(boxes=boxes[None].astype(np.float32), zero=np.zeros(1, np.float32), one=np.array([-1, 1, 1]))
    outputs = {"dets": ("b", len(boxes), 5)}
    if labels is not None:
        constants |= dict(labels=labels[None].astype(np.float32), two=np.array([-1, 1]))
        nodes += [("Reshape", "nothing two", "flat", {}), ("Add", "flat labels", "classes", {})]
        outputs["classes"] = ("b", len(boxes))
    return _save(path, nodes, constants, {"images": ("batch", 3, 64, 64)}, outputs)
