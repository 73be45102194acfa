"""Spearman's rank correlation, the main figure of the field (SRC, rho)."""

from __future__ import annotations

import numpy as np

from aqa_pipeline.metrics import _weighted

family = "correlation"


def spearman_rho(predicted: np.ndarray, true: np.ndarray, *, weights: np.ndarray | None = None) -> np.ndarray | float:
    """Pearson correlation of average ranks.

    Parameters
    ----------
    predicted, true : (N,)
    weights : (draws, N), optional
        How often each clip stands in a draw. Each side is sorted once for all draws: a clip's rank in a draw is the
        weight below it plus (the weight of its tie + 1) / 2, so that the answer is that of the repeated clips.

    Returns
    -------
    float or (draws,)
        In -1..1; NaN where either side is constant or N < 2.

    Source: Spearman 1904; ties averaged, as in all released code of the field.
    """
    predicted, true = np.asarray(predicted, float), np.asarray(true, float)
    assert predicted.shape == true.shape, (predicted.shape, true.shape)
    each = np.ascontiguousarray(_weighted.counts(weights, len(true)).T)  # (N, draws): sorting moves whole rows
    if len(true) < 2 or np.isnan(predicted).any() or np.isnan(true).any():
        return _weighted.answer(np.full(each.shape[1], np.nan), weights)
    total = each.sum(axis=0)
    (a, ties_a), (b, ties_b) = (_ranks(values, each) for values in (predicted, true))
    # twice the ranks are whole numbers, and sums of their products are exact: nothing is rounded before the division
    shared = np.einsum("nd,nd,nd->d", each, a, b) - total * (total + 1) ** 2
    free = total**3 - total
    spread = np.sqrt((free - ties_a) * (free - ties_b)) / 3
    return _weighted.answer(np.divide(shared, spread, out=np.full_like(spread, np.nan), where=spread > 0), weights)


def _ranks(values: np.ndarray, each: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Twice the average ranks of values (N,) in every draw, (N, draws), and the correction for ties, (draws,)."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    last = np.append(ordered[1:] != ordered[:-1], True)  # where a tie ends, if only of one
    up_to = np.cumsum(each.take(order, axis=0), axis=0)[last]
    tied = np.diff(up_to, axis=0, prepend=0)
    ranks = 2 * up_to - tied + 1  # (weight below + (weight of the tie + 1) / 2) x 2
    place = np.empty(len(values), int)
    place[order] = np.cumsum(last) - last
    return ranks.take(place, axis=0), np.einsum("nd,nd,nd->d", tied, tied, tied) - tied.sum(axis=0)
