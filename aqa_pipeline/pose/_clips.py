"""Clips of frames and boxes, as every estimator is handed them, and keypoints of all their frames, as it gives them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from aqa_pipeline.errors import InputError

Asked = tuple[Hashable, Sequence[np.ndarray], np.ndarray]
"""Key, frames (H, W, 3) and boxes (T, 5) of one athlete of one video."""


class OfClips:
    """What takes many clips takes one: callable from frames and boxes `(T, 5)` to keypoints `(T, K, 3)`."""

    def many(self, clips: Iterable[Asked]) -> Iterator[tuple[Any, np.ndarray | InputError]]:
        """Key and keypoints of every clip, in order; its InputError where its frames cannot be read."""
        raise NotImplementedError

    def __call__(self, frames: Sequence[np.ndarray], boxes: np.ndarray) -> np.ndarray:
        """Keypoints `(T, K, 3)` float32 in picture pixels: x, y, confidence; NaN where the box is NaN.

        A keypoint that cannot be seen keeps a place and gets a low confidence.
        """
        [(_, found)] = self.many([(0, frames, boxes)])
        if isinstance(found, InputError):
            raise found
        return found


def present(boxes: np.ndarray) -> np.ndarray:
    """Numbers of the frames that have a box, of boxes `(T, 4+)`."""
    return np.flatnonzero(np.isfinite(np.asarray(boxes)[:, :4]).all(axis=1))


def whole(count: int, numbers: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """Keypoints `(count, K, 3)` float32 of all frames from those `(N, K, 3)` of the frames `numbers`; else NaN."""
    found = np.full((count, *keypoints.shape[1:]), np.nan, np.float32)
    found[numbers] = keypoints
    return found
