"""Part the videos of a data set into training, validation and test."""

from __future__ import annotations

from pathlib import Path

from aqa_pipeline import plugins, stores
from aqa_pipeline.stages import Options, command_line

VERSION = 1


def make_folds(
    samples: Path,
    out: Path,
    *,
    protocol: str,
    n_folds: int = 1,
    validation: float = 0.0,
    seed: int = 0,
    options: Options = {},
    excluding: list[Path] = [],
) -> None:
    """Write the folds of SAMPLES under a protocol to OUT: video_id, fold, part.

    EXCLUDING are samples of other data sets: clips that they test are kept out of training and validation here.
    """
    import pandas as pd

    from aqa_pipeline.protocols._exclusion import without

    folds, known = plugins.load("protocols", protocol).folds, pd.read_parquet(samples)
    table = folds(known, n_folds=n_folds, validation=validation, seed=seed, **options)
    table = without(table, known, [pd.read_parquet(path) for path in excluding])
    with stores.replacing(out) as temporary:
        table.to_parquet(temporary, index=False)


if __name__ == "__main__":
    command_line(make_folds)
