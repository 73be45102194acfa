"""One table scored: every row on every data set, compared with the floor and the ceiling, and with every other row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aqa_pipeline.errors import InputError
from aqa_pipeline.evaluation import comparisons, predictions, scores, significance
from aqa_pipeline.evaluation.comparisons import Comparison
from aqa_pipeline.evaluation.draws import Draws
from aqa_pipeline.evaluation.predictions import Predictions

if TYPE_CHECKING:
    import pandas as pd

MEAN = "mean"  # stands where the name of a data set stands

COLUMNS = [
    *("dataset", "protocol", "system", "variant", "metric", "value", "ci_low", "ci_high"),
    *("n_test", "n_folds", "n_seeds"),
    *("difference", "difference_low", "difference_high", "p", "gap_closed", "gap_low", "gap_high", "n_common"),
]

FIGURES = ("value", "ci_low", "ci_high", "n_test", "n_folds", "n_seeds", "published")  # numbers of tables.csv


def runs(paths: Sequence[Path]) -> dict[tuple[str, str, str], list[Path]]:
    """Prediction files by row, data set and protocol, as their folders name them.

    `.../{system}.{variant}/{dataset}.{protocol}/fold{fold}.seed{seed}/predictions.parquet`
    """
    found: dict[tuple[str, str, str], list[Path]] = {}
    for path in map(Path, paths):
        names = path.parts[-4:-2]
        if len(names) < 2 or any(name.count(".") != 1 for name in names):
            raise InputError(f"{path}: expected .../system.variant/dataset.protocol/fold0.seed0/predictions.parquet")
        found.setdefault((names[0], *names[1].split(".")), []).append(path)
    return found


def rows(table: Mapping[str, Any]) -> list[str]:
    """Rows of a table in the order they are shown: floor and ceiling stand first and last unless listed elsewhere."""
    listed = list(table["rows"])
    first = [table["floor"]] if table.get("floor") and table["floor"] not in listed else []
    last = [table["ceiling"]] if table.get("ceiling") and table["ceiling"] not in listed else []
    return [*first, *listed, *last]


@dataclass(frozen=True)
class Scored:
    """A table scored: its figures, its rows compared pair by pair, and what its test sets can tell apart."""

    scores: pd.DataFrame  # `COLUMNS`
    pairs: pd.DataFrame  # `significance.COLUMNS`
    detectable: pd.DataFrame  # `significance.DETECTABLE`


def score_table(paths: Sequence[Path], table: Mapping[str, Any], *, n_draws: int = 2000, seed: int = 0) -> Scored:
    """Score a table's block of the configuration; what has no prediction that a metric can use is left out.

    `table` holds datasets, protocol, rows, metrics, floor, ceiling, mean_over_datasets and over_folds.
    """
    import pandas as pd

    draw = Draws(read_runs(paths, table), n_draws, seed)
    lines = []
    for row in rows(table):
        for name, datasets in places(table).items():
            for metric in table["metrics"]:
                if all(draw.tests(row, dataset, metric) for dataset in datasets):
                    lines.append(_line(draw, table, row, name, datasets, metric))
    pairs = significance.compare_all(draw, rows(table), places(table), table)
    return Scored(pd.DataFrame(lines, columns=COLUMNS), pairs, significance.detectable(pairs))


def read_runs(paths: Sequence[Path], table: Mapping[str, Any]) -> dict[tuple[str, str], Predictions]:
    """Predictions of a table by row and data set; files of other rows, data sets or protocols are passed over."""
    wanted = {(row, dataset, table["protocol"]) for row in rows(table) for dataset in table["datasets"]}
    over_folds = table.get("over_folds", "pool")
    return {
        key[:2]: predictions.read(files, over_folds=over_folds) for key, files in runs(paths).items() if key in wanted
    }


def places(table: Mapping[str, Any]) -> dict[str, list[str]]:
    """Where the figures of a row stand: each data set, then their mean, with the data sets that make it up."""
    every = list(table["datasets"])
    return {**{dataset: [dataset] for dataset in every}, **({MEAN: every} if table.get("mean_over_datasets") else {})}


def read_scores(path: Path) -> pd.DataFrame:
    """Scores of a table from the CSV that the score stage wrote."""
    import pandas as pd

    if not Path(path).is_file():
        raise InputError(f"{path}: no such scores")
    text = dict.fromkeys(("dataset", "protocol", "system", "variant", "metric"), str)
    table = pd.read_csv(path, dtype=text, keep_default_na=False, na_values=[""])
    if list(table.columns) != COLUMNS:
        raise InputError(f"{path}: columns {', '.join(table.columns)}, expected {', '.join(COLUMNS)}")
    return table


def _line(draw: Draws, table: Mapping[str, Any], row: str, name: str, datasets: list[str], metric: str) -> list:
    """One figure: of one data set, or the mean of several."""
    whole = scores.mean([draw.of(row, dataset, metric) for dataset in datasets], metric)
    low, high = whole.interval
    of_row = [draw.found[row, dataset] for dataset in datasets]
    n_folds, n_seeds = max(f.n_folds for f in of_row), min(len(f.seeds) for f in of_row)
    compared = _compared(draw, table, row, datasets, metric).fields()
    facts = [name, table["protocol"], *row.split("."), metric, whole.value, low, high, whole.n_test, n_folds, n_seeds]
    return [*facts, *(compared[column] for column in COLUMNS[len(facts) :])]


def _compared(draw: Draws, table: Mapping[str, Any], row: str, datasets: list[str], metric: str) -> Comparison:
    """The row against floor and ceiling, as far as they have what the metric compares."""
    floor, ceiling = (
        name if name and all(draw.tests(name, dataset, metric) for dataset in datasets) else None
        for name in (table.get("floor"), table.get("ceiling"))
    )
    if floor is None or row == floor:
        return Comparison()
    group = [row, floor, *([ceiling] if ceiling else [])]
    drawn = [draw.together(group, dataset, metric) for dataset in datasets]
    return comparisons.compare(*(scores.mean(parts, metric) for parts in zip(*drawn, strict=True)))
