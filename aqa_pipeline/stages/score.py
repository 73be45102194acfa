"""Score the predictions of one table: metrics, intervals, and each row against floor and ceiling."""

from __future__ import annotations

from pathlib import Path

from aqa_pipeline.stages import Options, command_line

VERSION = 1


def score(predictions: list[Path], out: Path, *, table: Options, bootstrap: int = 2000, seed: int = 0) -> None:
    """Score PREDICTIONS (results/runs/system.variant/dataset.protocol/fold.seed/predictions.parquet) into OUT, a CSV.

    The table is a block of `tables` in the configuration: datasets, protocol, rows, metrics, floor, ceiling.
    """
    from aqa_pipeline import stores
    from aqa_pipeline.evaluation import scoring

    scored = scoring.score_table(predictions, table, n_draws=bootstrap, seed=seed)
    with stores.replacing(out) as temporary:
        scored.to_csv(temporary, index=False, lineterminator="\n")


if __name__ == "__main__":
    command_line(score)
