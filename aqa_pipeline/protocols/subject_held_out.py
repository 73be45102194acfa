"""People who were never trained on: whole subjects are tested together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aqa_pipeline.protocols._groups import held_out

if TYPE_CHECKING:
    import pandas as pd


def folds(samples: pd.DataFrame, *, n_folds: int, seed: int, validation: float = 0.0) -> pd.DataFrame:
    """`video_id, fold, part` over the `subject` column; `validation` is a share of the subjects of each training part.

    As many folds as subjects leave one out at a time.
    """
    return held_out(samples, "subject", n_folds=n_folds, seed=seed, validation=validation)
