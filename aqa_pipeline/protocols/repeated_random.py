"""Training and test drawn anew and at random, many times over: 100 training videos, 200 times, and the like.

A video is tested in many folds or in none, so figures are means over folds, never pooled over videos.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aqa_pipeline.errors import InputError
from aqa_pipeline.protocols._parts import checked, expect_n_folds, hold_out, parts, sorted_samples

if TYPE_CHECKING:
    import pandas as pd

MOST = 10_000  # repetitions; a run a repetition


def folds(
    samples: pd.DataFrame, *, n_folds: int, seed: int, train_size: int | float, validation: float = 0.0
) -> pd.DataFrame:
    """`video_id, fold, part` of `n_folds` independent draws; the first of them do not depend on how many follow.

    Parameters
    ----------
    train_size : number of training videos, or their share, rounded down; all others are tested
    validation : share of these training videos that is set aside for selection
    """
    from sklearn.model_selection import ShuffleSplit

    video_ids = sorted_samples(samples)["video_id"].to_numpy(dtype=object)
    expect_n_folds(n_folds, 1, MOST, "repetitions")
    size = _size(train_size, len(video_ids))
    split = ShuffleSplit(n_folds, train_size=size, random_state=seed).split(video_ids)
    rng = np.random.default_rng(seed)

    def one(fold: int, test_rows: np.ndarray) -> pd.DataFrame:
        is_test = np.isin(np.arange(len(video_ids)), test_rows)
        return parts(video_ids, fold, is_test, hold_out(video_ids, is_test, validation, rng))

    return checked([one(fold, test_rows) for fold, (_, test_rows) in enumerate(split)])


def _size(train_size: int | float, n: int) -> int:
    """Number of training videos; InputError where training or test would be empty."""
    if isinstance(train_size, float) and 0 < train_size < 1:
        size = int(train_size * n)
    else:
        size = train_size if isinstance(train_size, int) and not isinstance(train_size, bool) else 0
    if not 1 <= size < n:
        raise InputError(f"train_size: found {train_size!r}, expected 1 to {n - 1} videos, or a share between 0 and 1")
    return size
