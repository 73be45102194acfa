"""Features that somebody else made: npz, HDF5, Parquet or csv files, never a pickle.

A file holds one video or many. Arrays (npz, HDF5): `(T', D)` or `(D,)` of one video; of many, `(N, D)` or `(N, T', D)`
beside an array of N video ids. Tables (Parquet, csv): the rows of one video in their order; of many, with a column of
ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from aqa_pipeline.errors import AbsentError, InputError, nearest

source = "files"

ARRAYS, TABLES = (".npz", ".h5", ".hdf5"), (".parquet", ".csv")


def build(*, array: str = "features", ids: str = "video_id") -> Callable[[Path | str, str], np.ndarray]:
    """Extractor `(path, video_id) -> (T', D)` float32.

    `array` names the features in npz and HDF5; `ids` the array or column of video ids, where a file has one. A file
    that cannot be read, an id it lacks, text, NaN and infinities are InputErrors.
    """

    @lru_cache(maxsize=1)  # videos of one file are asked for one after the other
    def values_by_id(path: Path) -> Mapping[str, np.ndarray] | np.ndarray:
        return read(path, array=array, ids=ids)

    def extract(path: Path | str, video_id: str) -> np.ndarray:
        values = values_by_id(Path(path))
        if isinstance(values, Mapping):
            if video_id not in values:
                raise InputError(f"{path}: nothing of video '{video_id}', {nearest(video_id, list(values)[:50])}")
            values = values[video_id]
        return sequence(values, f"{path}: video '{video_id}'")

    return extract


def read(path: Path, *, array: str, ids: str) -> Mapping[str, np.ndarray] | np.ndarray:
    """The values of a file: of each video by its id where the file has ids, else of its one video."""
    if path.suffix not in ARRAYS + TABLES:
        raise InputError(f"{path}: found '{path.suffix}', expected one of {', '.join(ARRAYS + TABLES)}")
    if not path.is_file():
        raise AbsentError(f"{path}: no such file")
    return _from_table(path, ids) if path.suffix in TABLES else _from_arrays(path, array, ids)


def sequence(values: np.ndarray, where: str) -> np.ndarray:
    """`(T', D)` float32 of numbers, all finite, at least one."""
    if values.dtype.kind not in "fiub":
        raise InputError(f"{where}: values of type {values.dtype}, expected numbers")
    with np.errstate(over="ignore"):  # too large for float32 is found below
        values = np.asarray(values, dtype=np.float32)
    values = values[None] if values.ndim == 1 else values
    if values.ndim != 2 or 0 in values.shape:
        raise InputError(f"{where}: values of shape {values.shape}, expected (T, D) or (D,)")
    if not np.isfinite(values).all():
        raise InputError(f"{where}: {int((~np.isfinite(values)).sum())} values are NaN or infinite, expected numbers")
    return values


def _from_arrays(path: Path, array: str, ids: str) -> Mapping[str, np.ndarray] | np.ndarray:
    arrays = _npz(path) if path.suffix == ".npz" else _hdf5(path)
    if array not in arrays:
        raise InputError(f"{path}: no array '{array}', {nearest(array, arrays)}")
    values = arrays[array]
    if ids not in arrays:
        return values
    names = np.atleast_1d(arrays[ids])
    if names.ndim != 1 or values.ndim < 2 or len(names) != len(values):
        raise InputError(
            f"{path}: found '{array}' {values.shape} and '{ids}' {names.shape}, expected (N, ...) and (N,)"
        )
    keys = [name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for name in names.tolist()]
    if len(set(keys)) < len(keys):
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise InputError(f"{path}: '{ids}' holds '{repeated}' twice, expected each video once")
    return dict(zip(keys, values, strict=True))


def _npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:  # zip, zlib and header errors, a lone npy, pickled objects
        raise InputError(f"{path}: cannot be read as npz without pickled objects ({error})") from error


def _hdf5(path: Path) -> dict[str, np.ndarray]:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return {name: item[()] for name, item in file.items() if isinstance(item, h5py.Dataset)}
    except Exception as error:
        raise InputError(f"{path}: cannot be read as HDF5 ({error})") from error


def _from_table(path: Path, ids: str) -> Mapping[str, np.ndarray] | np.ndarray:
    import pandas as pd

    try:
        text = {ids: str}  # an id such as 007 is no number
        table: Any = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype=text)
    except Exception as error:
        raise InputError(f"{path}: cannot be read as a table ({error})") from error
    for column in table.columns.drop(ids, errors="ignore"):
        if not pd.api.types.is_numeric_dtype(table[column]):
            raise InputError(f"{path}: column '{column}' holds text, expected numbers")
    values = table.drop(columns=[ids], errors="ignore").to_numpy(dtype=np.float64)
    if ids not in table:
        return values
    return {str(key): values[rows] for key, rows in table.groupby(table[ids].astype(str), sort=False).indices.items()}
