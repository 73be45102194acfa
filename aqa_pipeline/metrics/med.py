"""Mean Euclidean distance (MED): for scalar scores the mean absolute error, in points."""

from __future__ import annotations

import numpy as np

from aqa_pipeline.metrics import _weighted

family = "mean"
better = "lower"


def med(predicted: np.ndarray, true: np.ndarray, *, weights: np.ndarray | None = None) -> np.ndarray | float:
    """Mean of |predicted - true|; (N,) -> float, with weights (draws, N) -> (draws,), NaN without a sample.

    Source: Li et al., End-to-end learning for action quality assessment, PCM 2018.
    """
    predicted, true = np.asarray(predicted, float), np.asarray(true, float)
    assert predicted.shape[-1:] == true.shape, (predicted.shape, true.shape)
    return _weighted.mean(np.abs(predicted - true), weights)
