"""Spearman's rank correlation, the main figure of the field (SRC, rho)."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

family = "correlation"


def spearman_rho(predicted: np.ndarray, true: np.ndarray) -> np.ndarray | float:
    """Pearson correlation of average ranks, over the last axis.

    Parameters
    ----------
    predicted, true : (N,) or (draws, N)

    Returns
    -------
    float or (draws,)
        In -1..1; NaN where either side is constant or N < 2.

    Source: Spearman 1904; ties averaged, as in all released code of the field.
    """
    predicted, true = np.asarray(predicted, float), np.asarray(true, float)
    assert predicted.shape == true.shape, (predicted.shape, true.shape)
    if predicted.shape[-1] < 2:
        return np.full(predicted.shape[:-1], np.nan)[()]
    a, b = _centred_ranks(predicted), _centred_ranks(true)
    spread = np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
    rho = np.divide((a * b).sum(-1), spread, out=np.full_like(spread, np.nan), where=spread > 0)
    return np.clip(rho, -1.0, 1.0)[()]  # rounding can step over 1 by an ulp, and Fisher's z then has no value


def _centred_ranks(values: np.ndarray) -> np.ndarray:
    return rankdata(values, axis=-1, nan_policy="propagate") - (values.shape[-1] + 1) / 2
