"""What the metrics share: means in which a clip counts as often as it was drawn."""

from __future__ import annotations

import numpy as np


def counts(weights: np.ndarray | None, n: int) -> np.ndarray:
    """Weights as (draws, N) numbers; every clip once, in one draw, where none are given."""
    if weights is None:
        return np.ones((1, n))
    weights = np.asarray(weights, float)
    assert weights.shape == (len(weights), n), (weights.shape, n)
    return weights


def answer(values: np.ndarray, weights: np.ndarray | None) -> np.ndarray | float:
    """Values (draws,) as they are, or the only one as a float where no weights were given."""
    return float(values[0]) if weights is None else values


def mean(terms: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray | float:
    """Mean of terms (N,) as a float, or (draws,) with weights (draws, N); NaN without a clip."""
    each = counts(weights, len(terms))
    total = each.sum(axis=1)
    return answer(np.divide(each @ terms, total, out=np.full(len(each), np.nan), where=total > 0), weights)
