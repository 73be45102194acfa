"""Quantiles with known answers, and coverage on draws of which the truth is known."""

import numpy as np
import pandas as pd
import pytest

from aqa_pipeline.judging import intervals


def errors(values, groups=None, folds=None):
    ids = [f"v{i:03d}" for i in range(len(values))]
    return pd.DataFrame(
        dict(video_id=ids, fold=0 if folds is None else folds, error=values, group=ids if groups is None else groups)
    )


@pytest.mark.parametrize(("n", "rank"), [(9, 9), (10, 10), (19, 18), (99, 90), (100, 91)])
def test_the_half_width_is_the_error_of_rank_nine_tenths_of_n_plus_one(n, rank):
    values = np.random.default_rng(n).permutation(np.arange(1.0, n + 1)) * np.resize([-1, 1], n)
    assert intervals.half_width(values, np.arange(n), 0.9) == rank


def test_eight_errors_are_too_few_for_nine_in_ten():
    assert intervals.half_width(np.ones(8), np.arange(8), 0.9) == np.inf


def test_every_group_weighs_the_same():
    """One group of a thousand small errors is one of twenty: the large errors of the others decide."""
    values = np.concatenate([np.full(1000, 0.1), np.arange(1.0, 20.0)])
    groups = np.concatenate([np.zeros(1000), np.arange(1, 20)])
    assert intervals.half_width(values, groups, 0.9) == 18  # 19 of 21 parts: the group of small ones, and 18 others
    assert intervals.half_width(values, np.arange(1019), 0.9) == pytest.approx(0.1)


def test_intervals_hold_what_they_say_on_new_draws():
    rng = np.random.default_rng(0)
    held = [
        np.mean(np.abs(rng.standard_t(4, 200)) <= intervals.half_width(rng.standard_t(4, 99), np.arange(99)))
        for _ in range(300)
    ]
    assert np.mean(held) == pytest.approx(0.9, abs=0.01)


def test_coverage_is_measured_on_other_folds():
    """The errors of one fold are ten times as large, so that it is not covered by what the others say."""
    folds = np.repeat([0, 1, 2], 100)
    values = np.random.default_rng(1).normal(size=300) * np.where(folds == 1, 10, 1)
    found = intervals.coverage(errors(values, folds=folds))
    assert found.n == 300
    inside = []
    for fold in range(3):
        half = intervals.half_width(values[folds != fold], np.flatnonzero(folds != fold))
        inside += (np.abs(values[folds == fold]) <= half).tolist()
    assert found.share == pytest.approx(np.mean(inside))
    assert found.low < found.share < found.high
    assert found.width > 10


def test_no_group_stands_on_both_sides_where_folds_repeat_it():
    """Each group has one error that is known from all of its videos: by another fold it would be covered."""
    groups = np.tile(np.arange(40), 5)
    found = intervals.coverage(errors(groups.astype(float), groups=groups, folds=np.repeat(np.arange(5), 40)))
    assert found.share < 0.95
    assert found.high - found.low > 0.1  # of 40 groups, not of 200 videos


def test_errors_are_the_mean_prediction_of_the_seeds_less_the_truth():
    tables = []
    for seed in (0, 1):
        table = pd.DataFrame(dict(video_id=["b", "a"], fold=[1, 0], seed=seed, score=[40.0, 60.0]))
        predicted = table["score"] + [seed, 6.0]
        tables.append(table.assign(predicted_score=predicted, execution_score=[np.nan, 20.0], predicted_execution=22.0))
    samples = pd.DataFrame(dict(video_id=["a", "b", "c"], group=["x", None, "x"]))
    found = intervals.errors_of(tables, samples, target="score")
    assert found.to_dict("list") == dict(video_id=["a", "b"], fold=[0, 1], error=[6.0, 0.5], group=["x", "b"])
    assert intervals.errors_of(tables, samples)["error"].tolist() == [2.0]
