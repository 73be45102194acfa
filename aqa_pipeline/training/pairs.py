"""Which exemplars a query is compared with: drawn once, stored, and read by training and prediction alike.

Each draw has a generator of its own, keyed by seed, fold and part, over ids in alphabetical order: a table in another
order, or a data set with one fold more, does not change it.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from aqa_pipeline import dive_numbers
from aqa_pipeline.errors import InputError, nearest

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["fold", "part", "step", "query", "exemplar"]
ENOUGH = 3  # exemplars of the same type; below it, the nearest of other types are added
CHOICES = ("same_type", "same_difficulty", "any", "none")

Candidates = Callable[[str], Sequence[str]]  # of a query: sorted ids, maybe with its own, which no draw takes


def draw_pairs(
    samples: pd.DataFrame,
    folds: pd.DataFrame,
    *,
    exemplars: str = "same_type",
    n_exemplars: int = 10,
    steps: int = 400,
    epochs: int = 0,
    batch: int = 32,
    seed: int = 0,
) -> pd.DataFrame:
    """Draws of every fold: a row a pair, columns fold, part, step, query, exemplar.

    Training queries come in epochs, each a shuffle of the training part, cut into `steps` batches of `batch`, or as
    many as make `epochs`, where that is not 0; each query gets one exemplar. Test and validation queries (step -1) get
    up to `n_exemplars`, each at most once. Exemplars are of the training part and never the query itself. With
    exemplars "none" the column is empty and every query stands alone.

    exemplars
        "same_type" (fewer than three: the nearest of other types are added, see `by_kinship`), "same_difficulty" (the
        same with the difficulty alone), "any" or "none".
    """
    import pandas as pd

    if exemplars not in CHOICES:
        raise InputError(f"exemplars.choose: found '{exemplars}', {nearest(exemplars, CHOICES)}")
    known = samples.set_index("video_id").sort_index()
    known = known.assign(action_type=known["action_type"].fillna(""))
    tables = []
    for fold, of_fold in folds.groupby("fold", sort=True):
        parts = {part: sorted(set(ids) & set(known.index)) for part, ids in of_fold.groupby("part")["video_id"]}
        training = _training_part(fold, parts, exemplars)
        candidates = _candidates(known, training, exemplars)
        n_steps = round(epochs * len(training) / batch) if epochs else steps
        draws = _training_draws(training, candidates, n_steps, batch, _generator(seed, fold, "train"))
        tables.append(_table(fold, "train", *draws))
        for part in ("validation", "test"):
            draws = _test_draws(parts.get(part, []), candidates, n_exemplars, _generator(seed, fold, part))
            tables.append(_table(fold, part, *draws))
    return pd.concat(tables, ignore_index=True)[COLUMNS]


def by_kinship(known: pd.DataFrame, training: Sequence[str]) -> Candidates:
    """Candidates of the query's own type; where these are fewer than three, filled up by the nearest others.

    Nearest: same group and take-off direction, then number of somersaults, twists, position, difficulty (dive numbers);
    for other action types by difficulty alone; ties by id. The fallback is total: no query goes without.
    """
    type_of, difficulty = known["action_type"].to_dict(), known["difficulty"].fillna(0.0).to_dict()
    traits = {v: (dive_numbers.parse(type_of[v]), difficulty[v]) for v in known.index}
    of_type: dict[str, list[str]] = {}
    for video_id in training:
        of_type.setdefault(type_of[video_id], []).append(video_id)

    def candidates(query: str) -> list[str]:
        same = of_type.get(type_of[query], [])
        if len(same) > ENOUGH:  # enough, also without the query itself
            return same
        same = [other for other in same if other != query]
        if len(same) == ENOUGH:
            return same
        others = [other for other in training if other != query and other not in same]
        others.sort(key=lambda other: (_distance(traits[query], traits[other]), other))
        return sorted(same + others[: ENOUGH - len(same)])

    return candidates


def by_difficulty(known: pd.DataFrame, training: Sequence[str]) -> Candidates:
    """Candidates of the query's difficulty, filled up to three by the nearest difficulties."""
    difficulty = known["difficulty"].fillna(0.0).to_dict()
    of_difficulty: dict[float, list[str]] = {}
    for video_id in training:
        of_difficulty.setdefault(difficulty[video_id], []).append(video_id)

    def candidates(query: str) -> list[str]:
        same = of_difficulty.get(difficulty[query], [])
        if len(same) > ENOUGH:
            return same
        others = [other for other in training if other != query]
        nearest_first = sorted(others, key=lambda other: (abs(difficulty[other] - difficulty[query]), other))
        return sorted(nearest_first[: max(ENOUGH, len(same) - (query in same))])

    return candidates


def _candidates(known: pd.DataFrame, training: Sequence[str], exemplars: str) -> Candidates:
    if exemplars == "none":
        return lambda query: []
    if exemplars == "any":
        return lambda query: training
    return (by_kinship if exemplars == "same_type" else by_difficulty)(known, training)


def _distance(query: tuple[Any, float], other: tuple[Any, float]) -> tuple[float, ...]:
    """Compared entry by entry: an earlier difference outweighs every later one."""
    (a, a_difficulty), (b, b_difficulty) = query, other
    by_number = (0.0,) * 5
    if a is not None and b is not None:
        by_number = (
            float(a.group != b.group),
            float(a.direction != b.direction),
            abs(a.half_somersaults - b.half_somersaults),
            abs(a.half_twists - b.half_twists),
            float(a.position != b.position),
        )
    return (*by_number, abs(a_difficulty - b_difficulty))


def _training_part(fold: object, parts: Mapping[str, list[str]], exemplars: str) -> list[str]:
    training = parts.get("train", [])
    needed = 1 if exemplars == "none" else 2
    if len(training) < needed:
        raise InputError(f"fold {fold}: {len(training)} usable training videos, expected at least {needed}")
    if not parts.get("test"):
        raise InputError(f"fold {fold}: no usable test video, expected at least one")
    return training


def _training_draws(
    training: list[str], candidates: Candidates, steps: int, batch: int, rng: np.random.Generator
) -> tuple[list[int], list[str], list[str | None]]:
    """Step, query and exemplar of every training pair."""
    wanted = steps * batch
    queries: list[str] = []
    while len(queries) < wanted:
        queries += [training[i] for i in rng.permutation(len(training))]
    queries = queries[:wanted]
    options = {query: candidates(query) for query in set(queries)}
    drawn = [_one_of(options[query], query, pick) for query, pick in zip(queries, rng.random(wanted), strict=True)]
    return [number // batch for number in range(wanted)], queries, drawn


def _one_of(options: Sequence[str], query: str, pick: float) -> str | None:
    """The option at `pick` (0 to 1) of those that are not the query."""
    own = bisect_left(options, query)  # options are sorted
    has_own = own < len(options) and options[own] == query
    n_others = len(options) - has_own
    if n_others == 0:
        return None
    index = int(pick * n_others)
    return options[index + 1 if has_own and index >= own else index]


def _test_draws(
    queries: list[str], candidates: Candidates, n_exemplars: int, rng: np.random.Generator
) -> tuple[list[int], list[str], list[str | None]]:
    """Step (-1), query and exemplar of every test pair; one row without exemplar where a query stands alone."""
    names: list[str] = []
    drawn: list[str | None] = []
    for query in queries:
        options = candidates(query)
        chosen = [options[i] for i in rng.permutation(len(options))[:n_exemplars]] or [None]  # never in training itself
        names += [query] * len(chosen)
        drawn += chosen
    return [-1] * len(names), names, drawn


def _table(fold: object, part: str, step: list[int], query: list[str], exemplar: list[str | None]) -> pd.DataFrame:
    import pandas as pd

    columns = dict(step=np.array(step, np.int64), query=pd.array(query, dtype="string"))
    return pd.DataFrame(dict(fold=fold, part=part, **columns, exemplar=pd.array(exemplar, dtype="string")))


def _generator(seed: int, fold: object, part: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(f"{fold}/{part}".encode())])
