"""C3D-SVR: C3D's features of all clips of 16 frames, averaged, and a linear support vector regression on them.

Parmar and Morris, "Learning to Score Olympic Events", CVPRW 2017. The released code (ParitoshParmar/LTSOE) extracts the
features (`features/c3d_clips.py`, with `average`) and holds no regression, so that of it nothing is known but that it
is linear. It is `feature_svr` on the mean, with a penalty that is chosen on the training part alone.

What the sources leave open:

    C       penalties to choose from: that with the least squared error of predictions out of fold
    scale   features with mean 0 and standard deviation 1 while fitting; false: as they are

The choice is in the weights: `C`, and the root mean squared error `errors` of each of `tried`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np

from aqa_pipeline.batches import Clips, Facts
from aqa_pipeline.errors import InputError
from aqa_pipeline.systems import feature_svr

needs = {"features"}

tiny = dict(C=[0.1, 1.0], folds=2)

log = logging.getLogger("aqa_pipeline")


def fit(
    train: Clips,
    facts: Facts,
    *,
    C: list[float] = [1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2],
    folds: int = 5,
    epsilon: float = 0.1,
    scale: bool = True,
    kernel: str = "linear",
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Choose the penalty by `folds` drawn with `seed`, and fit on all training clips.

    `epsilon`, the error that costs nothing, is in standard deviations of the target.

    Parameters
    ----------
    C : penalties to choose from, by rank correlation over the folds
    kernel : linear or rbf
    """
    from sklearn.model_selection import KFold

    if not 2 <= folds <= len(train):
        raise InputError(f"c3d_svr.folds: found {folds}, expected 2 to {len(train)}, the clips of the training part")
    width = 1.0 if scale else float(np.asarray(train.target, np.float64).std())
    options = dict(segments=1, statistics=["mean"], scale=scale, kernel=kernel, epsilon=epsilon * width)
    drawn = KFold(folds, shuffle=True, random_state=seed).split(train.target)
    parts = list(drawn)
    errors = np.array([_error(train, facts, parts, C=penalty, **options) for penalty in C])
    best = C[int(errors.argmin())]
    log.info("c3d_svr: C %g of %s, root mean squared errors %s", best, C, errors.round(4).tolist())
    return feature_svr.fit(train, facts, C=best, **options) | dict(C=np.array([best]), tried=np.array(C), errors=errors)


def _error(train: Clips, facts: Facts, parts: list[tuple[np.ndarray, np.ndarray]], **options) -> float:
    """Root mean squared error of predictions out of fold."""
    squares = []
    for rows, out in parts:
        held_out = train.rows(out)
        predicted = feature_svr.predict(feature_svr.fit(train.rows(rows), facts, **options), held_out)
        squares.append((predicted - np.asarray(held_out.target, np.float64)) ** 2)
    return float(np.sqrt(np.concatenate(squares).mean()))


def predict(weights: Mapping[str, np.ndarray], test: Clips) -> np.ndarray:
    """Predicted target (N,)."""
    return feature_svr.predict(weights, test)
