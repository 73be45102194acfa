"""Permutations against a slow literal version, and what a test must keep: its level, and its power."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import pearsonr, rankdata

from aqa_pipeline.evaluation import permutation, scores
from aqa_pipeline.evaluation.scores import Sampled


def permuted(a, b, metric, n_permutations=300, seed=0):
    videos = sorted(set(a.video_ids))
    systems = {name: scores.parts(found, metric) for name, found in (("a", a), ("b", b))}
    return permutation.exchanged(systems, [("a", "b")], videos, metric, n_permutations=n_permutations, seed=seed)


def coins(found, n_permutations=300, seed=0):
    pieces = permutation.coins(sorted(set(found.video_ids)), n_permutations=n_permutations, seed=seed)
    return np.concatenate(list(pieces))


def literal(a, b, metric, signs):
    """What the docstring says, clip by clip: exchange rank scores or errors, then measure."""
    place = {video_id: number for number, video_id in enumerate(sorted(set(a.video_ids)))}
    first, second = [], []
    for fold, i, j in product(np.unique(a.group), range(len(a.seeds)), range(len(b.seeds))):
        rows = a.group == fold
        true = a.score[rows]
        x, y = a.predicted_score[i, rows], b.predicted_score[j, rows]
        x, y = (rankdata(x), rankdata(y)) if metric == "spearman_rho" else (np.abs(x - true), np.abs(y - true))
        stays = np.array([signs[place[video_id]] > 0 for video_id in a.video_ids[rows]])
        sides = np.where(stays, x, y), np.where(stays, y, x)
        if metric == "spearman_rho":
            sides = [pearsonr(side, rankdata(true)).statistic for side in sides]
        first.append(np.mean(sides[0]))
        second.append(np.mean(sides[1]))
    return np.mean(first), np.mean(second)


@pytest.mark.parametrize("metric", ["spearman_rho", "med"])
@pytest.mark.parametrize("over_folds", ["pool", "mean"])
def test_the_fast_way_is_the_literal_one(made, metric, over_folds):
    a = made(0.5, n=19, n_seeds=2, seed=1, over_folds=over_folds)
    b = made(0.9, n=19, n_seeds=3, seed=2, over_folds=over_folds)
    a.predicted_score[:, 4:7] = a.predicted_score[:, 4:5]  # ties
    found = permuted(a, b, metric, n_permutations=40)["a", "b"]
    by_hand = [literal(a, b, metric, signs) for signs in coins(a, n_permutations=40)]
    np.testing.assert_allclose(np.transpose(found), by_hand, atol=1e-12)


@pytest.mark.parametrize("over_folds", ["pool", "mean"])
@pytest.mark.parametrize("metric", ["spearman_rho", "spearman_rho_mark", "med", "relative_l2_x100", "aiou_50"])
def test_without_an_exchange_the_difference_is_that_of_the_table(made, metric, over_folds, monkeypatch):
    monkeypatch.setattr(
        permutation, "coins", lambda videos, **_: [np.ones((1, len(videos))), -np.ones((1, len(videos)))]
    )
    a, b = (made(noise, n=31, n_seeds=seed, seed=seed, over_folds=over_folds) for noise, seed in ((0.5, 2), (0.9, 3)))
    first, second = permuted(a, b, metric)["a", "b"]
    values = [scores.sampled(found, metric, n_draws=10).value for found in (a, b)]
    assert [first[0], second[0]] == pytest.approx(values, abs=1e-12)
    assert [first[1], second[1]] == pytest.approx(values[::-1], abs=1e-12)  # exchanged everywhere


def test_a_video_has_one_coin_for_all_of_its_folds(made):
    once = made(0.5, n=12, n_folds=1, n_seeds=1, over_folds="mean")
    rows = np.tile(np.arange(12), 3)
    a, b = (permuted_folds(found, rows) for found in (once, made(0.8, n=12, n_folds=1, n_seeds=1, seed=3)))
    by_hand = [literal(a, b, "med", signs) for signs in coins(a)]
    np.testing.assert_allclose(np.transpose(permuted(a, b, "med")["a", "b"]), by_hand, atol=1e-12)
    assert coins(a).shape == (300, 12)


def permuted_folds(found, rows):
    from dataclasses import replace

    return replace(found.where(rows), fold=np.repeat(np.arange(3), 12), over_folds="mean")


def test_coins_are_fair_and_depend_on_the_videos_and_the_seed_alone(monkeypatch):
    videos = [f"v{i}" for i in range(90)]
    first = next(permutation.coins(videos, n_permutations=500, seed=0))
    assert set(np.unique(first)) == {-1.0, 1.0}
    assert abs(first.mean(axis=0)).max() < 0.2  # 4.5 standard errors
    assert abs(np.corrcoef(first.T) - np.eye(90)).max() < 0.25
    np.testing.assert_array_equal(first, next(permutation.coins(videos, n_permutations=500, seed=0)))
    assert not np.array_equal(first, next(permutation.coins(videos, n_permutations=500, seed=1)))
    assert not np.array_equal(first[:, 1:], next(permutation.coins(videos[1:], n_permutations=500, seed=0)))
    monkeypatch.setattr(scores, "CHUNK", 90 * 200)
    assert [len(piece) for piece in permutation.coins(videos, n_permutations=500, seed=0)] == [200, 200, 100]


def test_p_by_hand():
    a, b = Sampled(0.7, np.array([0.5, 0.7, 0.4, 0.6]), 9), Sampled(0.5, np.array([0.5, 0.5, 0.6, 0.5]), 9)
    # differences 0, 0.2, -0.2, 0.1 against 0.2: two are as large, on either side, and rounding does not part them
    assert permutation.p_value(a, b) == pytest.approx((1 + 2) / (1 + 4))
    assert np.isnan(permutation.p_value(Sampled(np.nan, a.draws, 9), b))
    unknown = Sampled(0.7, np.array([0.5, np.nan, 0.5, 0.6]), 9)
    assert permutation.p_value(unknown, b) == pytest.approx((1 + 1) / (1 + 4))


@pytest.mark.parametrize("metric", ["spearman_rho", "med", "aiou_75"])
def test_a_system_does_not_differ_from_itself(made, metric):
    found = made(0.7)
    first, second = permuted(found, found, metric)["a", "b"]
    value = scores.sampled(found, metric, n_draws=10).value
    assert permutation.p_value(Sampled(value, first, 60), Sampled(value, second, 60)) == 1.0


def test_a_constant_system_has_no_permutation_of_its_ranks(made):
    a, b = made(0.5), made(0.5, seed=1)
    b.predicted_score[:] = 60.0
    assert permuted(a, b, "spearman_rho") == {}
    assert list(permuted(a, b, "med")) == [("a", "b")]


def p_of(a, b, metric, seed=0):
    first, second = permuted(a, b, metric, n_permutations=199, seed=seed)["a", "b"]
    values = [scores.sampled(found, metric, n_draws=1).value for found in (a, b)]
    return permutation.p_value(Sampled(values[0], first, 0), Sampled(values[1], second, 0))


@pytest.mark.parametrize("metric", ["spearman_rho", "med"])
def test_equal_systems_are_called_different_as_often_as_it_says(made, metric):
    """At the level 0.1: 300 pairs of equally good systems, 30 expected, 4 standard errors either way."""
    found = [p_of(made(0.8, n=50, seed=2 * s), made(0.8, n=50, seed=2 * s + 1), metric, seed=s) for s in range(300)]
    assert 10 <= np.sum(np.array(found) <= 0.1) <= 51


@pytest.mark.parametrize("metric", ["spearman_rho", "med"])
def test_a_real_difference_is_found(made, metric):
    found = [p_of(made(0.4, n=50, seed=2 * s), made(1.2, n=50, seed=2 * s + 1), metric, seed=s) for s in range(20)]
    assert np.sum(np.array(found) <= 0.05) >= 18
