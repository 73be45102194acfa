"""Every pair of systems on the clips that both predicted: what differs, how surely, and what could have been seen.

For a table, a data set and a metric: the difference with its interval and p by the paired bootstrap (Efron and
Tibshirani, An introduction to the bootstrap, 1993), p by permutation (see `permutation`), and that p corrected for the
number of pairs by Holm's method (Scandinavian Journal of Statistics 1979); the family is one metric on one data set.

The minimum detectable difference is (z of 0.975 + z of 0.8) times the bootstrap standard error of the difference: a
true difference of that size is found in 80 of 100 test sets as large as this one, at the level 0.05 uncorrected. A
difference below it that is not significant says nothing. Source: Card et al., With little power comes great
responsibility, EMNLP 2020, on reporting it; the formula is the usual one of a normal estimate.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aqa_pipeline import streams
from aqa_pipeline.errors import InputError
from aqa_pipeline.evaluation import comparisons, permutation, scores
from aqa_pipeline.evaluation.draws import Draws
from aqa_pipeline.evaluation.permutation import Pair
from aqa_pipeline.evaluation.predictions import Test
from aqa_pipeline.evaluation.scores import Sampled

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = [
    *("dataset", "protocol", "system", "variant", "other", "metric"),
    *("difference", "difference_low", "difference_high"),
    *("p_bootstrap", "p_permutation", "p_holm"),  # Holm's correction is that of the permutation p
    *("n_common", "standard_error", "detectable"),
]
DETECTABLE = [
    *("dataset", "protocol", "metric", "n", "systems"),
    *("smallest_detectable", "median_detectable", "largest_detectable"),
]
LEVEL, POWER = 0.05, 0.8
PERMUTATIONS = 10_000  # at least
HELD = 32_000_000  # permuted values held at a time, a quarter of a gigabyte


def compare_all(
    draw: Draws, rows: Sequence[str], places: Mapping[str, Sequence[str]], table: Mapping[str, Any]
) -> pd.DataFrame:
    """All pairs of rows with `COLUMNS`; the difference is that of the first system minus the other.

    Parameters
    ----------
    draw : predictions of the rows, and their bootstrap
    rows : "system.variant", in the order of the table
    places : the data sets that are averaged under each name; one data set under its own
    table : block of the configuration: protocol and metrics
    """
    import pandas as pd

    lines = []
    for name, datasets in places.items():
        for metric in table["metrics"]:
            for row, other, figures in _family(draw, rows, datasets, metric):
                facts = [name, table["protocol"], *row.split("."), other, metric]
                lines.append([*facts, *(figures[column] for column in COLUMNS[len(facts) :])])
    return pd.DataFrame(lines, columns=COLUMNS)


def detectable(pairs: pd.DataFrame) -> pd.DataFrame:
    """What the test sets of a table can tell apart, with `DETECTABLE`; `n` is the smallest number of common clips."""
    import pandas as pd

    lines = []
    for (dataset, protocol, metric), of in pairs.groupby(["dataset", "protocol", "metric"], sort=False):
        known = of[np.isfinite(of["detectable"])]
        systems = {*(known["system"] + "." + known["variant"]), *known["other"]}
        if systems:
            sizes = known["detectable"].min(), known["detectable"].median(), known["detectable"].max()
            lines.append([dataset, protocol, metric, known["n_common"].min(), len(systems), *sizes])
    return pd.DataFrame(lines, columns=DETECTABLE)


def minimum_detectable(standard_error: float) -> float:
    """The difference that is found in 80 % of test sets at the two-sided level 0.05; NaN without a spread."""
    from scipy.stats import norm

    needed = norm.ppf(1 - LEVEL / 2) + norm.ppf(POWER)
    return float(needed * standard_error) if standard_error > 0 else np.nan


def holm(p: Sequence[float]) -> np.ndarray:
    """Holm's corrected p; a pair without p is no member of the family and stays NaN."""
    from statsmodels.stats.multitest import multipletests

    p = np.asarray(p, float)
    known, corrected = np.isfinite(p), np.full(len(p), np.nan)
    if known.any():
        corrected[known] = multipletests(p[known], method="holm")[1]
    return corrected


def read(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Pairs or detectable differences of a table from the CSV that the score stage wrote."""
    import pandas as pd

    if not Path(path).is_file():
        raise InputError(f"{path}: no such comparisons")
    text = dict.fromkeys(("dataset", "protocol", "system", "variant", "other", "metric"), str)
    table = pd.read_csv(path, dtype=text, keep_default_na=False, na_values=[""])
    if list(table.columns) != list(columns):
        raise InputError(f"{path}: columns {', '.join(table.columns)}, expected {', '.join(columns)}")
    return table


def _family(
    draw: Draws, rows: Sequence[str], datasets: Sequence[str], metric: str
) -> Iterator[tuple[str, str, dict[str, float]]]:
    """Pairs of one metric on one data set, or on the mean of several, corrected together."""
    common = {pair: [draw.common(pair, dataset, metric) for dataset in datasets] for pair in combinations(rows, 2)}
    common = {pair: tests for pair, tests in common.items() if all(tests)}
    drawn = {pair: [draw.together(pair, dataset, metric) for dataset in datasets] for pair in common}
    p = _permuted(draw, common, drawn, datasets, metric)
    corrected = dict(zip(common, holm([p[pair] for pair in common]), strict=True))
    for row, other in common:
        first, second = _means(drawn[row, other], metric)
        found = comparisons.compare(first, second)
        good = scores.with_value(first.draws - second.draws)
        error = float(np.std(good, ddof=1)) if len(good) > 1 else np.nan
        tested = dict(p_bootstrap=found.p, p_permutation=p[row, other], p_holm=corrected[row, other])
        yield row, other, {**found.fields(), **tested, "standard_error": error, "detectable": minimum_detectable(error)}


def _permuted(
    draw: Draws,
    common: Mapping[Pair, Sequence[frozenset[Test]]],
    drawn: Mapping[Pair, Sequence[Sequence[Sampled]]],
    datasets: Sequence[str],
    metric: str,
) -> dict[Pair, float]:
    """p of each pair by permutation; NaN where a system has no value, or the metric cannot be permuted."""
    if scores.family(metric) is None:
        return dict.fromkeys(common, np.nan)
    found, n = {}, enough_permutations(len(common))
    for pairs in streams.batches(common, max(1, HELD // (2 * n * len(datasets)))):
        made = [
            _exchanged(draw, {pair: common[pair][number] for pair in pairs}, dataset, metric, n_permutations=n)
            for number, dataset in enumerate(datasets)
        ]
        for pair in pairs:
            there = all(pair in of_dataset for of_dataset in made)
            after = [
                [replace(system, draws=draws) for system, draws in zip(both, of_dataset[pair], strict=True)]
                for both, of_dataset in zip(drawn[pair], made, strict=True)
                if there
            ]
            found[pair] = permutation.p_value(*_means(after, metric)) if there else np.nan
    return found


def _exchanged(
    draw: Draws, common: Mapping[Pair, frozenset[Test]], dataset: str, metric: str, *, n_permutations: int
) -> dict[Pair, tuple[np.ndarray, np.ndarray]]:
    """Permutations of some pairs on one data set; pairs with the same tests have the same coins."""
    found = {}
    for tests in dict.fromkeys(common.values()):
        pairs = [pair for pair in common if common[pair] == tests]
        names = dict.fromkeys(name for pair in pairs for name in pair)
        systems = {name: scores.parts(draw.on(name, dataset, tests), metric) for name in names}
        videos = sorted({video_id for video_id, _ in tests})
        found |= permutation.exchanged(systems, pairs, videos, metric, n_permutations=n_permutations, seed=draw.seed)
    return found


def enough_permutations(n_pairs: int) -> int:
    """So many that the smallest p there can be is half of `LEVEL` when it has been corrected for all pairs."""
    return max(PERMUTATIONS, math.ceil(2 * n_pairs / LEVEL))


def _means(parts: Sequence[Sequence[Sampled]], metric: str) -> list[Sampled]:
    """Both systems of a pair, each averaged over data sets."""
    return [scores.mean(side, metric) for side in zip(*parts, strict=True)]
