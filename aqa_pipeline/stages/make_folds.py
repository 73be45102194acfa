"""Part the videos of a data set into training, validation and test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aqa_pipeline import plugins, stores
from aqa_pipeline.stages import Options, command_line

if TYPE_CHECKING:
    import pandas as pd

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
    chosen = dict(n_folds=n_folds, validation=validation, seed=seed, **options)
    others = [stores.read_table(path) for path in excluding]
    table = parted(stores.read_table(samples), protocol, chosen, others)
    with stores.replacing(out) as temporary:
        table.to_parquet(temporary, index=False)


def parted(
    samples: pd.DataFrame, protocol: str, options: Mapping[str, Any], others: Sequence[pd.DataFrame] = ()
) -> pd.DataFrame:
    """Folds of samples under a protocol, less what the `others` test."""
    from aqa_pipeline.protocols._exclusion import without

    return without(plugins.load("protocols", protocol).folds(samples, **options), samples, others)


if __name__ == "__main__":
    command_line(make_folds)
