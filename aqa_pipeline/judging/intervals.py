"""How far off a prediction may be: split conformal intervals from the errors on videos that training did not see.

Of new videos that are exchangeable with those, at least the stated share lies inside, whatever the system is [1].
Videos of one group (a competition, a person) are no independent draws: every group weighs the same, however many videos
it has [2, pooled distribution functions]. Where each video is a group of its own this is the usual quantile.

[1] Vovk, Gammerman & Shafer, Algorithmic learning in a random world, 2005; Lei et al., JASA 2018
[2] Dunn, Wasserman & Ramdas, Distribution-free prediction sets for two-layer hierarchical models, JASA 2022
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

CONFIDENCE = 0.9
PARTS = 10  # of the videos, where the folds do not part them


@dataclass(frozen=True)
class Coverage:
    """How often intervals held what they were to hold, on videos that they were not calibrated on."""

    share: float
    low: float  # 95 % interval of the share
    high: float
    n: int
    width: float  # mean of the intervals, in units of the errors


@dataclass(frozen=True)
class Interval:
    """Half the width of an interval around a prediction, and what is known of it."""

    half: float  # in units of the errors; infinite where too few are known
    confidence: float
    n: int  # errors that it comes from
    n_groups: int
    coverage: Coverage


def errors_of(predictions: Sequence[pd.DataFrame], samples: pd.DataFrame, *, target: str = "execution") -> pd.DataFrame:
    """Errors on test parts: video_id, fold, error (mean prediction of the seeds, less the truth), group.

    Parameters
    ----------
    predictions : tables as `runs.compose` makes them, of any folds and seeds
    samples : the sample table, for its groups; a video without one is a group of its own
    target : what the errors are of, "execution" or "score"; videos of which it is not known are left out
    """
    import pandas as pd

    true, predicted = ("score", "predicted_score")
    if target == "execution":
        true, predicted = ("execution_score", "predicted_execution")
    table = pd.concat([one[["video_id", "fold", true, predicted]] for one in predictions]).dropna()
    table = table.groupby(["video_id", "fold"], as_index=False)[[true, predicted]].mean()
    groups = samples.set_index("video_id")["group"].reindex(table["video_id"]).to_numpy()
    table["group"] = np.where(pd.isna(groups), table["video_id"], groups)
    table["error"] = table[predicted] - table[true]
    return table[["video_id", "fold", "error", "group"]]


def half_width(errors: np.ndarray, groups: np.ndarray, confidence: float = CONFIDENCE) -> float:
    """Smallest distance that holds the stated share of absolute `errors` (N,), every one of `groups` (N,) alike.

    Infinite where there are too few groups: 9 are needed for 90 %.
    """
    _, of_group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    weights = 1 / ((len(sizes) + 1) * sizes[of_group])  # one group more, the new video's, may lie anywhere
    order = np.argsort(np.abs(errors), kind="stable")
    reached = np.cumsum(weights[order]) >= confidence - 1e-9
    return float(np.abs(errors)[order][reached.argmax()]) if reached.any() else np.inf


def interval(errors: pd.DataFrame, confidence: float = CONFIDENCE) -> Interval:
    """The interval from a table of `errors_of`, with its measured coverage."""
    of_all = half_width(errors["error"].to_numpy(), errors["group"].to_numpy(), confidence)
    return Interval(of_all, confidence, len(errors), errors["group"].nunique(), coverage(errors, confidence))


def coverage(errors: pd.DataFrame, confidence: float = CONFIDENCE) -> Coverage:
    """Each fold's errors against the interval from all others; no group stands on both sides.

    Where a group was tested in several folds, the groups are parted anew.
    """
    parts = _parts(errors)
    inside, widths = np.zeros(len(errors), bool), np.zeros(len(errors))
    values, groups = errors["error"].to_numpy(), errors["group"].to_numpy()
    for part in np.unique(parts):
        here = parts == part
        half = half_width(values[~here], groups[~here], confidence) if (~here).any() else np.inf
        inside[here], widths[here] = np.abs(values[here]) <= half, 2 * half
    weights = _of_groups(groups)
    share = float(np.average(inside, weights=weights))
    low, high = wilson(share, len(np.unique(groups)))
    return Coverage(share, low, high, len(errors), float(np.average(widths, weights=weights)))


def _parts(errors: pd.DataFrame) -> np.ndarray:
    folds = errors.groupby("group")["fold"]
    if errors["fold"].nunique() > 1 and (folds.nunique() == 1).all():
        return errors["fold"].to_numpy()
    groups = np.unique(errors["group"].to_numpy())
    part = dict(zip(groups, np.random.default_rng(0).permutation(len(groups)) % PARTS, strict=True))
    return errors["group"].map(part).to_numpy()


def _of_groups(groups: np.ndarray) -> np.ndarray:
    """A weight for each video, the same in sum for each group."""
    _, of_group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return 1 / sizes[of_group]


def wilson(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a share of n."""
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return float(middle - half), float(middle + half)
