"""Mean squared error, in points squared."""

from __future__ import annotations

import numpy as np

from aqa_pipeline.metrics import _weighted

family = "mean"
better = "lower"


def mse(predicted: np.ndarray, true: np.ndarray, *, weights: np.ndarray | None = None) -> np.ndarray | float:
    """Mean of (predicted - true)^2; (N,) -> float, with weights (draws, N) -> (draws,), NaN without a sample."""
    predicted, true = np.asarray(predicted, float), np.asarray(true, float)
    assert predicted.shape[-1:] == true.shape, (predicted.shape, true.shape)
    return _weighted.mean((predicted - true) ** 2, weights)
