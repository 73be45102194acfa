"""The steps of a clip, and clips made of the steps of two.

A step of one clip is exchanged for the same step of another, each as long as it is: all steps of the other make the
other clip itself, so nothing is ever predicted from features that no clip has, but at the seams.

Shapes: T' rows of features, n pieces.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aqa_pipeline import transitions
from aqa_pipeline.training.variants import Rows

STEPS = ("take_off", "flight", "entry")  # the three that `transitions` parts a clip into


def bounds(found: Sequence[float], n_frames: int, *, pieces: int = 1) -> np.ndarray:
    """First frames (3 pieces + 1,) of the steps, each cut into so many even pieces, and the number of frames.

    found : both transitions on the 96 frames of `transitions`
    """
    frames = transitions.positions(n_frames)
    starts = np.array([0, *frames[np.asarray(found, int).clip(0, transitions.GRID - 1)], n_frames], float)
    starts = np.maximum.accumulate(starts)
    parts = np.interp(np.arange(len(STEPS) * pieces + 1) / pieces, np.arange(len(starts)), starts)
    return np.ceil(parts).astype(int)


def spliced(own: Rows, own_bounds: np.ndarray, other: Rows, other_bounds: np.ndarray, members: np.ndarray) -> Rows:
    """Pieces of two clips one after the other: those of `members` (n,) are the own, the rest are the other's."""
    features, first_frames, length = [], [], 0
    for piece, is_own in enumerate(members):
        rows, edges = (own, own_bounds) if is_own else (other, other_bounds)
        start, end = edges[piece], edges[piece + 1]
        inside = (rows.first_frames >= start) & (rows.first_frames < end)
        features.append(rows.features[inside])
        first_frames.append(rows.first_frames[inside] - start + length)
        length += end - start
    return Rows(np.concatenate(features), np.concatenate(first_frames))
