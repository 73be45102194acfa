"""Every video is tested once: n_folds parts drawn at random, stratified by nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aqa_pipeline.protocols._parts import checked, expect_n_folds, hold_out, parts, sorted_samples

if TYPE_CHECKING:
    import pandas as pd


def folds(samples: pd.DataFrame, *, n_folds: int, seed: int, validation: float = 0.0) -> pd.DataFrame:
    """`video_id, fold, part`; `validation` is the share of each training part that is set aside for selection."""
    video_ids = sorted_samples(samples)["video_id"].to_numpy(dtype=object)
    expect_n_folds(n_folds, 2, len(video_ids), "one video a fold at least")
    rng = np.random.default_rng(seed)
    fold_of = np.empty(len(video_ids), int)
    fold_of[rng.permutation(len(video_ids))] = np.arange(len(video_ids)) % n_folds

    def one(fold: int) -> pd.DataFrame:
        is_test = fold_of == fold
        return parts(video_ids, fold, is_test, hold_out(video_ids, is_test, validation, rng))

    return checked([one(fold) for fold in range(n_folds)])
