"""Where one step of an action turns into the next, on the 96 frames that the field samples.

A dive has three steps for this purpose: take-off, everything in between, entry. Its two transitions are the first
sampled frame of the second distinct sub_action and the first of the last distinct one, in the order in which they
first appear. Source: the FineDiving loader (Xu et al., CVPR 2022), as read in its released code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

GRID = 96  # frames that FineDiving and its successors sample from every clip


def positions(n_frames: int) -> np.ndarray:
    """The sampled frames (96,), counted from 0: evenly spaced, truncated; short clips repeat some."""
    return np.linspace(0, n_frames - 1, GRID).astype(int)


def labels_of(steps: Sequence[Mapping[str, Any]], n_frames: int) -> list[str | None]:
    """Name of the sub_action of every frame; None before the first step."""
    labels: list[str | None] = [None] * n_frames
    for step in sorted(steps, key=lambda step: step["first_frame"]):
        labels[step["first_frame"] :] = [step["sub_action"]] * max(0, n_frames - step["first_frame"])
    return labels


def of_labels(labels: Sequence[Any], *, shown: np.ndarray | None = None) -> tuple[int, int] | None:
    """Both transitions of a clip from the label of each frame, or None with fewer than three distinct labels.

    The labels are those of all frames of the clip, first to last; `shown` (96,) are other frames than the evenly
    spaced ones, such as those of a loader that ends some frames earlier.
    """
    sampled = [labels[i] for i in (positions(len(labels)) if shown is None else shown)]
    distinct = list(dict.fromkeys(sampled))
    if len(distinct) < 3:
        return None
    return sampled.index(distinct[1]), sampled.index(distinct[-1])


def of_steps(steps: Any, n_frames: int, *, shown: np.ndarray | None = None) -> tuple[int, int] | None:
    """Both transitions of a clip of `n_frames` from the steps of the sample table, or None where they are not known.

    `shown` as in `of_labels`.
    """
    if steps is None or np.ndim(steps) == 0 or n_frames < 1:
        return None
    return of_labels(labels_of(list(steps), n_frames), shown=shown)


def iou(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Overlap of the intervals between both transitions, over the last axis.

    Parameters
    ----------
    predicted, true : (..., 2) positions on the 96 frames

    Returns
    -------
    (...,)
        Intersection over union, 0 where the intervals are apart or turned around; NaN where either is unknown.

    Source: the tIoU of Xu et al., FineDiving, CVPR 2022, section 5.1, lengths without the last frame as in its code.
    """
    predicted, true = np.asarray(predicted, float), np.asarray(true, float)
    shared = np.minimum(predicted[..., 1], true[..., 1]) - np.maximum(predicted[..., 0], true[..., 0])
    shared = np.maximum(shared, 0.0)
    union = (predicted[..., 1] - predicted[..., 0]) + (true[..., 1] - true[..., 0]) - shared
    known = np.isfinite(predicted).all(axis=-1) & np.isfinite(true).all(axis=-1)
    return np.where(known, shared / np.maximum(union, np.finfo(float).eps), np.nan)
