"""How far one comes without seeing a picture: every trained system has to be better than these."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from aqa_pipeline.audit import Detail, Finding, Fold, Subject
from aqa_pipeline.audit._predictions import measured, of_system, over_folds
from aqa_pipeline.training import pairs

needs = {"parts"}

EXEMPLARS = 10

MEANING = {
    "global_mean": "the training mean for everyone",
    "same_type": "training mean of the same action type",
    "ten_exemplars": f"mean of {EXEMPLARS} drawn exemplars of the same type; they stand in the details",
    "no_video": "the system no_video: mean execution of the type, drawn to the mean of all",
    "same_difficulty": "training mean of the same difficulty",
    "difficulty": "difficulty with the mean execution of all",
}


def check(subject: Subject) -> Iterator[Finding | Detail]:
    """Means of the training part by action type, exemplars, difficulty; the shrunk floor `no_video`."""
    types, levels = subject.samples["action_type"].to_numpy(object), subject.difficulty
    floors: dict[str, Callable[[Fold], np.ndarray]] = {"global_mean": lambda fold: _mean(subject.score, fold)}
    if subject.knows("action_type"):
        drawn = _drawn(subject)
        for query, exemplars in drawn.items():
            yield Detail(query, " ".join(exemplars), f"{len(exemplars)} exemplars drawn")
        floors["same_type"] = lambda fold: _mean_of(subject.score, types, fold)
        floors["ten_exemplars"] = lambda fold: _voted(subject, drawn, fold)
        floors["no_video"] = of_system(subject, "no_video")
    if subject.knows("difficulty"):
        floors["same_difficulty"] = lambda fold: _mean_of(subject.score, levels, fold)
        floors["difficulty"] = lambda fold: _composed(subject, fold)
    for name, predict in floors.items():
        yield from measured(subject, name, over_folds(subject, predict), MEANING[name])


def _mean(values: np.ndarray, fold: Fold) -> np.ndarray:
    return np.full(len(fold.test), values[fold.train].mean())


def _mean_of(values: np.ndarray, kinds: np.ndarray, fold: Fold) -> np.ndarray:
    """Training mean of the same kind, of all where the kind does not train."""
    import pandas as pd

    means = pd.Series(values[fold.train]).groupby(kinds[fold.train]).mean()
    return pd.Series(kinds[fold.test]).map(means).fillna(values[fold.train].mean()).to_numpy(float)


def _composed(subject: Subject, fold: Fold) -> np.ndarray:
    """The difficulty with the mean execution of the training part."""
    execution = _mean(subject.execution, fold)
    return np.asarray(subject.adapter.compose(execution, subject.difficulty[fold.test]), float)


def _drawn(subject: Subject) -> dict[str, list[str]]:
    """Exemplars of every test clip, drawn as for a run (the nearest others where fewer than three are of the type)."""
    import pandas as pd

    ids = subject.samples["video_id"].to_numpy(object)
    rows = [
        (ids[row], number, part)
        for number, fold in enumerate(subject.splits)
        for part, of_part in zip(("train", "test"), fold, strict=True)
        for row in of_part
    ]
    folds = pd.DataFrame(rows, columns=["video_id", "fold", "part"])
    table = pairs.draw_pairs(subject.samples, folds, n_exemplars=EXEMPLARS, steps=1, batch=1, seed=subject.seed)
    table = table[table["part"] == "test"]
    return {query: list(of_query) for query, of_query in table.groupby("query", sort=True)["exemplar"]}


def _voted(subject: Subject, drawn: dict[str, list[str]], fold: Fold) -> np.ndarray:
    score_of = dict(zip(subject.samples["video_id"], subject.score, strict=True))
    queries = subject.samples["video_id"].to_numpy(object)[fold.test]
    return np.array([np.mean([score_of[exemplar] for exemplar in drawn[query]]) for query in queries])
