"""Spearman's rho on the execution mark: difficulty is known beforehand and lifts every rho of the final score."""

from __future__ import annotations

import numpy as np

from aqa_pipeline.metrics.spearman_rho import spearman_rho

of = "mark"  # the columns differ, the formula does not
family = "correlation"
better = "higher"


def spearman_rho_mark(
    predicted: np.ndarray, true: np.ndarray, *, weights: np.ndarray | None = None
) -> np.ndarray | float:
    """`spearman_rho`, to be given execution marks; the data set says how a mark follows from score and difficulty."""
    return spearman_rho(predicted, true, weights=weights)
