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
    """Values (..., draws) as they are, or those of the only draw where no weights were given."""
    return values[..., 0][()] if weights is None else values


def mean(terms: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray | float:
    """Mean of terms (..., N) over clips: (...,), or (..., draws) with weights (draws, N); NaN without a clip."""
    each = counts(weights, terms.shape[-1])
    total = each.sum(axis=1)
    sums = terms @ each.T
    return answer(np.divide(sums, total, out=np.full_like(sums, np.nan), where=total > 0), weights)
