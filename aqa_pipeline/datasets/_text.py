"""Numbers in comma separated text, as motion capture systems write them, packed with gzip or not."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from aqa_pipeline.errors import InputError
from aqa_pipeline.untrusted import LARGEST

LARGEST_NUMBER = float(np.finfo(np.float32).max)  # keypoints are stored in single precision


def read_numbers(path: Path, columns: int) -> np.ndarray:
    """All rows of a file, (T, columns) float64; blank rows and a comma at the end of a row mean nothing.

    Raises
    ------
    InputError
        Names the file, and the row, counted from 1, which has another number of cells or a cell that is no number.
    """
    lines = [(number, line.strip().rstrip(",")) for number, line in enumerate(_text(path).split("\n"), start=1)]
    rows = [(number, line) for number, line in lines if line]
    if not rows:
        raise InputError(f"{path}: holds no row, expected rows of {columns} numbers")
    for number, line in rows:
        if line.count(",") + 1 != columns:
            raise InputError(f"{path}: row {number}: found {line.count(',') + 1} cells, expected {columns}")
    try:
        found = _numbers(line for _, line in rows)
    except ValueError:
        raise InputError(f"{path}: row {_first_without_numbers(rows)}: found a cell that is no number") from None
    for (number, _), usable in zip(rows, (np.abs(found) <= LARGEST_NUMBER).all(axis=1), strict=True):
        if not usable:
            raise InputError(f"{path}: row {number}: found a number that is not finite")
    return found


def _numbers(lines: Iterable[str]) -> np.ndarray:
    return np.loadtxt(lines, delimiter=",", comments=None, ndmin=2)


def _first_without_numbers(rows: Sequence[tuple[int, str]]) -> int:
    for number, line in rows:
        try:
            _numbers([line])
        except ValueError:
            return number
    raise AssertionError("every row can be read alone, and they have equally many cells")


def _text(path: Path) -> str:
    if not path.is_file():
        raise InputError(f"{path}: no such file, expected comma separated numbers")
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    if len(data) > LARGEST:
        raise InputError(f"{path}: holds more than {LARGEST} bytes, expected less")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is no UTF-8, expected a text file") from None
