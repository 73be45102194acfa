"""Predictions of one system on one data set: read, checked, and brought into arrays.

Shapes: S seeds, N tests. A test is a video in a fold; where the folds part the videos, each video is tested once.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from aqa_pipeline import stores
from aqa_pipeline.errors import InputError, nearest

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("aqa_pipeline")

COLUMNS = ("video_id", "fold", "seed", "score", "predicted_score", "execution_score", "predicted_execution")
TRANSITIONS = tuple(f"{side}_transition_{number}" for side in ("true", "predicted") for number in (1, 2))  # optional
QUANTITIES = ("score", "mark", "transitions")  # what a metric may compare

OverFolds = Literal["pool", "mean"]
Test = tuple[str, int]  # video and group, see `Predictions.group`


@dataclass(frozen=True)
class Predictions:
    """Tests in the order of video and fold; NaN where a side is not known."""

    video_ids: np.ndarray  # (N,) str
    fold: np.ndarray  # (N,)
    seeds: tuple[int, ...]  # S
    score: np.ndarray  # (N,)
    predicted_score: np.ndarray  # (S, N)
    mark: np.ndarray  # (N,) execution score
    predicted_mark: np.ndarray  # (S, N)
    transitions: np.ndarray  # (N, 2) positions on the 96 frames
    predicted_transitions: np.ndarray  # (S, N, 2)
    over_folds: OverFolds = "pool"

    def __len__(self) -> int:
        return len(self.video_ids)

    @property
    def n_folds(self) -> int:
        return len(np.unique(self.fold))

    @property
    def group(self) -> np.ndarray:
        """(N,) Tests of one group are compared with each other: all of them when pooled, else those of a fold."""
        return np.zeros(len(self), int) if self.over_folds == "pool" else self.fold

    @property
    def tests(self) -> list[Test]:
        """What each test is known by: systems are compared on the tests that they share."""
        return list(zip(self.video_ids.tolist(), self.group.tolist(), strict=True))

    def sides(self, quantity: str) -> tuple[np.ndarray, np.ndarray]:
        """True (N, ...) and predicted (S, N, ...) values of one of `QUANTITIES`."""
        return getattr(self, quantity), getattr(self, f"predicted_{quantity}")

    def usable(self, quantity: str) -> np.ndarray:
        """(N,) Whether a test has numbers on both sides, in every seed."""
        true, predicted = (np.isfinite(side) for side in self.sides(quantity))
        both = true & predicted.all(axis=0)
        return both.reshape(len(self), -1).all(axis=1) if len(self) else np.zeros(0, bool)

    def where(self, keep: np.ndarray) -> Predictions:
        """The tests that a mask (N,) keeps."""
        of_tests = {name: getattr(self, name)[keep] for name in ("video_ids", "fold", *QUANTITIES)}
        predicted = {f"predicted_{name}": self.sides(name)[1][:, keep] for name in QUANTITIES}
        return replace(self, **of_tests, **predicted)

    def only(self, video_ids: Collection[str]) -> Predictions:
        """The given videos alone."""
        return self.where(np.isin(self.video_ids, list(video_ids)))


def read(paths: Sequence[Path], *, over_folds: OverFolds = "pool") -> Predictions:
    """Predictions of all folds and seeds of one system; InputError that names the file or the run that is amiss."""
    import pandas as pd

    if not paths:
        raise InputError("predictions: found no file, expected one a fold and seed")
    tables = [_table(Path(path)) for path in paths]
    return joined(pd.concat(tables, ignore_index=True), str(Path(paths[0]).parent.parent), over_folds=over_folds)


def joined(table: pd.DataFrame, where: str = "predictions", *, over_folds: OverFolds = "pool") -> Predictions:
    """One table of all folds and seeds as arrays; tests without a number to compare are left out, and logged.

    Raises
    ------
    InputError
        A video tested twice in a fold and seed, or in two folds that are to be pooled, or seeds that were not tested
        on the same videos.
    """
    if table.empty:
        raise InputError(f"{where}: no prediction, expected at least one test video")
    seeds = tuple(int(seed) for seed in np.sort(table["seed"].unique()))
    per_seed = [_of_seed(table, seed, where, over_folds) for seed in seeds]
    first = per_seed[0]
    for seed, rows in zip(seeds, per_seed, strict=True):
        if not rows.index.equals(first.index):
            odd, fold = min(set(rows.index) ^ set(first.index))
            raise InputError(
                f"{where}: seeds {seeds[0]} and {seed} were not tested on the same videos, see '{odd}' in fold {fold}"
            )
    true, predicted = TRANSITIONS[:2], TRANSITIONS[2:]
    found = Predictions(
        video_ids=first.index.get_level_values("video_id").to_numpy(dtype=str),
        fold=first.index.get_level_values("fold").to_numpy(),
        seeds=seeds,
        score=first["score"].to_numpy(float),
        predicted_score=np.stack([rows["predicted_score"].to_numpy(float) for rows in per_seed]),
        mark=first["execution_score"].to_numpy(float),
        predicted_mark=np.stack([rows["predicted_execution"].to_numpy(float) for rows in per_seed]),
        transitions=first.reindex(columns=true).to_numpy(float),
        predicted_transitions=np.stack([rows.reindex(columns=predicted).to_numpy(float) for rows in per_seed]),
        over_folds=over_folds,
    )
    usable = np.any([found.usable(quantity) for quantity in QUANTITIES], axis=0)
    if not usable.all():
        log.warning("%s: %d of %d predictions are no number, left out", where, (~usable).sum(), len(usable))
    return found.where(usable)


def _table(path: Path) -> pd.DataFrame:
    table = stores.read_table(path)
    for column in COLUMNS:
        if column not in table:
            raise InputError(f"{path}: no column '{column}', {nearest(column, table.columns)}")
    kinds = dict.fromkeys((*COLUMNS[1:], *TRANSITIONS), float) | {"fold": int, "seed": int}
    for column in filter(table.columns.__contains__, kinds):
        try:
            table[column] = table[column].astype(kinds[column])
        except (TypeError, ValueError) as error:
            raise InputError(f"{path}: column '{column}' holds what is no number ({error})") from error
    return table


def _of_seed(table: pd.DataFrame, seed: int, where: str, over_folds: OverFolds) -> pd.DataFrame:
    """The tests of one seed in the order of video and fold."""
    rows = table[table["seed"] == seed].astype({"video_id": "str"}).set_index(["video_id", "fold"]).sort_index()
    twice = rows.index[rows.index.duplicated()]
    if len(twice):
        raise InputError(f"{where}: video '{twice[0][0]}' is tested twice in fold {twice[0][1]} of seed {seed}")
    videos = rows.index.get_level_values("video_id")
    again = videos[videos.duplicated()]
    if over_folds == "pool" and len(again):
        folds = list(rows.loc[again[0]].index)
        raise InputError(
            f"{where}: video '{again[0]}' is tested in folds {folds} of seed {seed}, expected one to pool over folds; "
            "with `over_folds: mean` in the table each fold has its own figure, and their mean is shown"
        )
    return rows
