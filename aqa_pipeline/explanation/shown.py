"""Contributions as they may be shown: those of a kind that found faults, and blame only of parts for which it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aqa_pipeline.errors import InputError
from aqa_pipeline.explanation import tested
from aqa_pipeline.explanation.contributions import Contributions


@dataclass(frozen=True)
class Shown:
    """The parts of one clip, in the units of `target`; the baseline and all parts sum to the prediction."""

    kind: str  # steps, joints
    target: str  # execution, score
    baseline: float
    parts: Mapping[str, float]
    prediction: float
    blamed: str | None  # the part that takes most away
    withheld: str = ""  # why that is not said, though a part takes something away
    background: tuple[str, ...] = ()  # clips that it is compared with


def may_be_shown(row: str, kinds: Sequence[str]) -> tuple[list[str], list[str]]:
    """Of some of `tested.KINDS` those that may be shown for a row, and why the others may not."""
    found, withheld = [], []
    for kind in kinds:
        try:
            tested.expect_shown(row, kind)
            found.append(kind)
        except InputError as error:
            withheld.append(str(error))
    return found, withheld


def shown(contributions: Contributions, row: str, kind: str) -> Shown:
    """Contributions of a kind that has passed."""
    blamed, withheld = None, ""
    try:
        blamed = tested.blamed(contributions, row, kind)
    except InputError as error:
        withheld = str(error)
    return Shown(
        kind=kind.removeprefix("constant_"),
        target=contributions.target,
        baseline=contributions.baseline,
        parts=dict(zip(contributions.parts, contributions.values.tolist(), strict=True)),
        prediction=contributions.prediction,
        blamed=blamed,
        withheld=withheld,
        background=contributions.background,
    )
