"""Is a system better than its floor, and how much of the way to the ceiling has it come? A paired bootstrap.

All three are looked at on the videos that each of them predicted, and in every draw on the same ones.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from aqa_pipeline.evaluation import scores
from aqa_pipeline.evaluation.scores import Sampled


@dataclass(frozen=True)
class Comparison:
    """A system against its floor and ceiling; NaN where there is nothing to compare."""

    difference: float = np.nan  # system minus floor, in units of the metric: below 0 is better for errors
    difference_low: float = np.nan
    difference_high: float = np.nan
    p: float = np.nan  # two-sided
    gap_closed: float = np.nan  # (system - floor) / (ceiling - floor), 0 at the floor and 1 at the ceiling
    gap_low: float = np.nan
    gap_high: float = np.nan
    n_common: int = 0  # videos that all of them predicted

    def fields(self) -> dict[str, float]:
        return asdict(self)


def compare(system: Sampled, floor: Sampled, ceiling: Sampled | None = None) -> Comparison:
    """Compare metrics that were drawn together: on the same videos, with the same draws."""
    differences = system.draws - floor.draws
    low, high = scores.interval(differences)
    closed, gap = np.nan, (np.nan, np.nan)
    if ceiling is not None:
        closed = _share(system.value - floor.value, ceiling.value - floor.value)
        gap = scores.interval(_share(differences, ceiling.draws - floor.draws))
    return Comparison(system.value - floor.value, low, high, p_value(differences), float(closed), *gap, system.n_test)


def p_value(differences: np.ndarray) -> float:
    """Two-sided bootstrap p of no difference; its smallest value is 2 / (draws + 1)."""
    good = differences[np.isfinite(differences)]
    if 2 * len(good) < len(differences) or len(good) == 0:
        return np.nan
    tail = min((good <= 0).sum(), (good >= 0).sum())
    return float(min(1.0, 2 * (tail + 1) / (len(good) + 1)))


def _share(part: np.ndarray | float, whole: np.ndarray | float) -> np.ndarray:
    """part / whole, NaN where the ceiling is not apart from the floor."""
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=np.abs(whole) > 1e-12)
