"""A clip as networks of whole pictures are shown it: sampled, resized, cut from the middle, as in a test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from aqa_pipeline.layers import inference, pictures
from aqa_pipeline.layers.views import View, followed


def shown(view: View, frames: Sequence[np.ndarray], boxes: np.ndarray | None = None) -> Tensor:
    """Pictures `(T, 3, H, W)` uint8 of frames `(H, W, 3)`; with boxes `(n, 4+)`, of the square that follows them."""
    rows, again = np.unique(view.positions(len(frames)), return_inverse=True)
    regions = None if boxes is None else followed(np.asarray(boxes))[rows]
    resized = view.resized([frames[row] for row in rows], regions=regions)
    return torch.from_numpy(np.ascontiguousarray(view.cut(resized)[again].transpose(0, 3, 1, 2)))


class Network:
    """A trained network, ready on its device, that is fed pictures `(N, ..., 3, H, W)` uint8 in batches."""

    def __init__(self, network: nn.Module, *, device: str, batch: int, pixels: str) -> None:
        self._network, self._device = inference.ready(network.eval(), device), inference.choose_device(device)
        self._batch, self._pixels = batch, pixels

    @torch.inference_mode()
    def __call__(self, clips: Tensor, *, channels: int) -> np.ndarray:
        """Features `(N, D)` float32; `channels`: where the network wants the axis of the colours."""
        found = []
        for part in clips.split(self._batch):
            pixels = pictures.normalised(part.to(self._device), pixels=self._pixels)
            seen = self._network(pixels.movedim(-3, channels).to(inference.precision(self._device)))
            found.append((seen[0] if isinstance(seen, tuple) else seen).float().cpu())
        return torch.cat(found).numpy()
