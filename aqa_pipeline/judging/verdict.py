"""The answer for one video: mark, difficulty, total, their intervals, and who voted; or why there is none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from aqa_pipeline import plugins
from aqa_pipeline.judging.refusal import Check

if TYPE_CHECKING:
    import pandas as pd

    from aqa_pipeline.judging.why import Why

SCORED, DECLINED = "scored", "declined"
SIMULATED = "trained on simulated dives: of real ones its scores say nothing"  # a warning


@dataclass(frozen=True)
class Figure:
    """A predicted value with its interval, infinite where that is not known."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Vote:
    """An exemplar: a training video that the query was compared with; in units of what the models learnt."""

    video_id: str
    own: float  # the judges'
    vote: float  # what the models give the query beside it, the mean
    moved: float  # by which it moves the prediction
    n: int  # models that compared with it


@dataclass(frozen=True)
class Nearest:
    """The kind of action that the nearest training videos show."""

    action_type: str
    share: float  # of them
    right: float  # share of the training videos of which their nearest say the right kind


@dataclass(frozen=True)
class Verdict:
    """What a run says of a video."""

    name: str
    video: str
    status: str  # scored, declined
    reasons: Sequence[str] = ()  # for declining
    warnings: Sequence[str] = ()
    action_type: str | None = None
    difficulty: float | None = None
    mark: Figure | None = None  # execution, without difficulty
    total: Figure | None = None
    models: Mapping[str, float] = field(default_factory=dict)  # what each says, in units of what they learnt
    votes: Sequence[Vote] = ()
    nearest: Nearest | None = None
    checks: Sequence[Check] = ()
    why: Why | None = None  # of a video that was scored
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def spread(self) -> float | None:
        """Standard deviation of the models."""
        return float(np.std(list(self.models.values()))) if self.models else None


@dataclass(frozen=True)
class Scale:
    """What a run's values are, and how marks, difficulty and totals belong together in its data set."""

    adapter: str
    target: str  # execution or score: what the models learnt
    has_difficulty: bool  # whether its videos have one

    def figures(self, value: float, half: float, difficulty: float | None) -> tuple[Figure | None, Figure | None]:
        """Mark and total of a predicted value with half the width of its interval."""
        ends = [value, value - half, value + half]
        if not self.has_difficulty:  # then there is a score, and nothing to take out of it
            return None, Figure(*ends)
        own = Figure(*ends)
        by_execution = self.target == "execution"
        if difficulty is None:
            return (own, None) if by_execution else (None, own)
        dataset = plugins.load("datasets", self.adapter)
        other = Figure(
            *map(float, (dataset.compose if by_execution else dataset.execution)(np.array(ends), difficulty))
        )
        return (own, other) if by_execution else (other, own)


def weighed(tables: Sequence[pd.DataFrame], own: Mapping[str, float]) -> list[Vote]:
    """Votes over all models (one table of a single query each), those that move the prediction farthest first.

    The prediction is the mean of the models, each the mean of its exemplars' votes; the moves sum to 0.
    """
    import pandas as pd

    tables = [table for table in tables if "votes" in table]
    if not tables:
        return []
    models = [pd.DataFrame(dict(exemplar=t["exemplars"].iloc[0], vote=t["votes"].iloc[0])) for t in tables]
    votes = pd.concat([model.assign(weight=1 / len(model) / len(models)) for model in models])
    votes["moved"] = (votes["vote"] - np.average(votes["vote"], weights=votes["weight"])) * votes["weight"]
    found = votes.groupby("exemplar").agg(vote=("vote", "mean"), moved=("moved", "sum"), n=("vote", "size"))
    lines = [
        Vote(str(one.Index), float(own.get(one.Index, math.nan)), float(one.vote), float(one.moved), int(one.n))
        for one in found.itertuples()
    ]
    return sorted(lines, key=lambda vote: (-abs(vote.moved), vote.video_id))


def table(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """A row a video, as in summary.csv."""
    import pandas as pd

    return pd.DataFrame([_row(verdict) for verdict in verdicts], columns=COLUMNS)


COLUMNS = ["name", "video", "status", "action_type", "difficulty", "mark", "mark_low", "mark_high"]
COLUMNS += ["total", "total_low", "total_high", "spread", "n_models", "reasons", "warnings", "seconds"]


def _row(verdict: Verdict) -> dict[str, Any]:
    row = {name: getattr(verdict, name) for name in ("name", "video", "status", "action_type", "difficulty", "spread")}
    for name in ("mark", "total"):
        figure = getattr(verdict, name)
        if figure is not None:
            row |= plain({name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high})
    words = {name: "; ".join(getattr(verdict, name)) for name in ("reasons", "warnings")}
    return {**row, **words, "n_models": len(verdict.models), "seconds": round(sum(verdict.seconds.values()), 2)}


def plain(value: Any) -> Any:
    """A value as JSON has it: None for a number that is not finite."""
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
