"""Features that somebody else made: npz, HDF5, Parquet or csv files, never a pickle.

Two layouts are read, told apart by what `path` is:

- a folder with one file a video, `<video_id>.npz` (or .h5, .hdf5, .parquet, .csv), holding `(T', D)` or `(D,)`;
- one file for all videos. npz and HDF5: an array `(N, D)` or `(N, T', D)` beside an array of N video ids. Tables: a
  column `video_id`, one row a video, or several in their order for a sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aqa_pipeline.errors import InputError, nearest

source = "files"

_SUFFIXES = (".npz", ".h5", ".hdf5", ".parquet", ".csv")


def build(*, path: str, array: str = "features", ids: str = "video_id") -> Callable[[str], np.ndarray]:
    """Extractor `video_id -> (T', D)` float32 from the files at `path`.

    `array` and `ids` are the names of the feature and the id array (npz, HDF5); `ids` also names the id column of a
    table, whose other columns must all be numbers. An id that is missing, text or NaN among the features, and a file
    that cannot be read are InputErrors.
    """
    where = Path(path)
    if where.is_dir():
        return lambda video_id: _sequence(_one_video(where, video_id, array, ids), f"{where}: video '{video_id}'")
    by_id = _all_videos(where, array, ids)

    def extract(video_id: str) -> np.ndarray:
        if video_id not in by_id:
            raise InputError(f"{where}: no features of video '{video_id}', {nearest(video_id, list(by_id)[:50])}")
        return _sequence(by_id[video_id], f"{where}: video '{video_id}'")

    return extract


def _one_video(folder: Path, video_id: str, array: str, ids: str) -> np.ndarray:
    for suffix in _SUFFIXES:
        path = folder / f"{video_id}{suffix}"
        if path.is_file():
            if suffix in (".parquet", ".csv"):
                return _numbers(_table(path).drop(columns=[ids], errors="ignore"), path)
            return _named(_arrays(path), array, path)
    raise InputError(f"{folder}: no file of video '{video_id}', expected {video_id} with one of {', '.join(_SUFFIXES)}")


def _all_videos(path: Path, array: str, ids: str) -> Mapping[str, np.ndarray]:
    if path.suffix not in _SUFFIXES:
        raise InputError(f"{path}: neither a folder nor one of {', '.join(_SUFFIXES)}")
    if path.suffix in (".parquet", ".csv"):
        return _videos_of_table(_table(path, text=ids), ids, path)
    arrays = _arrays(path)
    features, names = _named(arrays, array, path), _named(arrays, ids, path)
    if features.ndim not in (2, 3) or names.ndim != 1 or len(names) != len(features):
        raise InputError(
            f"{path}: found '{array}' {features.shape} and '{ids}' {names.shape}, expected (N, D) or (N, T, D) and (N,)"
        )
    keys = [name.decode() if isinstance(name, bytes) else str(name) for name in names.tolist()]
    if len(set(keys)) < len(keys):
        raise InputError(f"{path}: '{ids}' names {_first_repeated(keys)} twice, expected each video once")
    return dict(zip(keys, features, strict=True))


def _videos_of_table(table: Any, ids: str, path: Path) -> dict[str, np.ndarray]:
    if ids not in table:
        raise InputError(f"{path}: no column '{ids}', {nearest(ids, map(str, table.columns))}")
    values = _numbers(table.drop(columns=[ids]), path)
    return {str(key): values[rows] for key, rows in table.groupby(table[ids].astype(str), sort=False).indices.items()}


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an npz or HDF5 file by name."""
    _expect_file(path)
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        import h5py

        with h5py.File(path, "r") as file:
            return {name: item[()] for name, item in file.items() if isinstance(item, h5py.Dataset)}
    except Exception as error:  # the readers raise a dozen kinds on a damaged file
        raise InputError(f"{path}: cannot be read ({error}), expected arrays without pickled objects") from error


def _table(path: Path, text: str | None = None) -> Any:
    import pandas as pd

    _expect_file(path)
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, dtype={text: str} if text else None)  # an id such as 007 is not a number
    except Exception as error:
        raise InputError(f"{path}: cannot be read ({error}), expected a table") from error


def _numbers(table: Any, path: Path) -> np.ndarray:
    import pandas as pd

    for column in table.columns:
        if not pd.api.types.is_numeric_dtype(table[column]):
            raise InputError(f"{path}: column '{column}' holds text, expected numbers")
    return table.to_numpy(dtype=np.float64)


def _named(arrays: Mapping[str, np.ndarray], name: str, path: Path) -> np.ndarray:
    if name not in arrays:
        raise InputError(f"{path}: no array '{name}', {nearest(name, arrays)}")
    return arrays[name]


def _sequence(values: np.ndarray, where: str) -> np.ndarray:
    """`(T', D)` float32, finite and not empty."""
    if values.dtype.kind not in "fiub":
        raise InputError(f"{where}: features of type {values.dtype}, expected numbers")
    values = np.asarray(values, dtype=np.float32)
    values = values[None] if values.ndim == 1 else values
    if values.ndim != 2 or 0 in values.shape:
        raise InputError(f"{where}: features of shape {values.shape}, expected (T, D) or (D,)")
    if not np.isfinite(values).all():
        raise InputError(f"{where}: {int((~np.isfinite(values)).sum())} features are NaN or infinite, expected numbers")
    return values


def _expect_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"{path}: no such file")


def _first_repeated(names: list[str]) -> str:
    seen: set[str] = set()
    return next(name for name in names if name in seen or seen.add(name))
