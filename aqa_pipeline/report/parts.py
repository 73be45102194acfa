"""Contributions of the parts of a video as bars that begin where the one before ends, from the baseline to the sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aqa_pipeline.explanation.shown import Shown
from aqa_pipeline.report import words

if TYPE_CHECKING:
    import pandas as pd

MARGIN = 0.06  # of the width, on either side
UNITS = {"execution": "of the mark", "score": "points"}


@dataclass(frozen=True)
class Bar:
    """A part; places are percent of the width."""

    name: str
    value: float
    sum: float  # of the baseline and all parts until this one
    left: float
    width: float


@dataclass(frozen=True)
class Bars:
    """The parts of one kind."""

    shown: Shown
    bars: Sequence[Bar]
    csv: str  # address of the same as a table

    @property
    def unit(self) -> str:
        return UNITS[self.shown.target]


def bars(shown: Shown) -> Bars:
    """One bar a part."""
    import pandas as pd

    ends = [shown.baseline]
    for value in shown.parts.values():
        ends.append(ends[-1] + value)
    low, high = min(ends), max(ends)
    per_unit = 100 * (1 - 2 * MARGIN) / (high - low) if high > low else 0.0
    found = [
        Bar(
            name=name.replace("_", " "),
            value=value,
            sum=end,
            left=100 * MARGIN + per_unit * (min(start, end) - low),
            width=per_unit * abs(value),
        )
        for (name, value), start, end in zip(shown.parts.items(), ends, ends[1:], strict=False)
    ]
    lines = [("baseline", "", shown.baseline), *((bar.name, bar.value, bar.sum) for bar in found)]
    table: pd.DataFrame = pd.DataFrame(lines, columns=["part", "contribution", "sum"])
    return Bars(shown, found, words.csv_address(table))
