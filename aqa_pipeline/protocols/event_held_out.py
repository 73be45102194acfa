"""Competitions that were never trained on: whole events are tested together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aqa_pipeline.protocols._groups import held_out

if TYPE_CHECKING:
    import pandas as pd


def folds(samples: pd.DataFrame, *, n_folds: int, seed: int, validation: float = 0.0) -> pd.DataFrame:
    """`video_id, fold, part` over the `event` column; `validation` is a share of the events of each training part.

    As many folds as events leave one out at a time.
    """
    return held_out(samples, "event", n_folds=n_folds, seed=seed, validation=validation)
