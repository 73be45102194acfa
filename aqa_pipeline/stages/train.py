"""Train one system on one fold with one seed."""

from __future__ import annotations

import logging
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
    fold: int,
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
) -> None:
    """Train on the training part of FOLD and write weights, configuration and history to the folder OUT.

    A system that is trained in steps reads its DRAWS; TRUTH stores are for the ceiling alone. One thread makes a run
    the same bit by bit.
    """
    import time

    import pandas as pd

    from aqa_pipeline.training import runs

    settings = runs.Settings(
        system=system, adapter=adapter, fold=fold, seed=seed, options=options, training=training, clips=clips,
        target=target, selection=selection, control=control,
    )  # fmt: skip
    started = time.monotonic()
    table = runs.read_table(draws, fold) if draws else None
    with runs.open_inputs(features or [], truth, threads=threads) as inputs:
        run = runs.train(settings, pd.read_parquet(samples), pd.read_parquet(folds), inputs, draws=table, device=device)
    runs.save(run, out)
    log.info("%s, fold %d, seed %d: trained in %.1f s", system, fold, seed, time.monotonic() - started)


if __name__ == "__main__":
    command_line(train)
