"""Draw a table: every row with its interval, predicted against true scores, training curves."""

from __future__ import annotations

from pathlib import Path

from aqa_pipeline.stages import Options, command_line

VERSION = 1


def plot(predictions: list[Path], scores: Path, tables: Path, out: Path, *, name: str, table: Options) -> None:
    """Draw the table NAME from the PREDICTIONS of its runs, its SCORES and TABLES (tables.csv) into the folder OUT.

    Writes overview.{metric}.png, scatter.{dataset}.png and training.png; histories lie beside the predictions. Table
    is its block of the configuration.
    """
    import pandas as pd

    from aqa_pipeline.evaluation import plots, scoring
    from aqa_pipeline.evaluation import predictions as of_runs

    ends = dict(floor=table.get("floor"), ceiling=table.get("ceiling"))
    rows = pd.read_csv(tables, keep_default_na=False, na_values={c: [""] for c in scoring.FIGURES})
    for metric in table["metrics"]:
        plots.overview(rows[rows["table"] == name], out / f"overview.{metric}.png", metric=metric, **ends)
    scored, files = scoring.read_scores(scores), scoring.runs(predictions)
    histories: dict[str, list[pd.DataFrame]] = {}
    for dataset in table["datasets"]:
        given = [(row, files.get((row, dataset, table["protocol"]))) for row in scoring.rows(table)]
        found = {row: of_runs.read(paths) for row, paths in given if paths}
        of_dataset = scored[scored["dataset"] == dataset]
        if found:
            plots.scatter(found, out / f"scatter.{dataset}.png", scored=of_dataset, **ends)
        for row, paths in given:
            beside = [path.with_name("history.csv") for path in paths or []]
            histories.setdefault(row, []).extend(pd.read_csv(path) for path in beside if path.is_file())
    plots.training_curves(histories, out / "training.png")


if __name__ == "__main__":
    command_line(plot)
