"""Your own videos, keypoint files or feature files, listed in one CSV file.

Columns, in any order:

    video_id      a name of its own for every row
    path          video, keypoint file or feature file, relative to the CSV file
    score         final score, a number
    difficulty    optional, above 0; the execution score is then score / difficulty
    action_type   optional, the kind of action; exemplars are chosen within it
    group         optional, what must not be parted (a person, a competition); for the protocol `group_k_fold`
    fold          optional, 0 and up: the fold in which the video is tested; for the protocol `given`
    part          optional, train, validation or test; for the protocol `official`
    fps           optional, frames a second, for keypoint and feature files that do not say it
    first_frame, last_frame   optional, a part of the video, inclusive, counted from 0

An empty cell is a missing value, which `video_id`, `path` and `score` must not have. Rows are counted as a spreadsheet
does: the header is row 1.
"""

from __future__ import annotations

import csv as csv_module
import math
from pathlib import Path
from typing import TYPE_CHECKING

from aqa_pipeline.datasets._table import finished, over_difficulty, times_difficulty
from aqa_pipeline.errors import InputError, nearest

if TYPE_CHECKING:
    import pandas as pd

REQUIRED = ("video_id", "path", "score")
OPTIONAL = ("difficulty", "action_type", "group", "fold", "part", "fps", "first_frame", "last_frame")

required = True  # a list of one's own that is not there is a mistake; a released data set is merely absent

compose = times_difficulty
execution = over_difficulty


def annotation_files(*, csv: Path | str, keypoint_set: str | None = None) -> list[Path]:
    """The CSV file."""
    return [Path(csv)]


def samples(*, csv: Path | str, keypoint_set: str | None = None) -> pd.DataFrame:
    """Samples of a CSV file; the first mistake in it is an InputError that names file, row and column.

    `keypoint_set` says what the keypoints of keypoint files mean, where the files do not say it themselves.

    Parameters
    ----------
    csv : the file; the columns are above
    """
    import pandas as pd

    path = Path(csv)
    rows = _read(path)
    table = pd.DataFrame([_sample(path, number, cells) for number, cells in rows])
    seen: dict[str, int] = {}
    for (number, _), video_id in zip(rows, table.get("video_id", []), strict=True):
        if video_id in seen:
            where = f"{path}: row {number}, column video_id"
            raise InputError(f"{where}: {video_id!r} stands already in row {seen[video_id]}")
        seen[video_id] = number
    if keypoint_set is not None:
        table["keypoint_set"] = _known_set(keypoint_set)
    return finished(table, path)


def _read(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Row number and cells by column name of all rows that are not blank."""
    if not path.is_file():
        raise InputError(f"{path}: no such file, expected a CSV file with {', '.join(REQUIRED)}")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets put a byte order mark first
            lines = list(csv_module.reader(file, strict=True))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is no UTF-8, expected a text file in UTF-8") from None
    except csv_module.Error as error:
        raise InputError(f"{path}: cannot be read as CSV ({error})") from None
    header = _header(path, lines[0] if lines else [])
    rows = []
    for number, cells in enumerate(lines[1:], start=2):
        cells = [cell.strip() for cell in cells]
        if not any(cells):
            continue
        if len(cells) != len(header):
            raise InputError(f"{path}: row {number}: found {len(cells)} cells, expected {len(header)}")
        rows.append((number, dict(zip(header, cells, strict=True))))
    return rows


def _header(path: Path, cells: list[str]) -> list[str]:
    header = [cell.strip() for cell in cells]
    if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
        raise InputError(f"{path}: row 1: found the single column {header[0]!r}, expected columns separated by commas")
    for column in header:
        if column not in REQUIRED + OPTIONAL:
            raise InputError(f"{path}: row 1: unknown column {column!r}, {nearest(column, REQUIRED + OPTIONAL)}")
        if header.count(column) > 1:
            raise InputError(f"{path}: row 1: column {column!r} stands twice")
    for column in REQUIRED:
        if column not in header:
            raise InputError(f"{path}: row 1: no column '{column}', expected {', '.join(REQUIRED)}")
    return header


def _sample(path: Path, row: int, cells: dict[str, str]) -> dict:
    """One row, with text turned into numbers and the file's path made whole."""

    def expect(fits: bool, column: str, expected: str) -> None:
        if not fits:
            raise InputError(f"{path}: row {row}, column {column}: found {cells[column]!r}, expected {expected}")

    sample: dict = {column: cell or None for column, cell in cells.items()}
    for column in REQUIRED:
        expect(bool(cells[column]), column, "a value")
    for column, least in (("score", -math.inf), ("difficulty", 0), ("fps", 0)):
        if cells.get(column):
            sample[column] = _number(cells[column])
            expect(least < sample[column] < math.inf, column, "a number" + (" above 0" if least == 0 else ""))
    for column in ("fold", "first_frame", "last_frame"):
        if cells.get(column):
            expect(_is_count(cells[column]), column, "a whole number from 0")
            sample[column] = int(cells[column])
    if sample.get("last_frame") is not None:
        first = sample.get("first_frame") or 0
        expect(sample["last_frame"] >= first, "last_frame", f"first_frame {first} or later")
    sample["path"] = str(path.parent / cells["path"])
    expect(_is_file(sample["path"]), "path", f"a file, and there is none at {sample['path']!r}")
    return sample


def _number(text: str) -> float:
    """NaN for what is no number, so that one test refuses both; 1_000 is a number to Python and to nobody else."""
    try:
        return math.nan if "_" in text else float(text)
    except ValueError:
        return math.nan


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # a name too long, or with a null byte
        return False


def _known_set(name: str) -> str:
    from aqa_pipeline import keypoint_sets

    return keypoint_sets.get(name).name
