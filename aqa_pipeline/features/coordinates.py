"""Keypoint coordinates as the pose-guided report feeds them: x and y over the frame size, nothing else.

No confidence, no centring, zeros where no athlete was found (report, section 2.2; what it leaves open is marked as our
reading in the documentation of `systems/pose_guided.py`). `body_motion` is what we would use instead.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from aqa_pipeline.errors import InputError

source = "keypoints"


def build(*, points: int = 0) -> Callable[..., np.ndarray]:
    """Extractor of `(T, 2 K)` float32; `points` keeps the first so many keypoints, 0 keeps all."""

    def extract(
        keypoints: np.ndarray, *, width: float = 0, height: float = 0, keypoint_set: str = "", fps: float = 0
    ) -> np.ndarray:
        if not (width > 0 and height > 0):
            raise InputError(f"coordinates: found a frame of {width} x {height}, expected the size in pixels")
        if keypoints.shape[2] != 3:
            raise InputError(
                f"coordinates: found {keypoints.shape[2]} channels of {keypoint_set}, expected x, y, confidence"
            )
        chosen = keypoints[:, : points or None, :2] / np.array([width, height])  # (T, K, 2)
        return np.nan_to_num(chosen, nan=0.0).reshape(len(chosen), -1).astype(np.float32)

    return extract
