"""Why a video was given its score: what its parts contributed, and what was measured on the athlete.

Shown is what found the faults that were put into simulated dives, see `explanation.tested`. The steps of a video of
one's own are not known: they are taken to be those of training videos of its kind, and tested and measured as such.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aqa_pipeline import plugins, stores
from aqa_pipeline.errors import InputError
from aqa_pipeline.explanation import contributions, measured
from aqa_pipeline.explanation.contributions import Asked
from aqa_pipeline.explanation.shown import Shown, may_be_shown, shown
from aqa_pipeline.judging.labels import Label
from aqa_pipeline.judging.models import joined
from aqa_pipeline.judging.recipe import athlete_of
from aqa_pipeline.training import runs

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from aqa_pipeline.judging.judge import Case, Judge

KINDS = ("constant_steps", "joints")
ESTIMATOR = "embedded"  # whose errors `measured` knows


@dataclass(frozen=True)
class Angle:
    """A measure with its standard error, in a unit."""

    title: str
    value: float
    standard_error: float
    unit: str


@dataclass(frozen=True)
class Why:
    """What is said beside a score."""

    contributions: Sequence[Shown] = ()
    angles: Mapping[str, Angle] = field(default_factory=dict)
    withheld: Sequence[str] = ()  # what is not shown, and why


def why(judge: Judge, case: Case, label: Label) -> Why:
    """Contributions to the mean of all models, and angles; in points of the total where the difficulty is known."""
    keypoints = case.kitchen.by_kind("keypoints")
    if keypoints is None:
        return Why(withheld=["contributions and angles: the run finds no keypoints on a video"])
    with stores.read(keypoints, kind="keypoints") as store:
        points, about = store.array(case.video_id, "keypoints"), store.facts(case.video_id)
    samples = judge.models.samples_with(case.video_id, label)
    own = samples["video_id"] == case.video_id
    samples.loc[own, ["first_frame", "last_frame"]] = [0, len(points) - 1]
    found, withheld = _contributions(judge, case, label, samples, keypoints)
    try:
        angles = _angles(judge, case, samples, points, about)
    except InputError as error:
        angles, withheld = {}, [*withheld, f"angles: {error}"]
    return Why(found, angles, withheld)


def _contributions(
    judge: Judge, case: Case, label: Label, samples: pd.DataFrame, keypoints: Path
) -> tuple[list[Shown], list[str]]:
    kinds, withheld = may_be_shown(judge.trained.row, KINDS)
    found = []
    if kinds:
        with _asked(judge, case, label, samples) as asked:
            for kind in kinds:
                try:
                    (one,) = (
                        contributions.of_joints(asked, [*_stores_of(judge), keypoints])
                        if kind == "joints"
                        else contributions.of_steps(asked)
                    )
                except InputError as error:
                    withheld.append(f"contributions of {kind}: {error}")
                else:
                    found.append(shown(_of_total(one, judge, label), judge.trained.row, kind))
    return found, withheld


@contextmanager
def _asked(judge: Judge, case: Case, label: Label, samples: pd.DataFrame) -> Iterator[Asked]:
    trained, models = judge.trained, judge.models
    with trained.open(joined(runs.Files(features=trained.features), case.files), threads=judge.threads) as inputs:
        training = [video_id for video_id in trained.training if all(video_id in one for one in inputs.values())]
        background = contributions.background_of(samples, training, [case.video_id])
        draws = {
            folder: models.draws(run, [case.video_id], samples, inputs, models.rule(label))
            for folder in trained.folders
            for run in [runs.load(folder, samples, inputs)]
        }
        yield Asked(draws, samples, inputs, background, known_steps=False)


def _of_total(one: contributions.Contributions, judge: Judge, label: Label) -> contributions.Contributions:
    if label.difficulty is None or not judge.scale.has_difficulty:
        return one
    return one.of_score(plugins.load("datasets", judge.scale.adapter).compose, label.difficulty)


def _stores_of(judge: Judge) -> list[Path]:
    """Keypoints of the training videos."""
    return [path for path in judge.athletes if stores.kind(path) == "keypoints"]


def _angles(
    judge: Judge, case: Case, samples: pd.DataFrame, points: np.ndarray, about: Mapping[str, Any]
) -> dict[str, Angle]:
    made = athlete_of(judge.trained.recipe) or {}
    if made.get("estimator") != ESTIMATOR:
        raise InputError(f"their errors are known for the estimator {ESTIMATOR} alone, not for {made.get('estimator')}")
    background = contributions.background_of(samples, judge.trained.training, [case.video_id])
    asked = Asked({}, samples, {}, background, known_steps=False)
    bounds = contributions.step_bounds(asked)[case.video_id]
    found = measured.measured(
        points, keypoint_set=about["keypoint_set"], fps=about["fps"], bounds=bounds, known_steps=False
    )
    return {
        name: Angle(of.title, value, error, of.unit)
        for name, (value, error) in found.items()
        for of in [measured.MEASURES[name]]
    }
