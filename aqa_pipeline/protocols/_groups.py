"""Whole groups are tested together: what the protocols by person, competition or any other group share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aqa_pipeline.protocols._parts import checked, expect_n_folds, hold_out, parts, sorted_samples

if TYPE_CHECKING:
    import pandas as pd


def held_out(samples: pd.DataFrame, column: str, *, n_folds: int, seed: int, validation: float) -> pd.DataFrame:
    """`video_id, fold, part`, in which no value of `column` stands in two parts of a fold, each tested once.

    As many folds as groups leave one out at a time. `validation` is a share of the groups of each training part.
    """
    from sklearn.model_selection import GroupKFold

    samples = sorted_samples(samples, column)
    video_ids, groups = samples["video_id"].to_numpy(dtype=object), samples[column].to_numpy(dtype=object)
    expect_n_folds(n_folds, 2, len(set(groups)), f"one {column} a fold at least")
    rng = np.random.default_rng(seed)
    split = GroupKFold(n_folds, shuffle=True, random_state=seed).split(video_ids, groups=groups)

    def one(fold: int, test_rows: np.ndarray) -> pd.DataFrame:
        is_test = np.isin(np.arange(len(video_ids)), test_rows)
        return parts(video_ids, fold, is_test, hold_out(groups, is_test, validation, rng))

    return checked([one(fold, test_rows) for fold, (_, test_rows) in enumerate(split)])
