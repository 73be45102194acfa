"""Metrics with their intervals: a bootstrap over test videos, pooled over folds.

With several seeds the value is the mean over seeds of the metric, and a draw of videos serves all seeds: the interval
speaks of other videos, the seeds' own spread is averaged out.

The draws depend on nothing but the seed and the ids of the test videos. So two systems tested on the same videos see
the same draws and can be compared pair by pair, and data sets that hold the same people do as well; the order in which
systems are scored changes nothing.

Shapes: S seeds, N test videos, `draws` bootstrap draws.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from aqa_pipeline import plugins
from aqa_pipeline.evaluation.predictions import Predictions

CHUNK = 2**20  # numbers drawn at a time: memory does not grow with the test set


@dataclass(frozen=True)
class Sampled:
    """A metric's value and its bootstrap draws."""

    value: float
    draws: np.ndarray  # (draws,)
    n_test: int

    @property
    def interval(self) -> tuple[float, float]:
        return interval(self.draws)


def sampled(found: Predictions, metric: str, *, n_draws: int = 2000, seed: int = 0) -> Sampled:
    """A metric of one system on one data set.

    NaN where the metric has no value: a rank of predictions that are constant in every fold tells nothing, and pooled
    over folds it would even be negative, since a fold's training mean falls when its test scores are high.
    """
    module = plugins.load("metrics", metric)
    true, predicted = _columns(found, plugins.constant("metrics", metric, "of"))
    usable = np.isfinite(true) & np.isfinite(predicted).all(axis=0)
    true, predicted, fold = true[usable], predicted[:, usable], found.fold[usable]
    if is_correlation(metric) and is_constant(predicted, fold):
        return Sampled(np.nan, np.full(n_draws, np.nan), len(true))
    measure: Callable = getattr(module, metric)
    if "score_range" in plugins.options("metrics", metric, metric) and len(true):
        measure = _with_range(measure, float(np.ptp(true)))
    value = np.mean([measure(p, true) for p in predicted])
    draws = [
        np.mean([measure(p[rows], true[rows]) for p in predicted], axis=0)
        for rows in resamples(found.video_ids[usable], n_draws=n_draws, seed=seed)
    ]
    return Sampled(float(value), np.concatenate(draws), len(true))


def resamples(video_ids: Sequence[str], *, n_draws: int, seed: int) -> Iterator[np.ndarray]:
    """Rows of the videos in each draw, in pieces of (some draws, N)."""
    n = len(video_ids)
    if n == 0:
        yield np.zeros((n_draws, 0), int)
        return
    key = int.from_bytes(hashlib.sha256("\n".join(video_ids).encode()).digest()[:8], "big")
    rng = np.random.default_rng([seed, key])
    piece = max(1, CHUNK // n)
    for start in range(0, n_draws, piece):
        yield rng.integers(0, n, (min(piece, n_draws - start), n))


def interval(draws: np.ndarray) -> tuple[float, float]:
    """Percentile interval, 95 %; NaN where more than half of the draws have no value."""
    good = draws[np.isfinite(draws)]
    if 2 * len(good) < len(draws) or len(good) == 0:
        return np.nan, np.nan
    low, high = np.percentile(good, [2.5, 97.5])
    return float(low), float(high)


def mean(parts: Sequence[Sampled], metric: str) -> Sampled:
    """A metric averaged over data sets: Fisher's z for correlations, the arithmetic mean for everything else."""
    there, back = (_fisher, np.tanh) if is_correlation(metric) else (np.asarray, np.asarray)
    value = back(np.mean([there(part.value) for part in parts]))
    draws = back(np.mean([there(part.draws) for part in parts], axis=0))
    return Sampled(float(value), draws, sum(part.n_test for part in parts))


def is_correlation(metric: str) -> bool:
    """Whether a metric is a correlation: without meaning for a constant, and averaged by Fisher's z."""
    return plugins.constant("metrics", metric, "family") == "correlation"


def is_constant(predicted: np.ndarray, fold: np.ndarray) -> bool:
    """Whether predictions (S, N) differ in no fold; folds of a single video cannot tell."""
    telling = [predicted[:, fold == name] for name in np.unique(fold) if (fold == name).sum() > 1]
    return bool(telling) and all(np.allclose(part, part[:, :1], rtol=1e-9, atol=0) for part in telling)


def _columns(found: Predictions, of: object) -> tuple[np.ndarray, np.ndarray]:
    return (found.mark, found.predicted_mark) if of == "mark" else (found.score, found.predicted_score)


def _with_range(measure: Callable, score_range: float) -> Callable:
    return lambda predicted, true: measure(predicted, true, score_range=score_range)


def _fisher(rho: np.ndarray | float) -> np.ndarray:
    return np.arctanh(np.clip(rho, -1 + 1e-12, 1 - 1e-12))
