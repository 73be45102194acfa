"""Predictions that need no video, scored like those of a run: for the checks of floors and judges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from aqa_pipeline import plugins
from aqa_pipeline.audit import Finding, Fold, Subject
from aqa_pipeline.evaluation import predictions, scores
from aqa_pipeline.training.data import Data

if TYPE_CHECKING:
    import pandas as pd

METRICS = ("spearman_rho", "mse", "relative_l2_x100", "med")


def over_folds(subject: Subject, predict: Callable[[Fold], np.ndarray]) -> pd.DataFrame:
    """A table of predictions, as runs write it; `predict` gives the scores of a fold's test rows."""
    import pandas as pd

    ids = subject.samples["video_id"].to_numpy(object)
    tables = [
        pd.DataFrame(
            {
                **dict(video_id=ids[fold.test], fold=number, seed=0),
                **dict(score=subject.score[fold.test], predicted_score=predict(fold)),
                **dict(execution_score=subject.execution[fold.test], predicted_execution=np.nan),
            }
        )
        for number, fold in enumerate(subject.splits)
    ]
    return pd.concat(tables, ignore_index=True)


def of_system(subject: Subject, name: str, **options: Any) -> Callable[[Fold], np.ndarray]:
    """Predictions of a system of `systems/` that is fitted on executions and reads nothing but samples."""
    system = plugins.load("systems", name)
    ids = subject.samples["video_id"].to_numpy(object)
    data = Data(subject.samples, {}, dict(zip(ids, subject.execution, strict=True)), normalise=False)

    def predict(fold: Fold) -> np.ndarray:
        facts = data.fit(list(ids[fold.train]))
        weights = system.fit(data.arrays(list(ids[fold.train])), facts, **options)
        execution = system.predict(weights, data.arrays(list(ids[fold.test]), show_target=False))
        return np.asarray(subject.adapter.compose(execution, subject.difficulty[fold.test]), float)

    return predict


def measured(subject: Subject, name: str, table: pd.DataFrame, note: str = "") -> Iterator[Finding]:
    """A finding a metric, with its interval; clips without a prediction are left out."""
    known = table[np.isfinite(table["predicted_score"])]
    if known.empty:
        return
    repeated = known["video_id"].duplicated().any()  # repeated random draws test a clip several times
    found = predictions.joined(known, name, over_folds="mean" if repeated else "pool")
    for metric in METRICS:
        one = scores.sampled(found, metric, n_draws=subject.bootstrap, seed=subject.seed)
        low, high = one.interval
        yield Finding(f"{name}.{metric}", one.value, one.n_test, note=note, low=low, high=high)
