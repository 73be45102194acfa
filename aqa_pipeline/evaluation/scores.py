"""Metrics with their intervals: a bootstrap over test videos.

A metric is computed over all tests pooled, or in each fold and then averaged (`over_folds` of the table). With several
seeds the value is the mean over seeds of the metric. A draw of videos serves all seeds and all folds: the interval
speaks of other videos, the seeds' own spread is averaged out, and folds that test the same video again do not make the
interval narrower.

The draws depend on nothing but the seed and the ids of the test videos. So two systems tested on the same videos see
the same draws and can be compared pair by pair, and data sets that hold the same people do as well; the order in which
systems are scored changes nothing.

Shapes: S seeds, N tests, V different videos, `draws` bootstrap draws.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from aqa_pipeline import plugins
from aqa_pipeline.evaluation.predictions import Predictions

CHUNK = 2**18  # numbers worked on at a time: memory does not grow with the test set, and they stay near the processor


@dataclass(frozen=True)
class Sampled:
    """A metric's value and its bootstrap draws."""

    value: float
    draws: np.ndarray  # (draws,)
    n_test: int  # different videos

    @property
    def interval(self) -> tuple[float, float]:
        return interval(self.draws)


@dataclass(frozen=True)
class Part:
    """Tests that a metric is computed on together."""

    videos: np.ndarray  # (N,) places in the sorted ids of all videos
    true: np.ndarray  # (N, ...)
    predicted: np.ndarray  # (S, N, ...)
    measure: Callable  # the metric, with its scale


def sampled(found: Predictions, metric: str, *, n_draws: int = 2000, seed: int = 0) -> Sampled:
    """A metric of one system on one data set, on the tests that have what it compares.

    NaN where the metric has no value: a rank of predictions that are constant in every fold tells nothing, and pooled
    over folds it would even be negative, since a fold's training mean falls when its test scores are high.
    """
    return together([found.where(found.usable(quantity(metric)))], metric, n_draws=n_draws, seed=seed)[0]


def together(systems: Sequence[Predictions], metric: str, *, n_draws: int = 2000, seed: int = 0) -> list[Sampled]:
    """`sampled` of several systems with the same usable tests, for little more than the price of one."""
    videos = np.unique(systems[0].video_ids)
    divided = [parts(system, metric) for system in systems]
    n_seeds = [len(system.seeds) if of else 0 for system, of in zip(systems, divided, strict=True)]
    joint = _stacked([of for of in divided if of])
    values, draws = np.full(len(systems), np.nan), np.full((len(systems), n_draws), np.nan)
    if joint:
        owner = np.repeat(np.arange(len(systems)), n_seeds)
        values = _means(_measured(joint), owner, len(systems))
        start = 0
        for counts in resamples(videos, n_draws=n_draws, seed=seed):
            draws[:, start : start + len(counts)] = _means(_measured(joint, counts), owner, len(systems))
            start += len(counts)
    return [Sampled(float(value), of, len(videos)) for value, of in zip(values, draws, strict=True)]


def parts(found: Predictions, metric: str) -> list[Part]:
    """Usable tests by group; none where there is no test, or no rank to compare."""
    true, predicted = found.sides(quantity(metric))
    if len(found) == 0 or (is_correlation(metric) and is_constant(predicted, found.fold)):
        return []
    place = np.unique(found.video_ids, return_inverse=True)[1]
    groups = (found.group == name for name in np.unique(found.group))
    return [Part(place[rows], true[rows], predicted[:, rows], _measure(metric, true[rows])) for rows in groups]


def resamples(video_ids: Sequence[str], *, n_draws: int, seed: int) -> Iterator[np.ndarray]:
    """How often each video stands in each draw, in pieces of (some draws, V)."""
    counts = _counts(tuple(video_ids), n_draws, seed)
    for start in range(0, n_draws, piece(len(video_ids))):
        yield counts[:, start : start + piece(len(video_ids))].astype(float).T  # a video's counts lie side by side


def generator(video_ids: Sequence[str], seed: int) -> np.random.Generator:
    """Random numbers that depend on the seed and the videos alone."""
    key = int.from_bytes(hashlib.sha256("\n".join(video_ids).encode()).digest()[:8], "big")
    return np.random.default_rng([seed, key])


def piece(n: int) -> int:
    """Draws of `n` videos that are worked on at a time."""
    return max(1, CHUNK // max(n, 1))


def interval(draws: np.ndarray) -> tuple[float, float]:
    """Percentile interval, 95 %; NaN where more than half of the draws have no value."""
    good = with_value(draws)
    if len(good) == 0:
        return np.nan, np.nan
    low, high = np.percentile(good, [2.5, 97.5])
    return float(low), float(high)


def with_value(draws: np.ndarray) -> np.ndarray:
    """The draws that are a number; none of them where more than half are not."""
    good = draws[np.isfinite(draws)]
    return good[:0] if 2 * len(good) < len(draws) else good


def mean(parts: Sequence[Sampled], metric: str) -> Sampled:
    """A metric averaged over data sets: Fisher's z for correlations, the arithmetic mean for everything else."""
    if len(parts) == 1:
        return parts[0]
    there, back = (_fisher, np.tanh) if is_correlation(metric) else (np.asarray, np.asarray)
    value = back(np.mean([there(part.value) for part in parts]))
    draws = back(np.mean([there(part.draws) for part in parts], axis=0))
    return Sampled(float(value), draws, sum(part.n_test for part in parts))


@functools.cache
def quantity(metric: str) -> str:
    """What a metric compares: "score", "mark" or "transitions"."""
    return plugins.constant("metrics", metric, "of") or "score"


@functools.cache
def family(metric: str) -> str | None:
    """Whether a metric is a "correlation" of ranks or a "mean" over clips; None where it does not say."""
    return plugins.constant("metrics", metric, "family")


def is_correlation(metric: str) -> bool:
    """Whether a metric is a correlation of ranks: without meaning for a constant, and averaged by Fisher's z."""
    return family(metric) == "correlation"


def is_constant(predicted: np.ndarray, fold: np.ndarray) -> bool:
    """Whether predictions (S, N) differ in no fold; folds of a single video cannot tell."""
    telling = [predicted[:, fold == name] for name in np.unique(fold) if (fold == name).sum() > 1]
    return bool(telling) and all(np.allclose(part, part[:, :1], rtol=1e-9, atol=0) for part in telling)


@functools.lru_cache(maxsize=2)  # systems are scored one after the other on the same videos
def _counts(video_ids: tuple[str, ...], n_draws: int, seed: int) -> np.ndarray:
    """(V, draws) int16."""
    n, rng = len(video_ids), generator(video_ids, seed)
    counts = np.zeros((n, n_draws), np.int16)
    for start in range(0, n_draws if n else 0, piece(n)):
        rows = rng.integers(0, n, (min(piece(n), n_draws - start), n))
        places = rows + n * np.arange(len(rows))[:, None]
        counts[:, start : start + len(rows)] = np.bincount(places.ravel(), minlength=rows.size).reshape(rows.shape).T
    counts.flags.writeable = False
    return counts


def _stacked(systems: Sequence[Sequence[Part]]) -> list[Part]:
    """Parts of systems with the same tests as those of one system with all of their seeds."""
    return [
        replace(of[0], predicted=np.concatenate([part.predicted for part in of])) for of in zip(*systems, strict=True)
    ]


def _measured(divided: Sequence[Part], counts: np.ndarray | None = None) -> np.ndarray:
    """The metric of each seed, averaged over parts: (S,), or (S, draws) with counts (draws, V) of the videos.

    A draw that leaves a fold without a value has none.
    """
    weights = (None if counts is None else counts.T.take(part.videos, axis=0).T for part in divided)
    return np.mean([p.measure(p.predicted, p.true, weights=w) for p, w in zip(divided, weights, strict=True)], axis=0)


def _means(of_seeds: np.ndarray, owner: np.ndarray, n: int) -> np.ndarray:
    """Mean over the seeds (S, ...) of each of n systems; NaN for one that has none."""
    return np.stack(
        [of_seeds[owner == i].mean(axis=0) if (owner == i).any() else of_seeds[0] * np.nan for i in range(n)]
    )


def _measure(metric: str, true: np.ndarray) -> Callable:
    """The metric, whose scale is that of the true values of all tests of a group."""
    measure = getattr(plugins.load("metrics", metric), metric)
    if "score_range" in plugins.options("metrics", metric, metric):
        return functools.partial(measure, score_range=float(np.ptp(true)))
    return measure


def _fisher(rho: np.ndarray | float) -> np.ndarray:
    return np.arctanh(np.clip(rho, -1 + 1e-12, 1 - 1e-12))
