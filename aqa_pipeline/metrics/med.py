"""Mean Euclidean distance (MED): for scalar scores the mean absolute error, in points."""

from __future__ import annotations

import numpy as np


def med(predicted: np.ndarray, true: np.ndarray) -> np.ndarray | float:
    """Mean of |predicted - true| over the last axis; (N,) -> float, (draws, N) -> (draws,), NaN without a sample.

    Source: Li et al., End-to-end learning for action quality assessment, PCM 2018.
    """
    predicted, true = np.asarray(predicted, float), np.asarray(true, float)
    assert predicted.shape == true.shape, (predicted.shape, true.shape)
    if predicted.shape[-1] == 0:
        return np.full(predicted.shape[:-1], np.nan)[()]
    return np.mean(np.abs(predicted - true), axis=-1)[()]
