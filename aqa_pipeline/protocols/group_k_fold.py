"""Whole groups are tested together: no person, or competition, stands in both training and test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aqa_pipeline.protocols._parts import checked, expect_n_folds, hold_out, parts, sorted_samples

if TYPE_CHECKING:
    import pandas as pd


def folds(samples: pd.DataFrame, *, n_folds: int, seed: int, validation: float = 0.0) -> pd.DataFrame:
    """`video_id, fold, part` over the `group` column; `validation` is a share of the groups of each training part."""
    from sklearn.model_selection import GroupKFold

    samples = sorted_samples(samples, "group")
    video_ids, groups = samples["video_id"].to_numpy(dtype=object), samples["group"].to_numpy(dtype=object)
    expect_n_folds(n_folds, 2, len(set(groups)), "one group a fold at least")
    rng = np.random.default_rng(seed)
    split = GroupKFold(n_folds, shuffle=True, random_state=seed).split(video_ids, groups=groups)

    def one(fold: int, test_rows: np.ndarray) -> pd.DataFrame:
        is_test = np.isin(np.arange(len(video_ids)), test_rows)
        return parts(video_ids, fold, is_test, hold_out(groups, is_test, validation, rng))

    return checked([one(fold, test_rows) for fold, (_, test_rows) in enumerate(split)])
