"""What a run writes on its way, so that one that was killed goes on from there.

A single file of arrays, replaced whole; the rest of the state is JSON in its metadata. Nothing in it is unpickled.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aqa_pipeline import stores

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger("aqa_pipeline")

NAME = "resume.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """Where a run keeps its state, every how many steps, and what tells it from the state of another run."""

    path: Path
    every: int  # steps
    fingerprint: str

    def is_due(self, steps_done: int) -> bool:
        """Whether the state is to be written after so many steps."""
        return steps_done % self.every == 0

    def save(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Write the state in place of the last one."""
        from safetensors.torch import save

        apart = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        with stores.replacing(self.path) as path:
            path.write_bytes(save(apart, {"fingerprint": self.fingerprint, "facts": json.dumps(dict(facts))}))

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The state that this run left behind, if it did; that of another run is passed over."""
        from safetensors import safe_open

        if not self.path.is_file():
            return None
        try:
            with safe_open(self.path, "pt") as file:
                about = file.metadata() or {}
                if about.get("fingerprint") != self.fingerprint:
                    log.info("%s: of a run with other settings or data; training starts anew", self.path)
                    return None
                return {name: file.get_tensor(name) for name in file.keys()}, json.loads(about["facts"])  # noqa: SIM118
        except Exception as error:
            log.warning("%s: cannot be read (%s); training starts anew", self.path, error)
            return None
