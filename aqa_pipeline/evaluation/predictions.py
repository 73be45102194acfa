"""Predictions of one system on one data set: read, checked, and brought into arrays.

Shapes: S seeds, N test videos, pooled over folds.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aqa_pipeline.errors import InputError, nearest

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("aqa_pipeline")

COLUMNS = ("video_id", "fold", "seed", "score", "predicted_score", "execution_score", "predicted_execution")


@dataclass(frozen=True)
class Predictions:
    """Test videos in the order of their ids, each tested once a seed."""

    video_ids: np.ndarray  # (N,) str
    fold: np.ndarray  # (N,)
    seeds: tuple[int, ...]  # S
    score: np.ndarray  # (N,)
    predicted_score: np.ndarray  # (S, N)
    mark: np.ndarray  # (N,) execution score
    predicted_mark: np.ndarray  # (S, N)

    def __len__(self) -> int:
        return len(self.video_ids)

    @property
    def n_folds(self) -> int:
        return len(np.unique(self.fold))

    def only(self, video_ids: Sequence[str]) -> Predictions:
        """The given videos alone."""
        keep = np.isin(self.video_ids, list(video_ids))
        return replace(
            self,
            video_ids=self.video_ids[keep],
            fold=self.fold[keep],
            score=self.score[keep],
            predicted_score=self.predicted_score[:, keep],
            mark=self.mark[keep],
            predicted_mark=self.predicted_mark[:, keep],
        )


def read(paths: Sequence[Path]) -> Predictions:
    """Predictions of all folds and seeds of one system; InputError that names the file or the run that is amiss."""
    import pandas as pd

    if not paths:
        raise InputError("predictions: found no file, expected one a fold and seed")
    tables = []
    for path in map(Path, paths):
        if not path.is_file():
            raise InputError(f"{path}: no such predictions")
        try:
            table = pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: cannot be read as a parquet file ({error})") from error
        for column in COLUMNS:
            if column not in table:
                raise InputError(f"{path}: no column '{column}', {nearest(column, table.columns)}")
        tables.append(table)
    return pooled(pd.concat(tables, ignore_index=True), str(path.parent.parent))


def pooled(table: pd.DataFrame, where: str = "predictions") -> Predictions:
    """One table of all folds and seeds as arrays; videos without a number on either side are left out, and logged.

    Raises
    ------
    InputError
        A video tested twice with one seed, or seeds that were not tested on the same videos.
    """
    if table.empty:
        raise InputError(f"{where}: no prediction, expected at least one test video")
    seeds = tuple(int(seed) for seed in np.sort(table["seed"].unique()))
    per_seed = [_of_seed(table, seed, where) for seed in seeds]
    first = per_seed[0]
    for seed, rows in zip(seeds, per_seed, strict=True):
        if not rows.index.equals(first.index):
            [odd, *_] = sorted(set(rows.index) ^ set(first.index))
            raise InputError(f"{where}: seeds {seeds[0]} and {seed} were not tested on the same videos, see '{odd}'")
    found = Predictions(
        video_ids=first.index.to_numpy(dtype=str),
        fold=first["fold"].to_numpy(),
        seeds=seeds,
        score=first["score"].to_numpy(float),
        predicted_score=np.stack([rows["predicted_score"].to_numpy(float) for rows in per_seed]),
        mark=first["execution_score"].to_numpy(float),
        predicted_mark=np.stack([rows["predicted_execution"].to_numpy(float) for rows in per_seed]),
    )
    usable = np.isfinite(found.score) & np.isfinite(found.predicted_score).all(axis=0)
    if not usable.all():
        log.warning("%s: %d of %d predictions are no number, left out", where, (~usable).sum(), len(usable))
    return found.only(found.video_ids[usable])


def _of_seed(table: pd.DataFrame, seed: int, where: str) -> pd.DataFrame:
    rows = table[table["seed"] == seed].astype({"video_id": "str"}).set_index("video_id").sort_index()
    twice = rows.index[rows.index.duplicated()]
    if len(twice):
        folds = sorted(rows.loc[twice[0], "fold"])
        raise InputError(f"{where}: video '{twice[0]}' is tested in folds {folds} of seed {seed}, expected one")
    return rows
