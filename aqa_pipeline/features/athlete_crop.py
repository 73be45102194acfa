"""One picture feature a frame: what the keypoint estimator's encoder sees in the athlete's crop.

Stands where a pretrained picture network stands in the literature; nothing of the keypoints themselves is read.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from aqa_pipeline import streams
from aqa_pipeline import weights as stored_weights
from aqa_pipeline.errors import InputError
from aqa_pipeline.layers import crops, inference

source = "frames"


class Extractor:
    """Callable from frames `(H, W, 3)` and boxes `(T, 5)` to features `(T, D)` float32."""

    def __init__(self, *, weights: str, batch: int, padding: float, device: str) -> None:
        self.weights, self.sha256 = weights, stored_weights.sha256(weights)
        self._size = stored_weights.facts(weights)["input_size"]
        self._network = inference.ready(stored_weights.network(weights), device)
        self._device = inference.choose_device(device)
        self._batch, self._padding = batch, padding
        self.dim = self._network.dim

    def __call__(self, frames: Iterable[np.ndarray], boxes: np.ndarray) -> np.ndarray:
        """Features `(T, D)`; a frame without an athlete repeats the nearest frame that has one."""
        boxes = np.asarray(boxes)
        present = np.isfinite(boxes[:, :4]).all(axis=1)
        if not present.any():
            raise InputError("no athlete in any frame, expected at least one box")
        maps = crops.matrices(*crops.squares(boxes, padding=self._padding), size=self._size)
        cut = (crops.cut(f, maps[i], size=self._size) for i, f in enumerate(frames) if present[i])
        seen = np.concatenate([self._encode(batch) for batch in streams.batches(cut, self._batch)])  # (present, D)
        return seen[_nearest(present)]

    @torch.inference_mode()
    def _encode(self, pictures: list[np.ndarray]) -> np.ndarray:
        return self._network.encode(inference.to_input(pictures, self._device)).cpu().numpy()


def _nearest(present: np.ndarray) -> np.ndarray:
    """For each frame the rank, among those present, of the nearest present one; the earlier of two, (T,)."""
    frames = np.flatnonzero(present)
    return np.abs(np.arange(len(present))[:, None] - frames[None]).argmin(axis=1)


def build(
    *, device: str = "cpu", weights: str = "estimator_coco_17", batch: int = 16, padding: float = 1.25
) -> Extractor:
    """`weights`: a registered estimator or a .safetensors file; its encoder gives the features.

    Parameters
    ----------
    padding : side of the crop over the longer side of the box
    """
    return Extractor(weights=weights, batch=batch, padding=padding, device=device)
