"""Score the predictions of one table: metrics, intervals, each row against floor and ceiling, every pair of rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aqa_pipeline.stages import Options, command_line

VERSION = 3


def score(
    predictions: Annotated[list[Path], typer.Argument()] = [],
    *,
    out: Path,
    pairs: Path,
    detectable: Path,
    table: Options,
    bootstrap: int = 2000,
    seed: int = 0,
) -> None:
    """Score PREDICTIONS (results/runs/system.variant/dataset.protocol/fold.seed/predictions.parquet) into three CSV.

    OUT holds the figures, PAIRS every two rows compared, DETECTABLE the differences that the test sets can show; where
    no data set is at hand, their headers alone. The table is a block of `tables` in the configuration: datasets,
    protocol, rows, metrics, floor, ceiling, over_folds.
    """
    from aqa_pipeline import stores
    from aqa_pipeline.evaluation import scoring

    scored = scoring.score_table(predictions, table, n_draws=bootstrap, seed=seed)
    for found, path in ((scored.scores, out), (scored.pairs, pairs), (scored.detectable, detectable)):
        with stores.replacing(path) as temporary:
            found.to_csv(temporary, index=False, lineterminator="\n")


if __name__ == "__main__":
    command_line(score)
