"""The keypoint estimator that ships with the package: top-down heatmaps with DARK decoding, trained on simulated dives.

A dive shows athletes at every angle, so the network has seen them upside down as often as upright and needs no turning:
on unseen dives PCK@0.2 is the same for upside-down frames as for all. `turned` adds a second pass on a crop that is
centred on the first pass's keypoints and turned so that the body stands upright. It is there for weights trained on
upright athletes; with the shipped ones it costs precision (PCK@0.2 0.960 against 0.976), for a body that stands upright
while light and water come from elsewhere is nothing they have seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from aqa_pipeline import keypoint_sets
from aqa_pipeline import weights as stored_weights
from aqa_pipeline.errors import InputError
from aqa_pipeline.layers import crops, heatmaps, inference


@dataclass(frozen=True)
class _Batch:
    """Frames with an athlete: their numbers, pictures, and the squares to look at."""

    numbers: np.ndarray  # (B,)
    frames: list[np.ndarray]
    centres: np.ndarray  # (B, 2)
    sides: np.ndarray  # (B,)


class Estimator:
    """Callable from frames `(H, W, 3)` and boxes `(T, 5)` to keypoints `(T, K, 3)` in picture pixels."""

    def __init__(
        self, *, keypoint_set: str, weights: str, turned: bool, dark: bool, batch: int, padding: float, device: str
    ) -> None:
        about = stored_weights.facts(weights)
        if about["keypoint_set"] != keypoint_set:
            raise InputError(
                f"weights '{weights}' give {about['keypoint_set']}, expected keypoint_set '{keypoint_set}'"
            )
        self.keypoint_set = keypoint_set
        self.weights, self.sha256 = weights, stored_weights.sha256(weights)
        self._set = keypoint_sets.get(keypoint_set)
        self._size, self._sigma, self._kernel = about["input_size"], about["sigma"], about["dark_kernel"]
        self._network = inference.ready(stored_weights.network(weights), device)
        self._device = inference.choose_device(device)
        self._turned, self._dark, self._batch, self._padding = turned, dark, batch, padding

    def __call__(self, frames: Iterable[np.ndarray], boxes: np.ndarray) -> np.ndarray:
        """Keypoints `(T, K, 3)` float32: x, y, confidence (height of the heatmap); NaN where the box is NaN.

        Frames are read one batch at a time. A keypoint that cannot be seen keeps a place and gets a low confidence.
        """
        boxes = np.asarray(boxes)
        found = np.full((len(boxes), len(self._set), 3), np.nan, np.float32)
        for batch in self._batches(frames, boxes):
            keypoints = self._look(batch, angles=0.0)
            if self._turned:
                keypoints = self._look_again(batch, keypoints)
            found[batch.numbers] = keypoints
        return found

    def _batches(self, frames: Iterable[np.ndarray], boxes: np.ndarray) -> Iterator[_Batch]:
        """The frames that have a box, in batches."""
        present = np.isfinite(boxes[:, :4]).all(axis=1)
        centres, sides = crops.squares(boxes, padding=self._padding)
        seen = ((number, frame) for number, frame in enumerate(frames) if present[number])
        for batch in inference.batches(seen, self._batch):
            numbers = np.array([number for number, _ in batch])
            yield _Batch(numbers, [frame for _, frame in batch], centres[numbers], sides[numbers])

    @torch.inference_mode()
    def _look(self, batch: _Batch, *, angles: np.ndarray | float) -> np.ndarray:
        """One pass over the squares of a batch, turned by `angles`: keypoints (B, K, 3) in picture pixels."""
        maps = crops.matrices(batch.centres, batch.sides, size=self._size, angles=angles)
        pictures = [crops.cut(frame, m, size=self._size) for frame, m in zip(batch.frames, maps, strict=True)]
        answers = self._network(inference.to_input(pictures, self._device))
        beliefs = heatmaps.from_logits(*answers, sigma=self._sigma).cpu()  # (B, K, h, w)
        cells = heatmaps.decode(beliefs, dark=self._dark, kernel=self._kernel).numpy()  # (B, K, 3)
        points = crops.apply(crops.invert(maps), crops.cells_to_pixels(cells[..., :2], self._network.stride))
        return np.concatenate([points, cells[..., 2:]], axis=-1).astype(np.float32)

    def _look_again(self, batch: _Batch, keypoints: np.ndarray) -> np.ndarray:
        """Second pass on upright crops around the first pass's keypoints, where those show the trunk."""
        angles, sure = upright_angles(keypoints, self._set)
        centres, sides = crops.squares(_extent(keypoints), padding=_OUTLINE * self._padding)
        # A first pass that sees half a body must not shrink the crop to that half.
        centres = np.where(sure[:, None], centres, batch.centres)
        sides = np.where(sure, np.clip(sides, 0.75 * batch.sides, 1.25 * batch.sides), batch.sides)
        return self._look(_Batch(batch.numbers, batch.frames, centres, sides), angles=np.where(sure, angles, 0.0))


_OUTLINE = 1.15  # the body's outline over the extent of its joints: head, hands and feet reach beyond them


def upright_angles(
    keypoints: np.ndarray, chosen: keypoint_sets.KeypointSet, *, least: float = 0.2
) -> tuple[np.ndarray, np.ndarray]:
    """Angles `(B,)` that turn each body's line from hips to shoulders upright, and whether the trunk is seen `(B,)`.

    `keypoints (B, K, 3)`; a trunk is seen where its four points have a mean confidence of at least `least`.
    """
    hips = [chosen.index("left_hip"), chosen.index("right_hip")]
    shoulders = [chosen.index("left_shoulder"), chosen.index("right_shoulder")]
    line = keypoints[:, shoulders, :2].mean(axis=1) - keypoints[:, hips, :2].mean(axis=1)  # (B, 2)
    sure = keypoints[:, hips + shoulders, 2].mean(axis=1) >= least
    return -np.pi / 2 - np.arctan2(line[:, 1], line[:, 0]), sure


def _extent(keypoints: np.ndarray, least: float = 0.1) -> np.ndarray:
    """Boxes `(B, 4)` around the keypoints that are seen, all of them where none is."""
    seen = keypoints[..., 2] >= least
    seen |= ~seen.any(axis=1, keepdims=True)
    low = np.where(seen[..., None], keypoints[..., :2], np.inf).min(axis=1)
    high = np.where(seen[..., None], keypoints[..., :2], -np.inf).max(axis=1)
    return np.concatenate([low, high], axis=1)


def build(
    *,
    device: str = "cpu",
    keypoint_set: str = "coco_17",
    weights: str | None = None,
    turned: bool = False,
    dark: bool = True,
    batch: int = 16,
    padding: float = 1.25,
) -> Estimator:
    """An estimator of `keypoint_set` (coco_17 or coco_wholebody_133).

    `weights`: a registered name or a .safetensors file, by default the registered ones of the set. `turned`: a second
    pass on upright crops. `dark`: sub-pixel decoding, else the highest cell. `padding`: crop side over the longer side
    of the box; the shipped weights were trained with 1.25.
    """
    weights = weights or f"estimator_{keypoint_sets.get(keypoint_set).name}"
    return Estimator(
        keypoint_set=keypoint_set,
        weights=weights,
        turned=turned,
        dark=dark,
        batch=batch,
        padding=padding,
        device=device,
    )
