"""Single videos of a data set: what every row said of them, with their pictures, phases and votes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from aqa_pipeline.errors import InputError
from aqa_pipeline.evaluation import predictions
from aqa_pipeline.explanation.of_tests import of_tests
from aqa_pipeline.explanation.shown import Shown
from aqa_pipeline.report import dots, stills
from aqa_pipeline.report.reading import Results
from aqa_pipeline.report.verdict import Verdict
from aqa_pipeline.training import trained

if TYPE_CHECKING:
    import pandas as pd

COVERED = 0.9  # of the judges' scores lie in the band around a prediction


@dataclass(frozen=True)
class Choice:
    """Which videos have a section of their own, by the error of the best row; and how large their pictures may be."""

    worst: int = 10
    median: int = 1
    best: int = 1
    films: bool = True
    megabytes: float = 3.0  # of all pictures and films; what comes after goes without


@dataclass(frozen=True)
class Vote:
    """An exemplar of a query."""

    video_id: str
    own_score: float  # the judges', NaN where it is not known
    vote: float  # the score that it gives the query
    moved: float  # what it moves the mean of all votes by


@dataclass(frozen=True)
class Phase:
    """A step of a video; places are percent of its length."""

    name: str
    first_frame: int
    start: float
    length: float


@dataclass(frozen=True)
class Section:
    """One video."""

    video_id: str
    anchor: str  # its place on the page
    part: str  # of the choice: worst, median or best
    rank: int  # by the error of the best row, 1 is the largest
    of: int  # so many videos
    facts: Mapping[str, str]
    score: float
    predicted: float  # of the best row
    lines: Sequence[dots.Line]  # of every row
    voter: str  # row whose exemplars voted; empty without
    votes: Sequence[Vote]
    phases: Sequence[Phase]
    explained: str  # row whose prediction the contributions explain; empty without
    contributions: Sequence[Shown]
    pictures: stills.Pictures

    @property
    def error(self) -> float:
        return self.predicted - self.score

    @property
    def place(self) -> str:
        return f"{self.rank} of {self.of}" + ("" if self.part == "worst" else f", the {self.part}")

    def phase_at(self, frame: int) -> str:
        """Name of the phase that a frame lies in."""
        return [phase.name for phase in self.phases if phase.first_frame <= frame or not phase.start][-1]


class Videos:
    """Scores and predictions of one data set of a table, by video."""

    def __init__(self, results: Results, verdict: Verdict, dataset: str) -> None:
        self.results, self.verdict, self.dataset = results, verdict, dataset
        lines = results.tables[results.tables["table"] == verdict.table]
        keys = [(row, dataset, lines["protocol"].iloc[0]) for row in lines["row"].unique()]
        self.files = {key[0]: results.predictions[key] for key in keys if key in results.predictions}

    @cached_property
    def predicted(self) -> dict[str, pd.Series]:
        """By row, the predicted score of every video: the mean over seeds, and over tests where there are several."""
        return {row: table["predicted"] for row, table in self._tables.items()}

    @cached_property
    def score(self) -> pd.Series:
        """The judges' score of every video that the best row predicted."""
        return self._tables[self.verdict.best]["score"]

    @cached_property
    def error(self) -> pd.Series:
        """Absolute error of the best row, the largest first."""
        return (self.predicted[self.verdict.best] - self.score).abs().sort_values(ascending=False, kind="stable")

    @cached_property
    def bands(self) -> dict[str, float]:
        """By row, the absolute error that nine of ten videos stay below."""
        return {
            row: float((t["predicted"] - t["score"]).abs().quantile(COVERED, interpolation="higher"))
            for row, t in self._tables.items()
        }

    @cached_property
    def _tables(self) -> dict[str, pd.DataFrame]:
        tables = {row: _by_video(files) for row, files in self.files.items()}
        return {row: table for row, table in tables.items() if len(table)}


def sections(videos: Videos, choice: Choice, *, keypoints: str = "", budget: stills.Budget) -> list[Section]:
    """The chosen videos, those of the worst errors first; none where the best row predicts no scores.

    Parameters
    ----------
    videos : of one data set of a table
    choice : which of them
    keypoints : "detector.estimator" whose skeletons are drawn; the one with the fewest points by default
    budget : what the pictures may still take; it is drawn on
    """
    best = videos.verdict.best
    if best not in videos.predicted:
        return []
    samples = videos.results.samples(videos.dataset)
    voter, votes = _votes(videos)
    gallery = stills.Gallery(videos.results.folder, videos.dataset, keypoints)
    chosen, found = _chosen(videos.error, choice), []
    explained, contributions = _contributions(videos, list(chosen))
    for video_id, (part, rank) in chosen.items():
        sample = None if samples is None or video_id not in samples.index else samples.loc[video_id]
        pictures = gallery.of(video_id, sample, budget, films=choice.films)
        found.append(
            Section(
                video_id=video_id,
                anchor=quote(f"video-{videos.verdict.table}-{videos.dataset}-{video_id}", safe=""),
                part=part,
                rank=rank,
                of=len(videos.error),
                facts=_facts(sample),
                score=float(videos.score[video_id]),
                predicted=float(videos.predicted[best][video_id]),
                lines=_lines(videos, video_id),
                voter=voter if video_id in votes else "",
                votes=_weighed(votes.get(video_id), samples),
                phases=_phases(sample, pictures.n_frames),
                explained=explained if video_id in contributions else "",
                contributions=contributions.get(video_id, []),
                pictures=pictures,
            )
        )
    return found


def _chosen(error: pd.Series, choice: Choice) -> dict[str, tuple[str, int]]:
    """Part of the choice and rank by video id, each once; `error` begins with the largest."""
    n = len(error)
    middle = max((n - choice.median) // 2, 0)
    parts = {
        "worst": range(min(choice.worst, n)),
        "median": range(middle, min(middle + choice.median, n)),
        "best": range(max(n - choice.best, 0), n),
    }
    found: dict[str, tuple[str, int]] = {}
    for part, places in parts.items():
        for place in places:
            found.setdefault(str(error.index[place]), (part, place + 1))
    return found


def _by_video(files: Sequence[Path]) -> pd.DataFrame:
    """`score` and `predicted` of the videos of one row that have both."""
    import pandas as pd

    found = predictions.read(files, over_folds="mean")
    usable = found.where(found.usable("score"))
    table = pd.DataFrame(dict(score=usable.score, predicted=usable.predicted_score.mean(axis=0)))
    return table.groupby(usable.video_ids).mean()


def _facts(sample: pd.Series | None) -> dict[str, str]:
    """What the annotations say of a video, as far as they do."""
    import pandas as pd

    if sample is None:
        return {}
    named = {"action_type": "action", "difficulty": "difficulty", "group": "group"}
    facts = {word: f"{sample[name]}" for name, word in named.items() if name in sample and not pd.isna(sample[name])}
    marks = sample.get("judge_scores")
    if marks is not None and len(marks):
        facts["judges' marks"] = " ".join(f"{mark:g}" for mark in marks)
    return facts


def _lines(videos: Videos, video_id: str) -> list[dots.Line]:
    """What every row predicted, with the band that holds nine of ten of its errors."""
    floor, ceiling = videos.results.ends(videos.verdict.table)
    kinds = {floor: "floor", ceiling: "ceiling", videos.verdict.best: "best"}
    lines = []
    for row, predicted in videos.predicted.items():
        if video_id in predicted.index:
            value, band = float(predicted[video_id]), videos.bands[row]
            lines.append(dots.Line(row, value, value - band, value + band, kinds.get(row, "")))
    return lines


def _votes(videos: Videos) -> tuple[str, dict[str, pd.DataFrame]]:
    """The best row whose exemplars' votes were kept, and those of its first seed by video."""
    import pandas as pd
    import pyarrow.parquet as pq

    for row in [videos.verdict.best, *(pair.other for pair in videos.verdict.rivals)]:
        files = [path for path in videos.files.get(row, ()) if "votes" in pq.read_schema(path).names]
        tables = [pd.read_parquet(path, columns=["video_id", "exemplars", "votes"]) for path in files]
        if tables:
            first = pd.concat(tables).drop_duplicates("video_id")
            return row, {line.video_id: line for line in first.itertuples() if line.votes is not None}
    return "", {}


def _contributions(videos: Videos, video_ids: Sequence[str]) -> tuple[str, dict[str, list[Shown]]]:
    """The best row whose predictions may be explained and what is needed for that was kept, and that by video."""
    for row in [videos.verdict.best, *(pair.other for pair in videos.verdict.rivals)]:
        places = {path.parents[1] for path in videos.files.get(row, ())}
        try:
            found = [of_tests(trained.of(place), video_ids) for place in sorted(places)]
        except InputError:
            continue
        if found:
            return row, {video_id: shown for one in found for video_id, shown in one.items()}
    return "", {}


def _weighed(line: Any, samples: pd.DataFrame | None) -> list[Vote]:
    """Votes from the lowest to the highest, each with what it moves their mean by."""
    if line is None:
        return []
    own = {} if samples is None else samples["score"]
    votes = np.asarray(line.votes, float)
    moved = (votes - votes.mean()) / len(votes)
    found = zip(line.exemplars, votes, moved, strict=True)
    return sorted(
        (Vote(str(one), float(own.get(one, np.nan)), float(vote), float(by)) for one, vote, by in found),
        key=lambda vote: vote.vote,
    )


def _phases(sample: pd.Series | None, n_frames: int) -> list[Phase]:
    """The annotated steps; none where it is not known how long the video is."""
    import pandas as pd

    steps = None if sample is None else sample.get("steps")
    if sample is None or steps is None or not len(steps):
        return []
    if not n_frames and not pd.isna(sample[["first_frame", "last_frame"]]).any():
        n_frames = int(sample["last_frame"] - sample["first_frame"]) + 1
    starts = [int(step["first_frame"]) for step in steps]
    if n_frames <= starts[-1]:
        return []
    lengths = np.diff([*starts, n_frames])
    return [
        Phase(str(step["sub_action"]).replace("_", " "), start, 100 * start / n_frames, 100 * float(length) / n_frames)
        for step, start, length in zip(steps, starts, lengths, strict=True)
    ]
