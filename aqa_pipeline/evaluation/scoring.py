"""One table scored: every row on every data set, each compared with the floor and the ceiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aqa_pipeline.errors import InputError
from aqa_pipeline.evaluation import comparisons, predictions, scores
from aqa_pipeline.evaluation.comparisons import Comparison
from aqa_pipeline.evaluation.predictions import Predictions
from aqa_pipeline.evaluation.scores import Sampled

if TYPE_CHECKING:
    import pandas as pd

MEAN = "mean"  # stands where the name of a data set stands

COLUMNS = [
    *("dataset", "protocol", "system", "variant", "metric", "value", "ci_low", "ci_high"),
    *("n_test", "n_folds", "n_seeds"),
    *("difference", "difference_low", "difference_high", "p", "gap_closed", "gap_low", "gap_high", "n_common"),
]

FIGURES = ("value", "ci_low", "ci_high", "n_test", "n_folds", "n_seeds", "published")  # numbers of tables.csv

Found = Mapping[tuple[str, str], Predictions]  # by row ("system.variant") and data set


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


def score_table(paths: Sequence[Path], table: Mapping[str, Any], *, n_draws: int = 2000, seed: int = 0) -> pd.DataFrame:
    """Scores of a table's block of the configuration, with `COLUMNS`; rows without predictions are left out.

    `table` holds datasets, protocol, rows, metrics, floor, ceiling and mean_over_datasets.
    """
    import pandas as pd

    wanted = {(row, dataset): dataset for row in rows(table) for dataset in table["datasets"]}
    found = {
        (row, dataset): predictions.read(files)
        for (row, dataset, protocol), files in runs(paths).items()
        if (row, dataset) in wanted and protocol == table["protocol"]
    }
    draw = _Draws(found, n_draws, seed)
    lines = []
    for row in rows(table):
        there = [dataset for dataset in table["datasets"] if (row, dataset) in found]
        for dataset in there:
            lines += [_line(draw, table, row, [dataset], metric) for metric in table["metrics"]]
        if table.get("mean_over_datasets") and there == list(table["datasets"]):
            lines += [_line(draw, table, row, there, metric) for metric in table["metrics"]]
    return pd.DataFrame(lines, columns=COLUMNS)


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


@dataclass
class _Draws:
    """Metrics of rows, each computed once: most rows were tested on the same videos."""

    found: Found
    n_draws: int
    seed: int

    def __post_init__(self) -> None:
        self._known: dict[tuple, list[Sampled]] = {}

    def of(self, row: str, dataset: str, metric: str) -> Sampled:
        """A row on all videos that it predicted."""
        return self.together([row], dataset, metric)[0]

    def together(self, group: list[str], dataset: str, metric: str) -> list[Sampled]:
        """Rows on the videos that all of them predicted."""
        systems = [self.found[row, dataset] for row in group]
        common = sorted(set.intersection(*(set(system.video_ids) for system in systems)))
        drawn = []
        for row, system in zip(group, systems, strict=True):
            key = (row, dataset, metric, tuple(common))
            if key not in self._known:
                only = system.only(common)
                self._known[key] = scores.sampled(only, metric, n_draws=self.n_draws, seed=self.seed)
            drawn.append(self._known[key])
        return drawn


def _line(draw: _Draws, table: Mapping[str, Any], row: str, datasets: list[str], metric: str) -> list:
    """One figure: of one data set, or the mean of several."""
    own = [draw.of(row, dataset, metric) for dataset in datasets]
    whole = own[0] if len(datasets) == 1 else scores.mean(own, metric)
    low, high = whole.interval
    of_row = [draw.found[row, dataset] for dataset in datasets]
    n_folds, n_seeds = max(f.n_folds for f in of_row), min(len(f.seeds) for f in of_row)
    system, variant = row.split(".")
    name = datasets[0] if len(datasets) == 1 else MEAN
    compared = _compared(draw, table, row, datasets, metric).fields()
    facts = [name, table["protocol"], system, variant, metric, whole.value, low, high, whole.n_test, n_folds, n_seeds]
    return [*facts, *(compared[column] for column in COLUMNS[len(facts) :])]


def _compared(draw: _Draws, table: Mapping[str, Any], row: str, datasets: list[str], metric: str) -> Comparison:
    floor, ceiling = table.get("floor"), table.get("ceiling")
    has = {name: all((name, dataset) in draw.found for dataset in datasets) for name in (floor, ceiling)}
    if not floor or not has[floor] or row == floor:
        return Comparison()
    group = [row, floor, *([ceiling] if ceiling and has[ceiling] else [])]
    drawn = [draw.together(group, dataset, metric) for dataset in datasets]
    if len(datasets) == 1:
        return comparisons.compare(*drawn[0])
    return comparisons.compare(*(scores.mean(parts, metric) for parts in zip(*drawn, strict=True)))
