"""The rule of the seed paper: of all boxes above a threshold, the largest is the athlete."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def select(candidates: Sequence[np.ndarray], cuts: Sequence[int] = (), *, threshold: float = 0.5) -> np.ndarray:
    """Of each frame's candidates `(N, 5)` the one with the largest area and a confidence of at least `threshold`.

    Camera `cuts` do not matter to it. Returns `(T, 5)` float32; a row of NaN where no candidate reaches the threshold.
    """
    chosen = np.full((len(candidates), 5), np.nan, np.float32)
    for row, boxes in zip(chosen, candidates, strict=True):
        likely = np.asarray(boxes, np.float32).reshape(-1, 5)
        likely = likely[likely[:, 4] >= threshold]
        if len(likely):
            row[:] = likely[np.argmax((likely[:, 2] - likely[:, 0]) * (likely[:, 3] - likely[:, 1]))]
    return chosen
