"""Which row of a table is best, and whether that is more than chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aqa_pipeline.evaluation.significance import LEVEL
from aqa_pipeline.report.reading import Results, at, higher_is_better

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Pair:
    """A row against another; the difference is positive where it is the better one."""

    other: str
    value: float  # of the other
    gain: float
    low: float
    high: float
    p: float  # by permutation, corrected for the number of pairs; NaN where there is none

    @property
    def is_sure(self) -> bool:
        return bool(self.p < LEVEL)


@dataclass(frozen=True)
class Verdict:
    """What a table says of its best row by one metric on one data set."""

    table: str
    dataset: str
    metric: str
    best: str
    figure: pd.Series  # of tables.csv
    floor: Pair | None
    ceiling: tuple[str, float] | None
    gap: tuple[float, float, float] | None  # share of the way from floor to ceiling, with its interval
    rivals: list[Pair]  # every other row of a system, best first
    n_videos: int

    @property
    def next_best(self) -> Pair | None:
        return self.rivals[0] if self.rivals else None

    @property
    def level_with(self) -> list[Pair]:
        """Rows that are not told apart from the best."""
        return [pair for pair in self.rivals if not pair.is_sure]


def of_table(results: Results, table: str) -> Verdict | None:
    """By the table's first metric on its first data set, which is the mean where it has one; None without a score."""
    rows = results.tables[results.tables["table"] == table]
    metric = rows["metric"].iloc[0]
    scored = rows[rows["value"].notna() & (rows["metric"] == metric)]
    if scored.empty:
        return None
    dataset = "mean" if "mean" in set(scored["dataset"]) else scored["dataset"].iloc[0]
    return of_metric(results, table, dataset, metric)


def of_metric(results: Results, table: str, dataset: str, metric: str) -> Verdict | None:
    """The best of the rows that are neither floor nor ceiling, and whose epoch was not chosen on the test part."""
    floor, ceiling = results.ends(table)
    here = at(results.tables, table, dataset, metric)
    here = here[here["value"].notna()].drop_duplicates("row").set_index("row")
    candidates = here[~here.index.isin([floor, ceiling]) & (here["selection"] != "test")]
    if candidates.empty:
        return None
    ordered = candidates.sort_values("value", ascending=not higher_is_better(metric), kind="stable")
    best = str(ordered.index[0])
    pairs = Pairs(results, table, dataset, metric)
    compared = at(results.comparisons, table, dataset, metric)
    compared = compared[compared["row"] == best]
    gap = tuple(compared[["gap_closed", "gap_low", "gap_high"]].iloc[0]) if len(compared) else None
    return Verdict(
        table=table,
        dataset=dataset,
        metric=metric,
        best=best,
        figure=ordered.iloc[0],
        floor=pairs.of(best, floor) if floor in here.index else None,
        ceiling=(ceiling, float(here.loc[ceiling, "value"])) if ceiling in here.index else None,
        gap=gap if gap and np.isfinite(gap[0]) else None,
        rivals=[pairs.of(best, str(row)) for row in ordered.index[1:]],
        n_videos=int(ordered["n_test"].iloc[0]),
    )


class Pairs:
    """Every two rows of a table by one metric on one data set, looked up in either order."""

    def __init__(self, results: Results, table: str, dataset: str, metric: str) -> None:
        values, known = (at(lines, table, dataset, metric) for lines in (results.tables, results.significance))
        self._values = values.drop_duplicates("row").set_index("row")["value"]
        self._known = {(pair.row, pair.other): pair for pair in known.itertuples()}
        self._sign = 1 if higher_is_better(metric) else -1

    def of(self, row: str, other: str) -> Pair:
        """The first row against the other; NaN in what was not compared."""
        value = float(self._values[other])
        for key, sign in (((row, other), self._sign), ((other, row), -self._sign)):
            if key in self._known:
                pair = self._known[key]
                low, high = sorted((sign * pair.difference_low, sign * pair.difference_high))
                return Pair(other, value, sign * pair.difference, low, high, float(pair.p_holm))
        return Pair(other, value, self._sign * (float(self._values[row]) - value), np.nan, np.nan, np.nan)
