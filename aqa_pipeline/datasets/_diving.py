"""What the released diving data sets share: checked entries of their pickles, and the score of a panel of judges."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aqa_pipeline.errors import InputError, nearest
from aqa_pipeline.untrusted import plain, read_pickle, shown

FPS = 25.0
"""Frames a second of the untrimmed videos, which no release states; all say native rate. The frames that FineDiving
labels as flight from the 10 m platform are 38 (median): 1.5 s at 25 frames a second, but 1.27 s at 30, and the fall
alone takes 1.43 s."""


def panel_score(judge_scores: Any, difficulty: float) -> float:
    """Score that the rules of diving make of one panel's marks; NaN where the panel is none that they know.

    Three judges: their sum; seven: the middle three; five (synchronised): 0.6 times the sum; each times the difficulty.

    Source: the rule that 2880 of FineDiving's 3000 dives obey within 0.06 (Xu et al., CVPR 2022).
    """
    marks = [] if np.ndim(judge_scores) == 0 else sorted(map(float, judge_scores))
    if len(marks) == 3:
        return sum(marks) * difficulty
    if len(marks) == 5:
        return 0.6 * sum(marks) * difficulty
    if len(marks) == 7:
        return sum(marks[2:5]) * difficulty
    return math.nan


def impossible_marks(judge_scores: Any) -> list[float]:
    """Marks that no judge can give: outside 0..10, or no whole or half point."""
    marks = [] if np.ndim(judge_scores) == 0 else judge_scores
    return [mark for mark in marks if not 0 <= mark <= 10 or 2 * mark % 1]


@dataclass(frozen=True)
class Field:
    """Where a value stands in an entry, what it is turned into (None where it does not fit), and what it should be."""

    place: str
    convert: Callable[[Any], Any]
    expected: str
    optional: bool = False


def checked(where: str, entry: Any, fields: Mapping[str, Field]) -> dict[str, Any]:
    """The fields of one entry, by our names; optional ones only where the entry has them."""
    if not isinstance(entry, Mapping):
        raise InputError(
            f"{where}: found {type(entry).__name__}, expected {', '.join(f.place for f in fields.values())}"
        )
    values = {}
    for name, field in fields.items():
        if field.place not in entry:
            if field.optional:
                continue
            raise InputError(f"{where}: no '{field.place}', {nearest(field.place, map(str, entry))}")
        values[name] = field.convert(entry[field.place])
        if values[name] is None:
            raise InputError(f"{where}: '{field.place}' is {shown(entry[field.place])}, expected {field.expected}")
    return values


def text(value: Any) -> str | None:
    """A text in lower case without blanks around it."""
    return (value.strip().lower() or None) if isinstance(value, str) else None


def number(value: Any) -> float | None:
    """A finite number; text is none."""
    fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if fits else None


def positive(value: Any) -> float | None:
    """A number above 0."""
    found = number(value)
    return found if found is not None and found > 0 else None


def whole(value: Any) -> int | None:
    """A whole number from 0, also one that is written with a point."""
    found = number(value)
    return int(found) if found is not None and 0 <= found < 2**31 and found == int(found) else None


def numbers(value: Any) -> list[float] | None:
    """Numbers of a list, tuple or array of one axis."""
    entries = value.tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(entries, list | tuple):
        return None
    found = [number(plain(entry)) for entry in entries]
    return None if None in found else found


def integers(value: Any) -> list[int] | None:
    """Whole numbers of a list, tuple or array of one axis, negative ones too."""
    found = numbers(value)
    fits = found is not None and all(-(2**31) < entry < 2**31 and entry == int(entry) for entry in found)
    return [int(entry) for entry in found] if fits else None


def read_dict(path: Path) -> dict:
    """The dictionary in a pickle, its keys and numbers as Python's own."""
    value = plain(read_pickle(path))
    if not isinstance(value, dict):
        raise InputError(f"{path}: holds a {type(value).__name__}, expected a dictionary of clips")
    return value


def read_parts(paths: Mapping[str, Path], expect_key: Callable[[Path, Any], Any]) -> dict[Any, str]:
    """Part by key, from a pickled list of keys for each part; a key in two parts is an InputError."""
    parts: dict[Any, str] = {}
    for part, path in paths.items():
        keys = plain(read_pickle(path))
        if not isinstance(keys, list | tuple | set):
            raise InputError(f"{path}: holds a {type(keys).__name__}, expected a list of clips")
        for key in keys:
            if parts.setdefault(expect_key(path, key), part) != part:
                raise InputError(f"{path}: clip {key} stands in {part} and in {parts[key]}, expected one part")
    return parts


def runs(labels: Sequence[Any]) -> list[tuple[Any, int]]:
    """Label and first position of every run of equal labels."""
    starts = itertools.accumulate((len(list(same)) for _, same in itertools.groupby(labels)), initial=0)
    return [(labels[start], start) for start in starts if start < len(labels)]
