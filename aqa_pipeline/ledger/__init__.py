"""The ledger: every figure that the papers of this field published for the systems and data sets here, with its source.

`figures.csv` has a row a figure:

    table     which published table it stands in, or a `..._others` for figures found one by one
    system, variant, dataset    in our names; `mean` for an average over data sets
    setting   split and conditions, in words; figures of different settings are not comparable
    metric    in our names and units (R-l2 x 100); `value` is in that unit, `printed` what the source prints
    source    where it was read
    evidence  read: in the paper or its own release; secondary: quoted by somebody else; log: a released training log;
              recalled: from memory of the paper and not read again, so no test may lean on it
    note      what a reader must know

Contradictions are kept: two sources that give one figure differently are two rows, and `conflicts` finds them.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aqa_pipeline.errors import InputError, nearest

FIGURES = Path(__file__).with_name("figures.csv")

NAME = r"^[a-z0-9_]+$"


class Figure(BaseModel):
    """One published figure."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str = Field(pattern=NAME)
    system: str = Field(pattern=NAME)
    variant: str = Field(pattern=NAME)
    dataset: str = Field(pattern=NAME)
    setting: str = Field(min_length=1)
    metric: str = Field(pattern=NAME)
    value: float = Field(allow_inf_nan=False)
    printed: str = Field(min_length=1)
    source: str = Field(min_length=1)
    evidence: Literal["read", "secondary", "log", "recalled"]
    note: str = ""

    @property
    def subject(self) -> tuple[str, str, str, str, str]:
        """What is measured: two figures of one subject ought to agree."""
        return self.system, self.variant, self.dataset, self.setting, self.metric

    @property
    def digits(self) -> int:
        """Digits after the point, in the unit of `value`."""
        printed = len(self.printed.partition(".")[2])
        ratio = self.value / float(self.printed) if float(self.printed) else 1.0
        return printed - round(math.log10(ratio)) if ratio > 0 else printed

    def agrees_with(self, other: Figure) -> bool:
        """Whether both are equal once cut or rounded to the shorter one's digits: tables do either."""
        return abs(self.value - other.value) < 10.0 ** -min(self.digits, other.digits) * (1 - 1e-9)


def read(path: Path = FIGURES) -> list[Figure]:
    """Figures of a ledger file; InputError that names file, row and column of the first mistake."""
    if not Path(path).is_file():
        raise InputError(f"{path}: no such ledger, expected a CSV file with {', '.join(Figure.model_fields)}")
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.DictReader(file, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV ({error})") from None
    figures = []
    for number, cells in enumerate(lines, start=2):
        if None in cells:
            raise InputError(
                f"{path}: row {number}: more cells than columns, expected {', '.join(Figure.model_fields)}"
            )
        try:
            figures.append(Figure.model_validate(cells))
        except ValidationError as error:
            raise InputError(f"{path}: row {number}: {_first(error)}") from None
    return figures


def of_tables(names: Sequence[str]) -> list[Figure]:
    """Figures of published tables, in the order of `names`; a name that ends in .csv is a ledger file of one's own."""
    known = read()
    tables = {figure.table for figure in known}
    found: list[Figure] = []
    for name in names:
        if name.endswith(".csv"):
            found += read(Path(name))
        elif name in tables:
            found += [figure for figure in known if figure.table == name]
        else:
            raise InputError(f"published: no table '{name}' in the ledger, {nearest(name, tables)}")
    return found


def conflicts(figures: Iterable[Figure]) -> dict[Figure, list[Figure]]:
    """Figures whose subject another source gives a different value, beyond what rounding explains."""
    of_subject: dict[tuple, list[Figure]] = {}
    for figure in figures:
        of_subject.setdefault(figure.subject, []).append(figure)
    found: dict[Figure, list[Figure]] = {}
    for group in of_subject.values():
        for figure in group:
            if others := [other for other in group if not figure.agrees_with(other)]:
                found[figure] = others
    return found


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    column = ".".join(map(str, first["loc"]))
    return f"column {column}: found {first['input']!r}, {first['msg'][0].lower()}{first['msg'][1:]}"
