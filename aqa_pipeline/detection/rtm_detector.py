"""Person detectors in ONNX, YOLOX and RTMDet, as rtmlib runs them.

Two kinds of export are read: with the suppression of overlaps inside, boxes and confidences (B, N, 5) and perhaps the
class of each (B, N); or without it, a row of centre, extent, objectness and classes (B, cells, 5 + classes) a cell. The
first class is the person, as in COCO and Human-Art. rtmlib never fetches anything here: files come by name or path.

Ge et al., "YOLOX: Exceeding YOLO Series in 2021"; Lyu et al., "RTMDet", 2022.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from aqa_pipeline import streams
from aqa_pipeline import weights as stored_weights
from aqa_pipeline.errors import InputError, nearest
from aqa_pipeline.layers import onnx

# Mean and deviation of BGR pictures, 0 to 255: YOLOX takes them as they are, RTMDet as ImageNet's.
INPUTS = {"yolox": (0.0, 1.0), "rtmdet": ((103.53, 116.28, 123.675), (57.375, 57.12, 58.395))}
STRIDES = (8, 16, 32)
GREY = 114  # around pictures of another shape, as in training


class Detector:
    """Callable from frames `(H, W, 3)` to people `(N, 5)`, x1 y1 x2 y2 confidence in picture pixels."""

    def __init__(
        self,
        path: Path,
        *,
        network: str,
        size: int | None,
        device: str,
        batch: int,
        least: float,
        overlap: float,
        limit: int,
    ) -> None:
        if network not in INPUTS:
            raise InputError(f"network: found '{network}', {nearest(network, INPUTS)}")
        self._mean, self._std = (np.array(numbers, np.float32) for numbers in INPUTS[network])
        self._network = onnx.Network(path, device=device)
        self._height, self._width = self._network.height or size, self._network.width or size
        if not (self._height and self._width):
            raise InputError(f"{path}: leaves the size of its pictures open, expected option 'size', such as 640")
        self._path = path
        self._batch, self._least, self._overlap, self._limit = batch, least, overlap, limit

    def __call__(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The people of every frame, best first; holds one batch of reduced frames at a time."""
        fitted = ((*self._fit(frame), frame.shape) for frame in frames)
        for batch in streams.batches(fitted, self._batch):
            pictures, scales, shapes = zip(*batch, strict=True)
            for people, shape in zip(self._people(np.stack(pictures), scales), shapes, strict=True):
                yield _in_picture(people, shape)[: self._limit]

    def _fit(self, frame: np.ndarray) -> tuple[np.ndarray, float]:
        """The frame in the upper left corner of the network's picture (3, H, W), and its scale there."""
        import cv2

        scale = min(self._height / frame.shape[0], self._width / frame.shape[1])
        height, width = int(frame.shape[0] * scale), int(frame.shape[1] * scale)
        picture = np.full((self._height, self._width, 3), GREY, np.uint8)
        picture[:height, :width] = cv2.resize(frame[:, :, ::-1], (width, height), interpolation=cv2.INTER_LINEAR)
        return ((picture - self._mean) / self._std).astype(np.float32).transpose(2, 0, 1), scale

    def _people(self, pictures: np.ndarray, scales: Sequence[float]) -> list[np.ndarray]:
        """People `(N, 5)` of each frame, in its pixels."""
        found, *more = self._network(pictures)
        if found.ndim == 3 and found.shape[2] == 5:
            classes = more[0] if more else np.zeros(found.shape[:2])
            return [self._of_people(*each) for each in zip(found, classes, scales, strict=True)]
        cells = _cells(self._height, self._width)
        if found.ndim == 3 and found.shape[1] == len(cells) and found.shape[2] > 5:
            return [self._of_cells(answers, cells, scale) for answers, scale in zip(found, scales, strict=True)]
        raise InputError(
            f"{self._path}: gives an array of shape {found.shape}, expected (B, N, 5) or (B, {len(cells)}, 5 + classes)"
        )

    def _of_people(self, boxes: np.ndarray, classes: np.ndarray, scale: float) -> np.ndarray:
        people = boxes[(classes == 0) & (boxes[:, 4] >= self._least)]
        return np.concatenate([people[:, :4] / scale, people[:, 4:]], axis=1)

    def _of_cells(self, answers: np.ndarray, cells: np.ndarray, scale: float) -> np.ndarray:
        from rtmlib.tools.object_detection.post_processings import multiclass_nms

        centre = (answers[:, :2] + cells[:, :2]) * cells[:, 2:]
        extent = np.exp(answers[:, 2:4]) * cells[:, 2:]
        # rtmlib takes the union in the frame's pixels, one added to each side.
        boxes = np.concatenate([centre - extent / 2, centre + extent / 2], axis=1) / scale
        of_person = answers[:, 4:5] * answers[:, 5:6]
        kept, _ = multiclass_nms(boxes, of_person, nms_thr=self._overlap, score_thr=self._least)
        return np.zeros((0, 5)) if kept is None else kept[:, :5]


def _cells(height: int, width: int) -> np.ndarray:
    """Column, row and stride of every cell, in the order of the answers, (cells, 3)."""
    grids = [np.mgrid[: height // s, : width // s][::-1].reshape(2, -1) for s in STRIDES]
    strides = [np.full((1, grid.shape[1]), s) for s, grid in zip(STRIDES, grids, strict=True)]
    return np.concatenate([np.concatenate(parts) for parts in zip(grids, strides, strict=True)], axis=1).T


def _in_picture(people: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Boxes cut at the frame's edge, best first, (N, 5) float32; without those that lie beyond it."""
    people = people[np.argsort(-people[:, 4], kind="stable")].astype(np.float32)
    people[:, [0, 2]] = people[:, [0, 2]].clip(0, shape[1])
    people[:, [1, 3]] = people[:, [1, 3]].clip(0, shape[0])
    return people[(people[:, 2:4] > people[:, :2]).all(axis=1)]


def build(
    *,
    device: str = "cpu",
    weights: str = "yolox_m_humanart",
    sha256: str | None = None,
    network: str = "yolox",
    size: int | None = None,
    batch: int = 4,
    least: float = 0.1,
    overlap: float = 0.45,
    limit: int = 20,
) -> Detector:
    """At most `limit` people a frame with a confidence of at least `least`.

    `weights`: a registered name or an ONNX file; `sha256`: what such a file must have. `network`: yolox or rtmdet,
    which says how pictures go in. `size`: side of its pictures, where the file leaves it open (yolox_m_humanart: 640).
    `overlap`: two boxes that share more than this of their union are one person, where the file does not see to it.
    """
    detector = Detector(
        stored_weights.path(weights, sha256=sha256),
        network=network,
        size=size,
        device=device,
        batch=batch,
        least=least,
        overlap=overlap,
        limit=limit,
    )
    detector.weights, detector.sha256 = weights, stored_weights.sha256(weights)
    return detector
