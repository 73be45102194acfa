"""The athlete detector that ships with the package: a centre network of 0.2 M parameters, trained on simulated dives.

It knows one class, the athlete in the air, at the board and half under water; people who stand by are background to it,
so a low score is common and a high one rare for them. Which candidate is the athlete is decided in
`athlete/`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from aqa_pipeline import streams
from aqa_pipeline import weights as stored_weights
from aqa_pipeline.layers import centres, inference


class Detector:
    """Callable from frames `(H, W, 3)` to candidate boxes `(N, 5)`, x1 y1 x2 y2 confidence in picture pixels."""

    def __init__(self, *, weights: str, device: str, batch: int, limit: int, least: float) -> None:
        about = stored_weights.facts(weights)
        self.weights, self.sha256 = weights, stored_weights.sha256(weights)
        self.height, self.width = about["input_height"], about["input_width"]
        self._network = inference.ready(stored_weights.network(weights), device)
        self._device = inference.choose_device(device)
        self._batch, self._limit, self._least = batch, limit, least

    def __call__(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """All candidates of every frame, best first; holds one batch of reduced frames at a time."""
        fitted = (self._fit(frame) for frame in frames)
        for batch in streams.batches(fitted, self._batch):
            pictures, scales, shapes = zip(*batch, strict=True)
            for boxes, scale, shape in zip(self._detect(pictures), scales, shapes, strict=True):
                yield _to_picture(boxes, scale, shape)

    def _fit(self, frame: np.ndarray) -> tuple[np.ndarray, float, tuple[int, ...]]:
        scale = centres.fit_scale(frame.shape, height=self.height, width=self.width)
        return centres.letterbox(frame, height=self.height, width=self.width), scale, frame.shape

    @torch.inference_mode()
    def _detect(self, pictures: tuple[np.ndarray, ...]) -> list[np.ndarray]:
        maps = self._network(inference.to_input(pictures, self._device))
        found = centres.decode(maps, stride=self._network.stride, limit=self._limit, least=self._least)
        return [boxes.cpu().numpy() for boxes in found]


def _to_picture(boxes: np.ndarray, scale: float, shape: tuple[int, ...]) -> np.ndarray:
    """Boxes of the network's input in picture pixels, cut at the picture's edge, (N, 5) float32."""
    boxes = boxes.astype(np.float32)
    boxes[:, :4] /= scale
    boxes[:, [0, 2]] = boxes[:, [0, 2]].clip(0, shape[1])
    boxes[:, [1, 3]] = boxes[:, [1, 3]].clip(0, shape[0])
    return boxes


def build(
    *,
    device: str = "cpu",
    weights: str = "athlete_detector",
    batch: int = 16,
    limit: int = 8,
    least: float = 0.05,
) -> Detector:
    """`weights`: a registered name or a .safetensors file; at most `limit` candidates a frame with score >= `least`."""
    return Detector(weights=weights, device=device, batch=batch, limit=limit, least=least)
