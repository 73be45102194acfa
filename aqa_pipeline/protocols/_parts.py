"""What the protocols share: parts of one fold, and the check that no fold is empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aqa_pipeline.errors import InputError, nearest

if TYPE_CHECKING:
    import pandas as pd


def sorted_samples(samples: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Samples in the order of their ids; InputError where a needed column is missing or holds no value."""
    for column in columns:
        if column not in samples:
            raise InputError(f"samples: no column '{column}', {nearest(column, samples.columns)}")
        if samples[column].isna().any():
            lacking = samples.loc[samples[column].isna(), "video_id"].iloc[0]
            raise InputError(f"samples: video '{lacking}' has no '{column}', expected one for every video")
    return samples.sort_values("video_id", ignore_index=True)


def parts(video_ids: np.ndarray, fold: int, is_test: np.ndarray, is_validation: np.ndarray) -> pd.DataFrame:
    """Rows of one fold: what is neither test nor validation is training."""
    import pandas as pd

    part = np.where(is_test, "test", np.where(is_validation, "validation", "train"))
    return pd.DataFrame({"video_id": video_ids, "fold": fold, "part": part})


def hold_out(units: np.ndarray, is_test: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Marks a share of the units outside the test part for validation, (N,) bool.

    `units` (N,) says what must stay together: the video ids themselves, or their groups.
    """
    if share <= 0:
        return np.zeros(len(units), bool)
    rest = np.unique(units[~is_test])
    chosen = rng.permutation(rest)[: max(1, round(share * len(rest)))]
    return np.isin(units, chosen) & ~is_test


def checked(folds: list[pd.DataFrame]) -> pd.DataFrame:
    """All folds in one table; InputError that names a fold without test or training videos."""
    import pandas as pd

    for fold in folds:
        for part, word in (("test", "test"), ("train", "training")):
            if not (fold["part"] == part).any():
                counts = fold["part"].value_counts().sort_index().to_dict()
                raise InputError(f"fold {fold['fold'].iloc[0]}: no {word} video, found {counts}")
    return pd.concat(folds, ignore_index=True)


def expect_n_folds(n_folds: int, least: int, most: int, what: str) -> None:
    """InputError unless least <= n_folds <= most."""
    if not least <= n_folds <= most:
        raise InputError(f"n_folds: found {n_folds}, expected {least} to {most} ({what})")
