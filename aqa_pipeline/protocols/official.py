"""The one split that the authors of a data set published: its `part` column says train, validation or test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aqa_pipeline.errors import InputError, nearest
from aqa_pipeline.protocols._parts import checked, expect_n_folds, hold_out, parts, sorted_samples

if TYPE_CHECKING:
    import pandas as pd

PARTS = ("train", "validation", "test")


def folds(samples: pd.DataFrame, *, n_folds: int = 1, seed: int = 0, validation: float = 0.0) -> pd.DataFrame:
    """`video_id, fold, part` with the single fold 0; `validation` is drawn from the official training part.

    A split that brings validation videos of its own keeps them, and then admits no further share.
    """
    expect_n_folds(n_folds, 1, 1, "an official split is one fold")
    samples = sorted_samples(samples, "part")
    for part in samples["part"].unique():
        if part not in PARTS:
            raise InputError(f"samples: part '{part}', {nearest(str(part), PARTS)}")
    video_ids, given = samples["video_id"].to_numpy(dtype=object), samples["part"].to_numpy(dtype=object)
    if validation > 0 and (given == "validation").any():
        raise InputError(f"validation: found {validation:g}, expected 0: the official split has a validation part")
    drawn = hold_out(video_ids, given != "train", validation, np.random.default_rng(seed))
    return checked([parts(video_ids, 0, given == "test", (given == "validation") | drawn)])
