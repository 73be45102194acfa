"""Predict the test part of a fold with a trained run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aqa_pipeline import stores
from aqa_pipeline.stages import command_line

VERSION = 1


def predict(
    samples: Path,
    folds: Path,
    run: Path,
    out: Path,
    features: Annotated[list[Path] | None, typer.Argument()] = None,
    *,
    draws: Path | None = None,
    truth: list[Path] = [],
    device: str = "auto",
    threads: int = 1,
) -> None:
    """Write a row for each test video of the run in folder RUN to OUT: predicted and true score and execution."""
    import pandas as pd

    from aqa_pipeline.training import runs

    settings, _ = runs.load_settings(run)
    table = runs.read_table(draws, settings.fold) if draws else None
    known = pd.read_parquet(samples)
    with runs.open_inputs(features or [], truth, threads=threads) as inputs:
        trained = runs.load(run, known, inputs)
        test = runs.parts_of(pd.read_parquet(folds), settings.fold, inputs)["test"]
        predictions = runs.compose(trained, trained.predict(test, table, device))
    with stores.replacing(out) as path:
        predictions.to_parquet(path, index=False)


if __name__ == "__main__":
    command_line(predict)
