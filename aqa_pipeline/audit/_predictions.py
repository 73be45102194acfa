"""Predictions that need no video, scored like those of a run: for the checks of floors and judges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from aqa_pipeline import plugins
from aqa_pipeline.audit import Finding, Fold, Subject
from aqa_pipeline.evaluation import scores
from aqa_pipeline.evaluation.predictions import Predictions
from aqa_pipeline.training.data import Data

METRICS = ("spearman_rho", "mse", "relative_l2_x100", "med")


def over_folds(subject: Subject, predict: Callable[[Fold], np.ndarray]) -> np.ndarray:
    """Predicted scores (N,), NaN for what is tested in no fold; `predict` gives those of a fold's test rows."""
    predicted = np.full(len(subject.samples), np.nan)
    for fold in subject.splits:
        predicted[fold.test] = predict(fold)
    return predicted


def of_system(subject: Subject, name: str, **options: Any) -> Callable[[Fold], np.ndarray]:
    """Predictions of a system of `systems/` that is fitted on executions and reads nothing but samples."""
    system = plugins.load("systems", name)
    ids = subject.samples["video_id"].to_numpy(object)
    data = Data(subject.samples, {}, dict(zip(ids, subject.execution, strict=True)), normalise=False)

    def predict(fold: Fold) -> np.ndarray:
        facts = data.fit(list(ids[fold.train]))
        weights = system.fit(data.clips(list(ids[fold.train])), facts, **options)
        execution = system.predict(weights, data.clips(list(ids[fold.test]), show_target=False))
        return np.asarray(subject.adapter.compose(execution, subject.difficulty[fold.test]), float)

    return predict


def measured(subject: Subject, name: str, predicted: np.ndarray, note: str = "") -> Iterator[Finding]:
    """A finding a metric, with its interval; clips without a prediction are left out."""
    known = np.isfinite(predicted) & np.isfinite(subject.score)
    fold = np.full(len(predicted), -1)
    for number, rows in enumerate(subject.splits):
        fold[rows.test] = number
    if not known.any():
        return
    found = Predictions(
        video_ids=subject.samples["video_id"].to_numpy(str)[known],
        fold=fold[known],
        seeds=(0,),
        score=subject.score[known],
        predicted_score=predicted[None, known],
        mark=subject.execution[known],
        predicted_mark=np.full((1, known.sum()), np.nan),
    )
    for metric in METRICS:
        one = scores.sampled(found, metric, n_draws=subject.bootstrap, seed=subject.seed)
        low, high = one.interval
        yield Finding(f"{name}.{metric}", one.value, one.n_test, note=note, low=low, high=high)
