"""Which systems are usually nearer to the judges? Average ranks over clips, Friedman's test, Nemenyi's distance.

Demsar (Statistical comparisons of classifiers over multiple data sets, JMLR 2006, section 3.2) ranks systems on each of
several data sets. Here the clips of one data set stand for his data sets: on every clip the systems are ranked by their
absolute error. So the answer speaks of other clips of the same kind and not of other data sets, and clips that share an
athlete or an event make it surer than it should be. A rank does not know how much nearer: a system that is a little
better on most clips and far off on a few has a good rank and a bad mean error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from aqa_pipeline.evaluation.predictions import Predictions

LEVEL = 0.05


@dataclass(frozen=True)
class Ranking:
    """Systems from the best average rank to the worst."""

    names: list[str]
    ranks: np.ndarray  # (systems,) average rank of the absolute error, 1 is nearest
    p: float  # of Friedman's test that all systems are alike
    critical_difference: float  # average ranks further apart differ at the level 0.05
    n_clips: int

    @property
    def ends(self) -> tuple[int, int]:
        """Whole ranks that hold all systems, and the critical difference, between them."""
        low, high = math.floor(self.ranks.min() - 0.05), math.ceil(self.ranks.max() + 0.05)
        return low, max(high, math.ceil(low + self.critical_difference))

    def cliques(self) -> list[tuple[int, int]]:
        """First and last place of each largest group of systems that are not told apart."""
        ends = [np.flatnonzero(self.ranks - rank <= self.critical_difference).max() for rank in self.ranks]
        found = [(first, int(last)) for first, last in enumerate(ends) if last > first]
        return [pair for number, pair in enumerate(found) if not number or pair[1] > found[number - 1][1]]


def ranking(found: Mapping[str, Predictions]) -> Ranking | None:
    """Systems ranked on the clips that all of them predicted; None with fewer than three systems, or no such clip.

    Seeds, and folds that test a clip again, are averaged: each clip counts once. Systems that predict no score are left
    out.
    """
    from scipy.stats import friedmanchisquare, rankdata, studentized_range

    errors = {name: _errors(one) for name, one in found.items()}
    errors = {name: of_clips for name, of_clips in errors.items() if of_clips}
    clips = sorted(set.intersection(*map(set, errors.values()))) if errors else []
    if len(errors) < 3 or not clips:
        return None
    table = np.array([[of_clips[clip] for of_clips in errors.values()] for clip in clips])  # (N, systems)
    n, k = table.shape
    ranks = rankdata(table, axis=1).mean(axis=0)
    alike = bool((table == table[:, :1]).all())  # scipy would divide by zero
    p = 1.0 if alike else float(friedmanchisquare(*table.T).pvalue)
    quantile = studentized_range.ppf(1 - LEVEL, k, np.inf) / np.sqrt(2)
    order = np.argsort(ranks, kind="stable")
    names = [list(errors)[place] for place in order]
    return Ranking(names, ranks[order], p, float(quantile * np.sqrt(k * (k + 1) / (6 * n))), n)


def _errors(found: Predictions) -> dict[str, float]:
    """Absolute error of each clip, averaged over seeds and folds."""
    usable = found.where(found.usable("score"))
    error = np.abs(usable.predicted_score - usable.score).mean(axis=0)
    videos, place = np.unique(usable.video_ids, return_inverse=True)
    sums = np.bincount(place, weights=error, minlength=len(videos)) / np.bincount(place, minlength=len(videos))
    return dict(zip(videos.tolist(), sums.tolist(), strict=True))
