"""What a data set holds, and where it can mislead: one check a file.

Each offers `check(subject)`, an iterator of `Finding` and `Detail`, and `needs`, a literal set of what it cannot do
without: columns of the sample table that hold a value somewhere, functions of the adapter, "parts" (which samples
train and which test), "others" (data sets to compare with), "hashing". The first line of its documentation is what a
reader of the report is told.

Findings are figures of the data set, details are about single clips. Figures of the training and test part are of the
one fold; with several folds, what concerns test clips is summed over the folds, in each of which they are tested once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from aqa_pipeline import plugins, transitions
from aqa_pipeline.errors import InputError, nearest

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["check", "measure", "value", "low", "high", "n", "expected", "warning", "note"]
DETAILS = ["check", "video_id", "other", "text"]
PARTS = ("train", "validation", "test")
NOT_CHECKED = "not_checked"

_LACKING = {
    "parts": "which samples train and which test is not known; name a protocol",
    "others": "no other data set was named to compare with",
    "hashing": "pictures are compared only when hashing is asked for",
    "judged": "its adapter knows no rule of the sport",
    "label_errors": "its files say nothing twice",
}


_NOTHING = "there is nothing of the kind here"


class Finding(NamedTuple):
    """A figure of the data set. Where it is not what was expected it is a warning, whatever the check says."""

    measure: str
    value: float
    n: int | None = None  # of so many
    expected: float | None = None  # as its authors or others counted it
    warning: bool = False
    note: str = ""
    low: float = np.nan  # ends of the 95 % interval of a figure over test clips
    high: float = np.nan


class Detail(NamedTuple):
    """Something about one clip, or about a clip and another, or about an action type or broadcast (`other`)."""

    video_id: str
    other: str
    text: str


class Fold(NamedTuple):
    """Rows of the sample table."""

    train: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Subject:
    """A data set under audit."""

    name: str
    samples: pd.DataFrame  # as `datasets/__init__.py` says, rows numbered from 0
    adapter: ModuleType
    options: Mapping[str, Any] | None = None  # of the adapter
    folds: pd.DataFrame | None = None  # video_id, fold, part; without it the official part, where there is one
    others: Mapping[str, pd.DataFrame] | None = None  # samples of other data sets, by name
    stores: Sequence[Path] = ()  # frame stores to read pictures from; without them the samples' own paths
    hashing: bool = False
    mirrored: bool = False  # whether near duplicates are also looked for among mirror images
    bootstrap: int = 2000  # draws of test clips behind every interval
    seed: int = 0

    def has(self, need: str) -> bool:
        """Whether there is what a check needs."""
        if need in ("parts", "others", "hashing"):
            return bool({"parts": self.splits, "others": self.others, "hashing": self.hashing}[need])
        return self.knows(need) or hasattr(self.adapter, need)

    def knows(self, column: str) -> bool:
        """Whether a column of the samples holds a value anywhere."""
        return column in self.samples and bool(self.samples[column].notna().any())

    def column(self, name: str) -> np.ndarray:
        """A column of numbers as (N,) float, NaN where nothing is known."""
        if name not in self.samples:
            return np.full(len(self.samples), np.nan)
        return self.samples[name].astype("Float64").to_numpy(float, na_value=np.nan)

    @cached_property
    def splits(self) -> list[Fold]:
        """Training and test rows of every fold that has both; none where nothing says which they are."""
        if self.folds is None:
            parts = [self.part]
        else:
            parts = [self._part_in(fold) for _, fold in self.folds.groupby("fold", sort=True)]
        folds = [Fold(np.flatnonzero(part == "train"), np.flatnonzero(part == "test")) for part in parts]
        return [fold for fold in folds if len(fold.train) and len(fold.test)]

    @cached_property
    def part(self) -> np.ndarray:
        """The part of every sample (N,) in the one fold; "" where several folds or none say nothing of the kind."""
        if self.folds is not None:
            one = self.folds["fold"].nunique() == 1
            return self._part_in(self.folds) if one else np.full(len(self.samples), "", object)
        if "part" not in self.samples:
            return np.full(len(self.samples), "", object)
        return self.samples["part"].astype(object).where(self.samples["part"].notna(), "").to_numpy(object)

    def _part_in(self, fold: pd.DataFrame) -> np.ndarray:
        ids = list(self.samples["video_id"])
        unknown = sorted(set(fold["video_id"]) - set(ids))
        if unknown:
            raise InputError(f"folds: no sample '{unknown[0]}', {nearest(unknown[0], ids[:50])}")
        part_of = dict(zip(fold["video_id"], fold["part"], strict=True))
        return np.array([part_of.get(video_id, "") for video_id in ids], object)

    @cached_property
    def tested(self) -> np.ndarray:
        """Rows of all test clips, fold by fold."""
        return np.concatenate([fold.test for fold in self.splits]) if self.splits else np.zeros(0, int)

    def of_parts(self) -> Iterator[tuple[str, np.ndarray]]:
        """Suffix of a measure and a mask (N,): all samples first, then each part that there is."""
        yield "", np.ones(len(self.samples), bool)
        for part in PARTS:
            if (self.part == part).any():
                yield f".{part}", self.part == part

    @cached_property
    def score(self) -> np.ndarray:
        return self.column("score")

    @cached_property
    def difficulty(self) -> np.ndarray:
        return self.column("difficulty")

    @cached_property
    def execution(self) -> np.ndarray:
        """What the judges gave (N,): the score with the difficulty taken out."""
        return np.asarray(self.adapter.execution(self.score, self.difficulty), float)

    @cached_property
    def n_frames(self) -> np.ndarray:
        """Frames of every clip (N,), NaN where not known."""
        return self.column("last_frame") - self.column("first_frame") + 1

    @cached_property
    def transitions(self) -> np.ndarray:
        """Both transitions of every clip (N, 2) on the 96 frames, NaN where not known."""
        known = [
            transitions.of_steps(steps, int(n)) if np.isfinite(n) else None
            for steps, n in zip(self.samples["steps"], self.n_frames, strict=True)
        ]
        return np.array([(np.nan, np.nan) if pair is None else pair for pair in known], float).reshape(-1, 2)

    @property
    def expected(self) -> Mapping[str, float]:
        """Known counts of the whole release."""
        known = getattr(self.adapter, "counts", None) or {}
        return {name: value for name, value in known.items() if isinstance(value, int | float)}


def run(subject: Subject) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Findings with `COLUMNS` and details with `DETAILS` of all checks, in the order of their names.

    A check that lacks something says so in the single finding `not_checked`.
    """
    import pandas as pd

    findings: list[dict] = []
    details: list[tuple] = []
    for name in plugins.available("audit"):
        for found in _checked(subject, name):
            if isinstance(found, Detail):
                details.append((name, *found))
            else:
                differs = found.expected is not None and found.value != found.expected
                findings.append({"check": name, **found._asdict(), "warning": bool(found.warning or differs)})
    table = pd.DataFrame(findings, columns=COLUMNS).astype({"value": float, "n": "Int64", "expected": float})
    return table, pd.DataFrame(details, columns=DETAILS)


def about(name: str) -> str:
    """What a check is for, in one sentence."""
    return (plugins.load("audit", name).__doc__ or "").partition("\n")[0]


def _checked(subject: Subject, name: str) -> list[Finding | Detail]:
    needs = plugins.constant("audit", name, "needs") or set()
    lacking = [need for need in sorted(needs) if not subject.has(need)]
    if lacking:
        note = _LACKING.get(lacking[0], f"the data set knows no {lacking[0]}")
        return [Finding(NOT_CHECKED, np.nan, note=note)]
    try:
        return list(plugins.load("audit", name).check(subject)) or [Finding(NOT_CHECKED, np.nan, note=_NOTHING)]
    except InputError as error:
        return [Finding(NOT_CHECKED, np.nan, warning=True, note=str(error))]
