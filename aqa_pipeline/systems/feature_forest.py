"""A forest of regression trees on pooled features: the strongest plain row on a few hundred clips.

The weights are the nodes of all trees in one list of arrays, so predicting walks them without scikit-learn.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from aqa_pipeline.batches import Clips, Facts
from aqa_pipeline.systems._pooled import pooled, pooled_as_fitted, remember

needs = {"features"}

tiny = dict(segments=2, trees=3)


def fit(
    train: Clips,
    facts: Facts,
    *,
    segments: int = 8,
    statistics: list[str] = ["min", "mean", "max"],
    trees: int = 200,
    max_features: float = 0.2,
    min_samples_leaf: int = 2,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Fit on all training clips; `max_features` is the share of features tried at each split.

    Parameters
    ----------
    trees : of the forest
    min_samples_leaf : clips in a leaf, at least
    """
    from sklearn.ensemble import ExtraTreesRegressor

    x = pooled(train, segments=segments, statistics=statistics)
    forest = ExtraTreesRegressor(
        trees, max_features=max_features, min_samples_leaf=min_samples_leaf, random_state=seed, n_jobs=1
    ).fit(x, np.asarray(train.target, np.float64))
    nodes = [tree.tree_ for tree in forest.estimators_]
    starts = np.cumsum([0, *(tree.node_count for tree in nodes)])
    left = [np.where(t.children_left < 0, -1, t.children_left + start) for t, start in zip(nodes, starts, strict=False)]
    right = [
        np.where(t.children_left < 0, -1, t.children_right + start) for t, start in zip(nodes, starts, strict=False)
    ]
    return remember(segments, statistics) | {
        "roots": starts[:-1],
        "left": np.concatenate(left),
        "right": np.concatenate(right),
        "feature": np.concatenate([tree.feature for tree in nodes]),
        "threshold": np.concatenate([tree.threshold for tree in nodes]),
        "value": np.concatenate([tree.value[:, 0, 0] for tree in nodes]),
    }


def predict(weights: Mapping[str, np.ndarray], test: Clips) -> np.ndarray:
    """Predicted target (N,): the mean of the leaves that a clip falls into."""
    x = pooled_as_fitted(test, weights).astype(np.float32)  # trees compare in single precision
    rows = np.arange(len(x))[:, None]
    node = np.tile(weights["roots"], (len(x), 1))  # (N, trees)
    while (inner := weights["left"][node] >= 0).any():
        goes_left = x[rows, np.maximum(weights["feature"][node], 0)] <= weights["threshold"][node]
        child = np.where(goes_left, weights["left"][node], weights["right"][node])
        node = np.where(inner, child, node)
    return weights["value"][node].mean(axis=1)
