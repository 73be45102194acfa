"""Faster R-CNN with a ResNet-50 and a feature pyramid, the detector of the seed paper, as torchvision builds it.

Of COCO's classes only the person is kept. The seed takes the largest of its boxes for the athlete: `athlete:
largest_box`. Ren et al., "Faster R-CNN", NeurIPS 2015; v2: Li et al., "Benchmarking Detection Transfer Learning with
Vision Transformers", 2021.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from aqa_pipeline import untrusted
from aqa_pipeline import weights as stored_weights
from aqa_pipeline.detection import _torchvision
from aqa_pipeline.errors import InputError, nearest
from aqa_pipeline.layers import inference

# torchvision's model and the registered weights of each.
NETWORKS = {
    "v1": ("fasterrcnn_resnet50_fpn", "faster_rcnn_r50_fpn_coco"),
    "v2": ("fasterrcnn_resnet50_fpn_v2", "faster_rcnn_r50_fpn_v2_coco"),
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
        for batch in inference.batches(frames, self._batch):
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
    network: str = "v1",
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

    `network`: v1 or v2 of torchvision. `weights`: a registered name or a file of torchvision's, by default those
    trained on COCO; `random` (drawn with `seed`) finds nothing and is there for tests. Frames are enlarged or reduced
    to a `short_side`, with a longest `long_side`, in pixels: as in training by default. `proposals`: regions
    looked at again, fewer are faster. `half`: half precision on a GPU.
    """
    if network not in NETWORKS:
        raise InputError(f"network: found '{network}', {nearest(network, NETWORKS)}")
    name, registered = NETWORKS[network]
    weights = weights or registered
    tensors = None if weights == "random" else untrusted.read_weights(stored_weights.path(weights))
    make = getattr(_torchvision.models(), name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = make(
            weights=None,
            weights_backbone=None,
            min_size=short_side,
            max_size=long_side,
            rpn_post_nms_top_n_test=proposals,
            box_score_thresh=least,
        )
    if tensors is not None:
        _load(model, tensors, weights)
    detector = Detector(model, device=device, batch=batch, limit=limit, half=half)
    detector.weights = weights
    detector.sha256 = stored_weights.sha256(weights) if tensors is not None else None
    return detector


def _load(model: torch.nn.Module, tensors: dict[str, torch.Tensor], name: str) -> None:
    """Put weights into a model of the same tensors; InputError that names the first that differs."""
    expected = model.state_dict()
    for key in sorted(expected.keys() ^ tensors.keys()):
        # Older files lack the counters of batches seen, which mean nothing to a frozen network.
        if not key.endswith("num_batches_tracked"):
            raise InputError(
                f"weights '{name}': {'no' if key in expected else 'unknown'} tensor '{key}', {_hint(model)}"
            )
    for key in sorted(expected.keys() & tensors.keys()):
        if expected[key].shape != tensors[key].shape:
            shapes = f"{tuple(tensors[key].shape)}, expected {tuple(expected[key].shape)}"
            raise InputError(f"weights '{name}': tensor '{key}' has shape {shapes}; {_hint(model)}")
    model.load_state_dict(tensors, strict=False)


def _hint(model: torch.nn.Module) -> str:
    version = "v2" if any("box_head.0.0" in key for key in model.state_dict()) else "v1"
    return f"expected those of network {version} with COCO's 91 classes"
