"""Which explanations may be shown: those that found the fault where it had been put in.

`benchmarks/explanations.py` puts one fault into simulated dives and writes `tested.csv`: of each row and kind of
explanation, how often the part that is blamed (`Contributions.lowest`) is the part with the fault, beside chance and
beside a control, the same system after training with permuted marks. Three kinds of lines:

- fault: of the dives with this fault, how often a step or a group of joints was blamed that holds it; beside it, how
  often it was in the same dives without the fault, if that is more than chance.
- part: where this part was blamed, how often it had the fault; beside it, how often this part has the fault at all.
- deletion, of steps: by how much the mark rises when the pieces that are blamed most are taken out, beside pieces at
  random, and those that the control blames.

A line has passed where the 95 % interval of the rate lies above chance, and those of its leads over the control, and
over the dives without the fault, above zero; of deletion, those of both leads. What is asked for and has not passed is
an InputError that says what was found.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aqa_pipeline.errors import InputError
from aqa_pipeline.explanation.contributions import Contributions

TESTED = Path(__file__).with_name("tested.csv")
KINDS = ("steps", "constant_steps", "joints")
COLUMNS = ("row", "kind", "of", "name", "n", "rate", "low", "high", "chance", "control", "lead_low", "passed")

# Where a fault of `simdive.faults` shows. A late opening is a flight that lasts too long and an entry that is too
# short, and the time at which things happen is no part of the body. Where the hips bend, trunk and legs do. No feature
# of 17 points shows the toes, the splash, or how far from the board the dive passes.
STEPS_OF = {
    "lean": ("take_off",),
    "knees": ("flight",),
    "legs_apart": ("flight",),
    "loose": ("flight",),
    "opening": ("flight", "entry"),
    "rotation": ("entry",),
    "arch": ("entry",),
    "line_knees": ("entry",),
    "arms": ("entry",),
    "twist": ("entry",),
}
JOINTS_OF = {
    "lean": ("trunk",),
    "knees": ("legs",),
    "legs_apart": ("legs",),
    "loose": ("legs", "trunk"),
    "rotation": ("trunk",),
    "arch": ("legs", "trunk"),
    "line_knees": ("legs",),
    "arms": ("arms",),
    "twist": ("trunk",),
}
PARTS_OF: Mapping[str, Mapping[str, Sequence[str]]] = {
    "steps": STEPS_OF, "constant_steps": STEPS_OF, "joints": JOINTS_OF,
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    row: str
    kind: str
    of: str  # "fault", "part" or "deletion"
    name: str
    n: int  # dives
    rate: float  # of deletion, marks
    low: float
    high: float
    chance: float
    control: float  # rate of the control
    lead_low: float  # lower end of the interval of rate minus control
    passed: bool


@functools.cache
def lines() -> tuple[Line, ...]:
    """The table of tests."""
    with TESTED.open(newline="") as file:
        rows = list(csv.DictReader(file))
    numbers = ("rate", "low", "high", "chance", "control", "lead_low")
    return tuple(
        Line(
            *(r[k] for k in ("row", "kind", "of", "name")),
            n=int(r["n"]),
            **{k: float(r[k]) for k in numbers},
            passed=r["passed"] == "True",
        )
        for r in rows
    )


def faults_found(row: str, kind: str) -> list[str]:
    """Faults that this kind of explanation of a row ("system.variant") was shown to find."""
    return [line.name for line in _of(row, kind) if line.of == "fault" and line.passed]


def expect_shown(row: str, kind: str) -> None:
    """InputError where contributions of this kind are not to be shown for a row.

    They found no fault, or what they blame moves the mark no more when it is taken out than anything else.
    """
    if not faults_found(row, kind):
        found = max((line for line in _of(row, kind) if line.of == "fault"), key=lambda line: line.rate - line.chance)
        raise InputError(
            f"contributions of {kind}, {row}: found no fault that was put into simulated dives, so none are shown "
            f"(the best, {found.name}: {_words(found)})"
        )
    for line in lines():
        if line.row == row and line.of == "deletion" and not line.passed and kind != "joints":
            raise InputError(
                f"contributions of {kind}, {row}: not shown, for the mark moves no more without what is blamed"
                f" ({line.rate:+.2f}; at random {line.chance:+.2f}, by the control {line.control:+.2f})"
            )


def blamed(contributions: Contributions, row: str, kind: str) -> str | None:
    """The part that takes most away, None if none does; an InputError that says why where such blame has not passed."""
    expect_shown(row, kind)
    part = contributions.lowest
    if part is None:
        return None
    line = next((line for line in _of(row, kind) if line.of == "part" and line.name == part), None)
    if line is None:
        raise InputError(f"blame of {part}, {row}: never tested, as no fault of ours shows there")
    if not line.passed:
        raise InputError(f"blame of {part}, {row}: not shown, for it was right too seldom ({_words(line)})")
    return part


def _of(row: str, kind: str) -> list[Line]:
    if kind not in KINDS:
        raise InputError(f"kind: found '{kind}', expected one of {', '.join(KINDS)}")
    found = [line for line in lines() if (line.row, line.kind) == (row, kind)]
    if not found:
        known = sorted({line.row for line in lines() if line.kind == kind})
        raise InputError(
            f"contributions of {kind}, {row}: never tested, so none are shown; tested: {', '.join(known) or 'none'}"
        )
    return found


def _words(line: Line) -> str:
    return (
        f"{line.rate:.2f} of {line.n}, 95 % interval {line.low:.2f} to {line.high:.2f}; chance {line.chance:.2f},"
        f" control {line.control:.2f}"
    )
