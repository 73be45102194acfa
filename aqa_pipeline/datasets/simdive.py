"""simdive, the embedded data set: dives that the simulate stage drew, rendered and judged.

The stage leaves one folder a shard with the videos and `annotations.parquet`, whose columns are those of the samples;
paths are relative to the folder. Truth is kept elsewhere: nothing here knows a fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aqa_pipeline.datasets import COLUMNS
from aqa_pipeline.datasets._table import finished, over_difficulty, times_difficulty
from aqa_pipeline.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

simulated_by = ("simdive", "clips", "simulate_shard")  # its options are those of this function

compose = times_difficulty
execution = over_difficulty


def annotation_files(*, folders: Sequence[Path | str]) -> list[Path]:
    """One file a shard."""
    return [Path(folder) / "annotations.parquet" for folder in folders]


def samples(*, folders: Sequence[Path | str]) -> pd.DataFrame:
    """Samples of all shards; `folders` are those that the simulate stage wrote."""
    import pandas as pd

    tables = [_read(path) for path in annotation_files(folders=folders)]
    if not tables:
        raise InputError("folders: found none, expected the folders of the simulate stage")
    filled = [table for table in tables if len(table)]  # with few dives a shard may be empty
    return finished(pd.concat(filled or tables, ignore_index=True), tables and Path(folders[0]).parent)


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd

    if not path.is_file():
        raise InputError(f"{path}: no such file, expected the annotations of a simulated shard")
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a parquet file ({error})") from error
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise InputError(f"{path}: no column '{missing[0]}', expected {', '.join(COLUMNS)}")
    return table.assign(path=[str(path.parent / video) for video in table["path"]])
