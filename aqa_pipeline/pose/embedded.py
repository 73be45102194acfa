"""The keypoint estimator that ships with the package: top-down heatmaps with DARK decoding, trained on simulated dives.

A dive shows athletes at every angle, so the network has seen them upside down as often as upright and needs no turning:
on unseen dives PCK@0.2 is the same for upside-down frames as for all. Several `rotations` and `refine` (see
`_top_down`) are there for weights trained on upright athletes; with the shipped ones they cost precision (PCK@0.2 0.960
against 0.976 with one more pass), for a body that stands upright while light and water come from elsewhere is nothing
they have seen.
"""

from __future__ import annotations

import numpy as np
import torch

from aqa_pipeline import keypoint_sets
from aqa_pipeline import weights as stored_weights
from aqa_pipeline.errors import InputError
from aqa_pipeline.layers import crops, heatmaps, inference
from aqa_pipeline.pose._top_down import Crop, Estimator


class _Look:
    """The network as a function of crops."""

    def __init__(self, weights: str, *, dark: bool, device: str) -> None:
        self.about = stored_weights.facts(weights)
        self.network = inference.ready(stored_weights.network(weights), device)
        self._device, self._dark = inference.choose_device(device), dark

    @torch.inference_mode()
    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Crops (B, h, w, 3) to keypoints (B, K, 3) in crop pixels; confidence is the height of the heatmap."""
        answers = self.network(inference.to_input(pictures, self._device))
        beliefs = heatmaps.from_logits(*answers, sigma=self.about["sigma"]).cpu()  # (B, K, h, w)
        cells = heatmaps.decode(beliefs, dark=self._dark, kernel=self.about["dark_kernel"]).numpy()  # (B, K, 3)
        return np.concatenate([crops.cells_to_pixels(cells[..., :2], self.network.stride), cells[..., 2:]], axis=-1)


def build(
    *,
    device: str = "cpu",
    keypoint_set: str = "coco_17",
    weights: str | None = None,
    rotations: int = 1,
    refine: int = 0,
    dark: bool = True,
    batch: int = 16,
    padding: float = 1.25,
) -> Estimator:
    """An estimator of `keypoint_set` (coco_17 or coco_wholebody_133).

    `weights`: a registered name or a .safetensors file, by default the registered ones of the set. `rotations`,
    `refine`: see `_top_down`. `dark`: sub-pixel decoding, else the highest cell. `padding`: crop side over the longer
    side of the box; the shipped weights were trained with 1.25.
    """
    weights = weights or f"estimator_{keypoint_sets.get(keypoint_set).name}"
    look = _Look(weights, dark=dark, device=device)
    if look.about["keypoint_set"] != keypoint_set:
        raise InputError(
            f"weights '{weights}' give {look.about['keypoint_set']}, expected keypoint_set '{keypoint_set}'"
        )
    size = look.about["input_size"]
    return Estimator(
        look,
        keypoint_set=keypoint_set,
        crop=Crop((size, size), padding=padding, square_around_longer=True),
        weights=weights,
        sha256=stored_weights.sha256(weights),
        rotations=rotations,
        refine=refine,
        batch=batch,
        workers=inference.workers(inference.choose_device(device)),
    )
