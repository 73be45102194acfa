"""Draw a table: rows with intervals, predicted against true scores, average ranks, training curves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aqa_pipeline.stages import Options, command_line

VERSION = 2


def plot(
    predictions: Annotated[list[Path], typer.Argument()] = [],
    *,
    scores: Path,
    tables: Path,
    out: Path,
    name: str,
    table: Options,
) -> None:
    """Draw the table NAME from the PREDICTIONS of its runs, its SCORES and TABLES (tables.csv) into the folder OUT.

    Writes overview.{metric}.png, scatter.{dataset}.png, critical_difference.{dataset}.png and training.png; histories
    lie beside the predictions. Table is its block of the configuration.
    """
    import pandas as pd

    from aqa_pipeline.evaluation import plots, scoring

    ends = dict(floor=table.get("floor"), ceiling=table.get("ceiling"))
    rows = pd.read_csv(tables, keep_default_na=False, na_values={c: [""] for c in scoring.FIGURES})
    for metric in table["metrics"]:
        plots.overview(rows[rows["table"] == name], out / f"overview.{metric}.png", metric=metric, **ends)
    scored, files, found = scoring.read_scores(scores), scoring.runs(predictions), scoring.read_runs(predictions, table)
    histories: dict[str, list[pd.DataFrame]] = {}
    for dataset in table["datasets"]:
        of_rows = {row: found[row, dataset] for row in scoring.rows(table) if (row, dataset) in found}
        if not of_rows:  # the data set is not at hand
            continue
        of_dataset = scored[scored["dataset"] == dataset]
        plots.scatter(of_rows, out / f"scatter.{dataset}.png", scored=of_dataset, **ends)
        plots.critical_difference(of_rows, out / f"critical_difference.{dataset}.png", title=dataset, **ends)
        for row in of_rows:
            beside = [path.with_name("history.csv") for path in files[row, dataset, table["protocol"]]]
            histories.setdefault(row, []).extend(pd.read_csv(path) for path in beside if path.is_file())
    plots.training_curves(histories, out / "training.png")


if __name__ == "__main__":
    command_line(plot)
