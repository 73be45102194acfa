"""What both thresholds of AIoU share."""

from __future__ import annotations

import numpy as np

from aqa_pipeline import transitions
from aqa_pipeline.metrics import _weighted


def percent_found(
    predicted: np.ndarray, true: np.ndarray, threshold: float, weights: np.ndarray | None = None
) -> np.ndarray | float:
    """100 times the share of clips whose intervals between both transitions overlap by at least `threshold`.

    Parameters
    ----------
    predicted, true : (N, 2) positions on the 96 frames
    threshold : 0 to 1
    weights : (draws, N), optional

    Returns
    -------
    float or (draws,)
        In 0..100; NaN without a clip, or where a transition is unknown.
    """
    predicted, true = np.asarray(predicted, float), np.asarray(true, float)
    assert predicted.shape[-2:] == true.shape == (len(true), 2), (predicted.shape, true.shape)
    overlap = transitions.iou(predicted, true)
    return 100 * _weighted.mean(np.where(np.isnan(overlap), np.nan, overlap >= threshold), weights)
