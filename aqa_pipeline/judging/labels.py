"""What is known of one's own videos: the kind of action and its difficulty, of all alike or from a CSV."""

from __future__ import annotations

import collections
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aqa_pipeline.errors import AbsentError, InputError, nearest

COLUMNS = ("name", "action_type", "difficulty")


@dataclass(frozen=True)
class Label:
    """What is known of a video: the kind of action (a dive number), and its difficulty."""

    action_type: str | None = None
    difficulty: float | None = None

    def __post_init__(self) -> None:
        if self.difficulty is not None and not 0 < self.difficulty < math.inf:
            raise InputError(f"difficulty: found {self.difficulty}, expected a number above 0")


def of_videos(videos: Sequence[Path], of_all: Label, path: Path | None = None) -> dict[str, Label]:
    """By name (without suffix), the label of every video: that of all, and what a CSV with `COLUMNS` says before it.

    Raises
    ------
    InputError
        A video is not there, two have one name, or the CSV is amiss or names a video that is none of these.
    """
    for video in videos:
        if not video.exists():
            raise AbsentError(f"{video}: no such video file or folder of pictures")
    for name, count in collections.Counter(video.stem for video in videos).items():
        if count > 1:
            raise InputError(f"{count} videos are named '{name}', expected names of their own")
    found = {video.stem: of_all for video in videos}
    for row in [] if path is None else _read(path):
        if row["name"] not in found:
            raise InputError(f"{path}: no video is named '{row['name']}', {nearest(row['name'], found)}")
        found[row["name"]] = Label(
            row["action_type"] or of_all.action_type, _number(path, row) if row["difficulty"] else of_all.difficulty
        )
    return found


def _read(path: Path) -> list[dict[str, Any]]:
    """Rows with all of `COLUMNS`, as text without blanks around it."""
    import pandas as pd

    if not path.is_file():
        raise InputError(f"{path}: no such file, expected a CSV with {', '.join(COLUMNS)}")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    for column in table.columns:
        if column not in COLUMNS:
            raise InputError(f"{path}: unknown column '{column}', {nearest(column, COLUMNS)}")
    if "name" not in table:
        raise InputError(f"{path}: no column 'name', expected {', '.join(COLUMNS)}")
    table = table.reindex(columns=list(COLUMNS), fill_value="")
    return table.apply(lambda column: column.str.strip()).to_dict("records")


def _number(path: Path, row: dict[str, Any]) -> float:
    try:
        return float(row["difficulty"])
    except ValueError:
        wrong = f"difficulty of '{row['name']}' is '{row['difficulty']}'"
        raise InputError(f"{path}: {wrong}, expected a number") from None
