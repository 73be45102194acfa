"""Clips that another data set tests are kept out of training: the same dive can stand in two data sets."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aqa_pipeline.errors import InputError, nearest
from aqa_pipeline.protocols._parts import checked

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("aqa_pipeline")


def without(folds: pd.DataFrame, samples: pd.DataFrame, others: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The folds less the training and validation rows whose clip another data set tests; test rows all stay.

    Weights that were trained on the result never saw those clips.

    Parameters
    ----------
    folds : `video_id, fold, part`
    samples : `video_id, identity`, where a clip without an identity stands in no other data set
    others : samples of the other data sets, `part, identity`; their `part` says what they test

    Raises
    ------
    InputError
        A table lacks one of these columns, a test part names no clip, or a fold is left without training videos.
    """
    tested = set().union(*(_tested(other) for other in others))
    if not tested:
        return folds
    _expect(samples, "identity")
    shared = set(samples.loc[samples["identity"].isin(tested), "video_id"])
    dropped = folds["video_id"].isin(shared) & (folds["part"] != "test")
    log.info(
        "excluded: %d of %d training and validation rows, %d videos that other data sets test",
        dropped.sum(),
        (folds["part"] != "test").sum(),
        folds.loc[dropped, "video_id"].nunique(),
    )
    return checked([fold for _, fold in folds[~dropped].groupby("fold", sort=True)])


def _tested(other: pd.DataFrame) -> set[str]:
    for column in ("part", "identity"):
        _expect(other, column)
    found = set(other.loc[other["part"] == "test", "identity"].dropna())
    if not found:
        raise InputError("excluding: no test video of the other data set has an identity, so nothing could be excluded")
    return found


def _expect(table: pd.DataFrame, column: str) -> None:
    if column not in table:
        raise InputError(f"excluding: no column '{column}' in the samples, {nearest(column, table.columns)}")
