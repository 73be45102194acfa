"""Mean squared error, in points squared."""

from __future__ import annotations

import numpy as np


def mse(predicted: np.ndarray, true: np.ndarray) -> np.ndarray | float:
    """Mean of (predicted - true)^2 over the last axis; (N,) -> float, (draws, N) -> (draws,), NaN without a sample."""
    predicted, true = np.asarray(predicted, float), np.asarray(true, float)
    assert predicted.shape == true.shape, (predicted.shape, true.shape)
    if predicted.shape[-1] == 0:
        return np.full(predicted.shape[:-1], np.nan)[()]
    return np.mean((predicted - true) ** 2, axis=-1)[()]
