"""Ridge regression on pooled features; with `alpha` 0 plain least squares, of all solutions the shortest."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from aqa_pipeline.batches import Clips, Facts
from aqa_pipeline.systems._pooled import pooled, pooled_as_fitted, remember

needs = {"features"}

tiny = dict(segments=2)


def fit(
    train: Clips,
    facts: Facts,
    *,
    segments: int = 8,
    statistics: list[str] = ["min", "mean", "max"],
    scale: bool = True,
    alpha: float = 1000.0,
) -> dict[str, np.ndarray]:
    """Fit on all training clips; with `scale` every pooled feature has sd 1, otherwise it is only centred.

    Parameters
    ----------
    alpha : weight of the penalty; 0 is plain least squares
    """
    x, y = pooled(train, segments=segments, statistics=statistics), np.asarray(train.target, np.float64)
    mean, sd = x.mean(axis=0), x.std(axis=0)
    sd = np.where(scale & (sd > 1e-9), sd, 1.0)
    centred = (x - mean) / sd
    if alpha == 0:
        slopes = np.linalg.lstsq(centred, y - y.mean(), rcond=None)[0]
    else:  # as many unknowns as clips, not as features
        gram = centred @ centred.T + alpha * np.eye(len(y))
        slopes = centred.T @ np.linalg.solve(gram, y - y.mean())
    return remember(segments, statistics) | dict(mean=mean, slopes=slopes / sd, intercept=np.array([y.mean()]))


def predict(weights: Mapping[str, np.ndarray], test: Clips) -> np.ndarray:
    """Predicted target (N,)."""
    return (pooled_as_fitted(test, weights) - weights["mean"]) @ weights["slopes"] + weights["intercept"][0]
