"""Train one system on folds of a data set with one seed."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Annotated

import typer

from aqa_pipeline.stages import Options, command_line

VERSION = 1

log = logging.getLogger("aqa_pipeline")


def train(
    samples: Path,
    folds: Path,
    out: Path,
    features: Annotated[list[Path] | None, typer.Argument()] = None,
    *,
    system: str,
    adapter: str,
    fold: list[int],
    seed: int = 0,
    draws: Path | None = None,
    truth: list[Path] = [],
    options: Options = {},
    training: Options = {},
    clips: Options = {},
    target: str = "execution",
    selection: str = "last",
    control: str = "none",
    device: str = "auto",
    threads: int = 1,
    workers: int = 0,
) -> None:
    """Train on the training part of each FOLD; weights, configuration and history go to OUT/fold{fold}.seed{seed}.

    A system that is trained in steps reads its DRAWS; TRUTH stores are for the ceiling alone. One thread makes a run
    the same bit by bit. WORKERS are processes that read batches ahead. A run that was killed goes on from the state
    that it left in its folder.
    """
    import pandas as pd

    from aqa_pipeline.training import ranks, runs

    table, parts = pd.read_parquet(samples), pd.read_parquet(folds)
    with (
        runs.open_inputs(features or [], truth, threads=threads) as inputs,
        ranks.joined(training.get("devices", 1), device=device) as together,
    ):
        for number in fold:
            started = time.monotonic()
            settings = runs.Settings(
                system=system, adapter=adapter, fold=number, seed=seed, options=options, training=training,
                clips=clips, target=target, selection=selection, control=control,
            )  # fmt: skip
            drawn = runs.read_table(draws, number) if draws else None
            folder = out / f"fold{number}.seed{seed}"
            run = runs.train(
                settings, table, parts, inputs,
                draws=drawn, device=device, workers=workers, folder=folder, together=together,
            )  # fmt: skip
            if together.is_first:
                runs.save(run, folder)
                log.info("%s, fold %d, seed %d: trained in %.1f s", system, number, seed, time.monotonic() - started)


if __name__ == "__main__":
    command_line(train)
