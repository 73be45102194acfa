"""The samples' own `fold` column says in which fold a video is tested; folds are numbered from 0 in sorted order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aqa_pipeline.errors import InputError
from aqa_pipeline.protocols._parts import checked, expect_n_folds, hold_out, parts, sorted_samples

if TYPE_CHECKING:
    import pandas as pd


def folds(samples: pd.DataFrame, *, n_folds: int, seed: int = 0, validation: float = 0.0) -> pd.DataFrame:
    """`video_id, fold, part`; `n_folds` must be the number of folds that the column names.

    `validation` takes whole groups where every sample has a `group`, and single videos otherwise.
    """
    samples = sorted_samples(samples, "fold")
    video_ids, given = samples["video_id"].to_numpy(dtype=object), samples["fold"].to_numpy()
    names = np.unique(given)
    expect_n_folds(n_folds, len(names), len(names), f"the samples' fold column holds {', '.join(map(str, names))}")
    if len(names) < 2:
        raise InputError(f"fold {names[0]}: no training video, found a single fold in the samples' fold column")
    grouped = "group" in samples and not samples["group"].isna().any()
    units = samples["group"].to_numpy(dtype=object) if grouped else video_ids
    rng = np.random.default_rng(seed)

    def one(number: int, name: object) -> pd.DataFrame:
        is_test = given == name
        return parts(video_ids, number, is_test, hold_out(units, is_test, validation, rng))

    return checked([one(number, name) for number, name in enumerate(names)])
