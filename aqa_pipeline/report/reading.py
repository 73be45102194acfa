"""The files of a finished run, opened for the report. Only what its tables name is read: folders may hold more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from aqa_pipeline import plugins
from aqa_pipeline.errors import InputError
from aqa_pipeline.evaluation import failures, scoring, significance, tables
from aqa_pipeline.evaluation.scoring import MEAN

if TYPE_CHECKING:
    import pandas as pd

COMMAND = "snakemake --cores 8 results/tables.csv"


@dataclass(frozen=True)
class Results:
    """A results folder; `given` are the prediction files of its tables, by default all that lie there."""

    folder: Path
    given: Sequence[Path] = field(default_factory=tuple)

    @cached_property
    def tables(self) -> pd.DataFrame:
        """`tables.COLUMNS` and `row`, which is system.variant."""
        return _with_row(self._csv("tables.csv", tables.COLUMNS, numbers=scoring.FIGURES))

    @cached_property
    def comparisons(self) -> pd.DataFrame:
        """`tables.COMPARED` and `row`: every row against floor and ceiling."""
        return _with_row(self._csv("comparisons.csv", tables.COMPARED, numbers=tables.COMPARED[7:]))

    @cached_property
    def significance(self) -> pd.DataFrame:
        """Every pair of rows: `row` minus `other`."""
        return _with_row(self._csv("significance.csv", ["table", *significance.COLUMNS]))

    @cached_property
    def detectable(self) -> pd.DataFrame:
        return self._csv("detectable.csv", ["table", *significance.DETECTABLE])

    @cached_property
    def failures(self) -> pd.DataFrame:
        """Videos left out; empty where the run did not list them."""
        import pandas as pd

        there = (self.folder / "failures.csv").is_file()
        return self._csv("failures.csv", failures.COLUMNS) if there else pd.DataFrame(columns=failures.COLUMNS)

    @cached_property
    def predictions(self) -> dict[tuple[str, str, str], list[Path]]:
        """Prediction files by row, data set and protocol, of what the tables hold."""
        named = self.tables[["row", "dataset", "protocol"]].drop_duplicates().itertuples(index=False)
        if self.given:
            of = scoring.runs(self.given)
        else:
            found = sorted(self.folder.glob("runs/*.*/*.*/fold*.seed*/predictions.parquet"))
            of = scoring.runs(found)
        return {tuple(key): of[tuple(key)] for key in named if tuple(key) in of}

    @property
    def datasets(self) -> list[str]:
        """Data sets of the tables of which something was tested."""
        scored = self.tables[self.tables["value"].notna()]
        return [name for name in dict.fromkeys(scored["dataset"]) if name != MEAN]

    def ends(self, table: str) -> tuple[str | None, str | None]:
        """Floor and ceiling of a table, None for one that it has not."""
        of = self.comparisons[self.comparisons["table"] == table]
        return tuple(next(iter(of[end].dropna()), None) for end in ("floor", "ceiling"))

    def samples(self, dataset: str) -> pd.DataFrame | None:
        """The sample table of a data set by video id, None where it is not kept."""
        import pandas as pd

        path = self.folder / "samples" / f"{dataset}.parquet"
        return pd.read_parquet(path).set_index("video_id") if path.is_file() else None

    def quality(self) -> list[tuple[str, pd.DataFrame]]:
        """Accuracy of the stages by the name of its file: of the data sets of the tables, and of labelled pictures."""
        import pandas as pd

        names = [*self.datasets, *(path.stem for path in sorted(self.folder.glob("quality/labelled.*.csv")))]
        paths = {name: self.folder / "quality" / f"{name}.csv" for name in names}
        return [(name, pd.read_csv(path)) for name, path in paths.items() if path.is_file()]

    def faults(self, dataset: str) -> pd.DataFrame | None:
        """Rank correlation of the latent faults with what keypoints show of them."""
        import pandas as pd

        path = self.folder / "quality" / f"{dataset}.faults.csv"
        return pd.read_csv(path) if path.is_file() else None

    def _csv(self, name: str, columns: Sequence[str], *, numbers: Sequence[str] | None = None) -> pd.DataFrame:
        import pandas as pd

        path = self.folder / name
        if not path.is_file():
            raise InputError(f"{path}: no such file, expected the results of a finished run (`{COMMAND}`)")
        try:
            table = pd.read_csv(path, keep_default_na=False, na_values={c: [""] for c in numbers or columns})
        except (ValueError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot be read as CSV ({error})") from error
        if list(table.columns) != list(columns):
            raise InputError(f"{path}: columns {', '.join(table.columns)}, expected {', '.join(columns)}")
        return table


def at(lines: pd.DataFrame, table: str, dataset: str, metric: str) -> pd.DataFrame:
    """The lines of one table, data set and metric."""
    return lines[(lines["table"] == table) & (lines["dataset"] == dataset) & (lines["metric"] == metric)]


def higher_is_better(metric: str) -> bool:
    """Whether a larger value of a metric is the better one."""
    return plugins.constant("metrics", metric, "better") == "higher"


def _with_row(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(row=table["system"] + "." + table["variant"])
