"""Faster R-CNN with a ResNet-50 and a feature pyramid, the detector of the seed paper, as torchvision builds it.

Of COCO's classes only the person is kept. The seed takes the largest of its boxes for the athlete: `athlete:
largest_box`. Ren et al., "Faster R-CNN", NeurIPS 2015; v2: Li et al., "Benchmarking Detection Transfer Learning with
Vision Transformers", 2021.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from aqa_pipeline import streams, untrusted
from aqa_pipeline import weights as stored_weights
from aqa_pipeline.errors import InputError, nearest
from aqa_pipeline.layers import inference, torchvision

# Registered weights, and torchvision's name of the model that they belong to.
MODELS = {
    "faster_rcnn_r50_fpn_coco": "fasterrcnn_resnet50_fpn",
    "faster_rcnn_r50_fpn_v2_coco": "fasterrcnn_resnet50_fpn_v2",
}
PERSON = 1  # in torchvision's numbering of COCO's classes


class Detector:
    """Callable from frames `(H, W, 3)` to people `(N, 5)`, x1 y1 x2 y2 confidence in picture pixels."""

    def __init__(self, model: torch.nn.Module, *, device: str, batch: int, limit: int, half: bool) -> None:
        self._device = inference.choose_device(device)
        self._model = model.eval().to(self._device).requires_grad_(False)
        self._batch, self._limit = batch, limit
        self._half = half and self._device.type == "cuda"
        inference.limit_opencv()

    def __call__(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The people of every frame, best first; holds one batch of frames at a time."""
        for batch in streams.batches(frames, self._batch):
            for answer in self._look(batch):
                yield self._people(answer)

    @torch.inference_mode()
    def _look(self, batch: list[np.ndarray]) -> list[dict[str, torch.Tensor]]:
        pictures = [torch.from_numpy(np.ascontiguousarray(frame)).to(self._device) for frame in batch]
        with torch.autocast(self._device.type, torch.float16, enabled=self._half):
            return self._model([picture.permute(2, 0, 1).float().div_(255) for picture in pictures])

    def _people(self, answer: dict[str, torch.Tensor]) -> np.ndarray:
        people = answer["labels"] == PERSON
        boxes = torch.cat([answer["boxes"][people], answer["scores"][people][:, None]], dim=1)
        boxes = boxes.float().cpu().numpy()
        return boxes[np.argsort(-boxes[:, 4], kind="stable")][: self._limit]


def build(
    *,
    device: str = "cpu",
    model: str = "faster_rcnn_r50_fpn_coco",
    weights: str | None = None,
    seed: int = 0,
    batch: int = 2,
    least: float = 0.05,
    limit: int = 20,
    short_side: int = 800,
    long_side: int = 1333,
    proposals: int = 1000,
    half: bool = True,
) -> Detector:
    """At most `limit` people a frame with a confidence of at least `least`.

    `model`: one of `MODELS`. `weights`: a file for it, by default the registered one; `random` (drawn with `seed`)
    finds nothing and is there for tests. Frames are enlarged or reduced
    to a `short_side`, with a longest `long_side`, in pixels: as in training by default. `proposals`: regions
    looked at again, fewer are faster. `half`: half precision on a GPU.
    """
    if model not in MODELS:
        raise InputError(f"model: no '{model}', {nearest(model, MODELS)}")
    weights = weights or model
    tensors = None if weights == "random" else untrusted.read_weights(stored_weights.path(weights))
    make = getattr(torchvision.detection(), MODELS[model])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = make(
            weights=None,
            weights_backbone=None,
            min_size=short_side,
            max_size=long_side,
            rpn_post_nms_top_n_test=proposals,
            box_score_thresh=least,
        )
    if tensors is not None:
        stored_weights.fill(network, tensors, weights)
    detector = Detector(network, device=device, batch=batch, limit=limit, half=half)
    detector.weights = weights
    detector.sha256 = stored_weights.sha256(weights) if tensors is not None else None
    return detector
