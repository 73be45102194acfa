"""What the data sets share: a whole and checked table of samples, arrays of an npz file, and the compositions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aqa_pipeline.datasets import COLUMNS
from aqa_pipeline.errors import InputError, nearest

if TYPE_CHECKING:
    import pandas as pd

_TEXT = (
    *("video_id", "path", "action_type", "group", "part", "event", "subject", "broadcast", "identity"),
    *("masks", "splash", "caption"),
)
_NUMBERS = ("fps", "difficulty", "score")
_COUNTS = ("first_frame", "last_frame", "fold")


def finished(table: pd.DataFrame, source: Path | str) -> pd.DataFrame:
    """The table with all columns in their order and types, sorted by video id.

    Raises
    ------
    InputError
        Names `source` where there is no sample, a video id stands twice, or a score is not a finite number.
    """
    import pandas as pd

    if table.empty:
        raise InputError(f"{source}: holds no sample, expected at least one")
    table = table.reindex(columns=[*COLUMNS, *(c for c in table.columns if c not in COLUMNS)])
    for column in table.columns.intersection(_TEXT):
        table[column] = table[column].astype("str").where(table[column].notna())
    for column in table.columns.intersection(_NUMBERS):
        table[column] = table[column].astype(float)
    for column in table.columns.intersection(_COUNTS):
        table[column] = table[column].astype("Int64")
    for column in ("judge_scores", "steps"):
        table[column] = pd.Series([None if np.ndim(v) == 0 else list(v) for v in table[column]], table.index, object)
    repeated = table.loc[table["video_id"].duplicated(), "video_id"]
    if len(repeated):
        raise InputError(f"{source}: video_id '{repeated.iloc[0]}' stands twice, expected each once")
    wrong = table.loc[~np.isfinite(table["score"])]
    if len(wrong):
        raise InputError(f"{source}: video '{wrong['video_id'].iloc[0]}' has no finite score")
    return table.sort_values("video_id", ignore_index=True)


def load_npz(path: Path, *names: str) -> dict[str, np.ndarray]:
    """The named arrays of an npz file, all with the same number of rows; nothing is ever unpickled."""
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file, expected an npz file with {', '.join(names)}")
    try:
        with np.load(path, allow_pickle=False) as file:
            for name in names:
                if name not in file.files:
                    raise InputError(f"{path}: no array '{name}', {nearest(name, file.files)}")
            arrays = {name: file[name] for name in names}
    except InputError:
        raise
    except Exception as error:  # zip, zlib, header and pickle errors differ from version to version
        raise InputError(f"{path}: cannot be read as an npz file without pickles ({error})") from error
    rows = {name: array.shape[:1] for name, array in arrays.items()}
    if len(set(rows.values())) != 1:
        raise InputError(f"{path}: arrays of different lengths, {rows}")
    return arrays


def first_folder(folders: Sequence[Path]) -> Path:
    """The first of several places that is there, or else the first."""
    return next((folder for folder in folders if folder.is_dir()), folders[0])


def times_difficulty(execution_score, difficulty):
    """Execution times difficulty; the execution itself where no difficulty is known."""
    return execution_score * np.where(np.isnan(difficulty), 1.0, difficulty)


def over_difficulty(score, difficulty):
    """Inverse of `times_difficulty`."""
    return score / np.where(np.isnan(difficulty), 1.0, difficulty)


def plus_difficulty(execution_score, difficulty):
    """Execution and difficulty added up; the execution itself where no difficulty is known."""
    return execution_score + np.where(np.isnan(difficulty), 0.0, difficulty)


def minus_difficulty(score, difficulty):
    """Inverse of `plus_difficulty`."""
    return score - np.where(np.isnan(difficulty), 0.0, difficulty)
