"""Predict the test parts of runs, composing the scores as the data set does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aqa_pipeline import stores
from aqa_pipeline.stages import command_line

VERSION = 3


def predict(
    samples: Path,
    folds: Path,
    features: Annotated[list[Path] | None, typer.Argument()] = None,
    *,
    run: list[Path],
    draws: Path | None = None,
    truth: list[Path] = [],
    frames: list[Path] = [],
    boxes: list[Path] = [],
    memory_mb: int = 2000,
    device: str = "auto",
    threads: int = 1,
) -> None:
    """Write a row for each test video of every RUN folder to its predictions.parquet: predicted and true score.

    One process serves all folds of a row: starting it costs more than predicting. What fills which role, and how
    FRAMES are shown, is what the first run was trained with; masks are labels, and no prediction reads them.
    Resized frames stay in memory up to MEMORY_MB.
    """
    from aqa_pipeline import plugins
    from aqa_pipeline.training import runs

    known, parts = stores.read_table(samples), stores.read_table(folds)
    files = runs.Files(features=features or [], truth=truth, frames=frames, boxes=boxes)
    settings, _ = runs.load_settings(run[0])
    needs = plugins.constant("systems", settings.system, "needs") or ()
    read = dict(roles=settings.roles, frames=settings.frames, needs=needs, memory_mb=memory_mb)
    with runs.open_inputs(files, threads=threads, **read) as inputs:
        for folder in run:
            trained = runs.load(folder, known, inputs)
            drawn = runs.read_table(draws, trained.settings.fold) if draws else None
            runs.predict(trained, parts, inputs, folder, draws=drawn, device=device)


if __name__ == "__main__":
    command_line(predict)
