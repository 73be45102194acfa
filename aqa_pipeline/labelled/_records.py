"""Reading the JSON of strangers record by record: what is not as it should be is named with file and record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from aqa_pipeline import untrusted
from aqa_pipeline.errors import AbsentError, InputError

_FAR = 1e6  # pixels: no picture is larger, and squares of it still are numbers


def read_json(path: Path) -> Any:
    """The content of a JSON file."""
    try:
        return json.loads(Path(path).read_bytes())
    except FileNotFoundError:
        raise AbsentError(f"{path}: no such file, expected annotations in JSON") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({str(error).partition(chr(10))[0]}), expected annotations") from None


class Record:
    """One entry of an annotation file, whose values are checked as they are read."""

    def __init__(self, path: Path, where: str, value: Any) -> None:
        self._path, self._where = path, where
        if not isinstance(value, dict):
            self.refuse(f"found {untrusted.shown(value)}, expected an object")
        self._value: dict[str, Any] = value

    def __contains__(self, key: str) -> bool:
        return self._value.get(key) is not None

    def get(self, key: str) -> Any:
        """A value that has to be there."""
        if key not in self:
            self.refuse(f"has no '{key}'")
        return self._value[key]

    def refuse(self, what: str) -> None:
        """InputError that names file and record."""
        raise InputError(f"{self._path}: {self._where}: {what}")

    def text(self, key: str) -> str:
        """A name: text, or a whole number."""
        value = self.get(key)
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            self.refuse(f"'{key}': found {untrusted.shown(value)}, expected a name or a number")
        return str(value)

    def records(self, key: str) -> list[Record]:
        """A list of objects."""
        value = self.get(key)
        if not isinstance(value, list):
            self.refuse(f"'{key}': found {untrusted.shown(value)}, expected a list")
        return [Record(self._path, f"{key}[{i}]", entry) for i, entry in enumerate(value)]

    def numbers(self, key: str, shape: Sequence[int]) -> np.ndarray:
        """Numbers in nested lists, as an array of a known `shape`, none of them farther out than a picture can be."""
        try:
            found = np.array(self.get(key))
            right = found.dtype.kind in "iuf" and found.shape == tuple(shape)
        except (ValueError, OverflowError, TypeError):  # ragged, or no numbers
            right = False
        if not right or not (np.abs(found.astype(float)) <= _FAR).all():
            expected = " x ".join(map(str, shape)) + " numbers" if shape else "a number"
            self.refuse(f"'{key}': found {untrusted.shown(self.get(key))}, expected {expected} within {_FAR:.0f}")
        return found.astype(float)

    def number(self, key: str) -> float:
        """One number."""
        return float(self.numbers(key, ()))

    def picture(self, key: str, folder: Path) -> Path:
        """The picture that a name leads to, inside the folder."""
        name = self.text(key)
        parts = PurePosixPath(name).parts
        if PurePosixPath(name).is_absolute() or ".." in parts or "\0" in name:
            self.refuse(f"'{key}': found {untrusted.shown(name)}, expected a file inside {folder}")
        path = Path(folder, *parts)
        if not path.is_file():
            raise AbsentError(f"{self._path}: {self._where}: '{key}': no file {path}")
        return path
