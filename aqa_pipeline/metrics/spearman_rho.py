"""Spearman's rank correlation, the main figure of the field (SRC, rho)."""

from __future__ import annotations

import numpy as np

from aqa_pipeline.metrics import _weighted

family = "correlation"
better = "higher"


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
    assert predicted.shape[-1:] == true.shape, (predicted.shape, true.shape)
    each = np.ascontiguousarray(_weighted.counts(weights, len(true)).T)  # (N, draws): sorting moves whole rows
    found = np.full((*predicted.shape[:-1], each.shape[1]), np.nan)
    if len(true) > 1 and not np.isnan(true).any():
        total = each.sum(axis=0)
        free = total**3 - total
        ranks, ties = _ranks(true, each)
        ranks *= each
        for place in np.ndindex(predicted.shape[:-1]):
            if not np.isnan(predicted[place]).any():
                own, own_ties = _ranks(predicted[place], each)
                # twice the ranks are whole numbers, and sums of their products are exact until the division
                shared = np.einsum("nd,nd->d", own, ranks) - total * (total + 1) ** 2
                spread = np.sqrt((free - own_ties) * (free - ties)) / 3
                np.divide(shared, spread, out=found[place], where=spread > 0)
    return _weighted.answer(found, weights)


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
