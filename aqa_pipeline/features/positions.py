"""Where the keypoints are, seen from one of them: what Pose+DCT reads (Pirsiavash et al., ECCV 2014).

In pixels of the original frame, or in what the data set measures, three coordinates too. Nothing but gaps is mended.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from aqa_pipeline import keypoint_sets
from aqa_pipeline.errors import InputError
from aqa_pipeline.features import _signals as signals

source = "keypoints"


def build(*, origin: str = "nose", scale: float = 1.0, min_confidence: float = 0.0) -> Callable[..., np.ndarray]:
    """Extractor of `(T, K C)` float32 from keypoints `(T, K, C + 1)`, x and y (and z) of one keypoint after the other.

    origin
        The keypoint that all are seen from, in the same frame; its own columns are 0.
    scale
        Factor on the coordinates, for systems with a sense of their size: 100 makes centimetres of metres, which is
        about what a pixel is where athletes are 170 of them tall.
    min_confidence
        Points below it count as not found and are interpolated.
    """
    if not scale > 0:
        raise InputError(f"positions.scale: found {scale}, expected more than 0")

    def extract(keypoints: np.ndarray, *, keypoint_set: str, **_about: float) -> np.ndarray:
        at = keypoint_sets.get(keypoint_set).index(origin)
        found = signals.fill_gaps(signals.split(keypoints, min_confidence=min_confidence))  # (T, K, C)
        seen = scale * (found - found[:, at : at + 1])
        return seen.reshape(len(seen), -1).astype(np.float32)

    return extract
