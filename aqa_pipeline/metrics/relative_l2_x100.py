"""Relative L2 distance (R-l2), times 100 as the tables of the field print it."""

from __future__ import annotations

import numpy as np


def relative_l2_x100(
    predicted: np.ndarray, true: np.ndarray, *, score_range: float | None = None
) -> np.ndarray | float:
    """100 times the mean of ((predicted - true) / (max - min of the true scores))^2, over the last axis.

    Parameters
    ----------
    predicted, true : (N,) or (draws, N)
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
    assert predicted.shape == true.shape, (predicted.shape, true.shape)
    if predicted.shape[-1] == 0:
        return np.full(predicted.shape[:-1], np.nan)[()]
    scale = np.asarray(true.max(-1) - true.min(-1) if score_range is None else score_range, float)
    scale = np.where(scale > 0, scale, np.nan)
    return (100 * np.mean((predicted - true) ** 2, axis=-1) / scale**2)[()]
