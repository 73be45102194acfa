"""TensorFlow Lite networks at work, on the CPU, without TensorFlow."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aqa_pipeline.errors import InputError

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter


class Network:
    """One picture in, all outputs out; every thread that calls it has an interpreter of its own, on one core.

    Batches are not offered: with LiteRT 2.3.0 a picture took 20 ms in a batch of eight and 18 ms alone.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._of_thread = path, threading.local()
        self._input = self._interpreter.get_input_details()[0]
        self._outputs = [output["index"] for output in self._interpreter.get_output_details()]

    @property
    def _interpreter(self) -> Interpreter:
        from ai_edge_litert.interpreter import Interpreter

        if not hasattr(self._of_thread, "interpreter"):
            self._of_thread.interpreter = Interpreter(str(self._path), num_threads=1)
            self._of_thread.interpreter.allocate_tensors()
        return self._of_thread.interpreter

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture it wants."""
        _, height, width, _ = self._input["shape"]
        return int(width), int(height)

    def __call__(self, picture: np.ndarray) -> list[np.ndarray]:
        """Outputs for `picture (h, w, 3)` float32, each without its axis of one."""
        interpreter = self._interpreter
        interpreter.set_tensor(self._input["index"], picture[None])
        interpreter.invoke()
        return [interpreter.get_tensor(index)[0] for index in self._outputs]


def threads(wanted: int | None) -> int:
    """`wanted`, or what OMP_NUM_THREADS says, or 1."""
    if wanted is not None and wanted < 1:
        raise InputError(f"threads: found {wanted}, expected 1 or more")
    said = os.environ.get("OMP_NUM_THREADS", "")
    return wanted or (int(said) if said.isdigit() and int(said) else 1)
