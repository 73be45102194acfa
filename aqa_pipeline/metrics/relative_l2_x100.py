"""Relative L2 distance (R-l2), times 100 as the tables of the field print it."""

from __future__ import annotations

import numpy as np

from aqa_pipeline.metrics import _weighted

family = "mean"
better = "lower"


def relative_l2_x100(
    predicted: np.ndarray,
    true: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    score_range: float | None = None,
) -> np.ndarray | float:
    """100 times the mean of ((predicted - true) / (max - min of the true scores))^2.

    Parameters
    ----------
    predicted, true : (N,)
    weights : (draws, N), optional
    score_range : points, optional
        The scale to divide by; without it the range of `true` itself, which is what the published figures use. A
        bootstrap passes the range of the whole test set: a draw without the extremes would change the scale.

    Returns
    -------
    float or (draws,)
        NaN where there is no sample or no range.

    Source: Yu et al., Group-aware contrastive regression, ICCV 2021, section 4.1.
    """
    predicted, true = np.asarray(predicted, float), np.asarray(true, float)
    assert predicted.shape[-1:] == true.shape, (predicted.shape, true.shape)
    scale = score_range if score_range is not None else np.ptp(true) if len(true) else 0.0
    return 100 * _weighted.mean(((predicted - true) / (scale if scale > 0 else np.nan)) ** 2, weights)
