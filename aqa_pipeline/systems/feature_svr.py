"""Support vector regression on pooled features: the classic of this field.

Parmar and Morris, "Learning to score Olympic events", CVPRW 2017, on C3D features. The weights are support vectors and
their coefficients, so predicting needs no more than the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from aqa_pipeline.batches import Clips, Facts
from aqa_pipeline.errors import InputError, nearest
from aqa_pipeline.systems._pooled import pooled, pooled_as_fitted, remember

needs = {"features"}

tiny = dict(segments=2)

KERNELS = ("rbf", "linear")


def fit(
    train: Clips,
    facts: Facts,
    *,
    segments: int = 8,
    statistics: list[str] = ["min", "mean", "max"],
    scale: bool = True,
    kernel: str = "rbf",
    C: float = 3.0,
    epsilon: float = 0.1,
) -> dict[str, np.ndarray]:
    """Fit on all training clips; with `scale`, pooled features and target have mean 0 and sd 1 while fitting.

    Parameters
    ----------
    kernel : rbf or linear
    C, epsilon : penalty, and the error that costs nothing, in standard deviations of the target
    """
    from sklearn.svm import SVR

    if kernel not in KERNELS:
        raise InputError(f"kernel: found '{kernel}', {nearest(kernel, KERNELS)}")
    x, y = pooled(train, segments=segments, statistics=statistics), np.asarray(train.target, np.float64)
    scales = dict(mean=np.zeros(x.shape[1]), sd=np.ones(x.shape[1]), target=np.array([0.0, 1.0]))
    if scale:
        sd = x.std(axis=0)
        scales = dict(mean=x.mean(axis=0), sd=np.where(sd > 1e-9, sd, 1.0), target=np.array([y.mean(), y.std() or 1.0]))
    x, y = (x - scales["mean"]) / scales["sd"], (y - scales["target"][0]) / scales["target"][1]
    gamma = 1 / (x.shape[1] * (x.var() or 1.0))
    model = SVR(kernel=kernel, C=C, epsilon=epsilon, gamma=gamma).fit(x, y)
    learnt = dict(vectors=model.support_vectors_, dual=model.dual_coef_[0], intercept=model.intercept_)
    return (
        remember(segments, statistics) | scales | learnt | {"gamma": np.array([gamma if kernel == "rbf" else np.nan])}
    )


def predict(weights: Mapping[str, np.ndarray], test: Clips) -> np.ndarray:
    """Predicted target (N,)."""
    x = (pooled_as_fitted(test, weights) - weights["mean"]) / weights["sd"]
    inner = x @ weights["vectors"].T  # (N, support vectors)
    if not np.isnan(weights["gamma"][0]):
        squares = (x**2).sum(axis=1)[:, None] + (weights["vectors"] ** 2).sum(axis=1)
        inner = np.exp(-weights["gamma"][0] * (squares - 2 * inner))
    return (inner @ weights["dual"] + weights["intercept"][0]) * weights["target"][1] + weights["target"][0]
