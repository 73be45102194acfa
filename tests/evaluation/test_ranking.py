from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import friedmanchisquare

from aqa_pipeline.evaluation.ranking import Ranking, ranking

NAMES = ["net.a", "net.b", "forest.c"]


def errors(made, *of_systems):
    """Systems with the given absolute errors, one seed."""
    base = made(0.0, n=len(of_systems[0]), n_seeds=1)
    return {
        name: replace(base, predicted_score=base.score + np.array([e]))
        for name, e in zip(NAMES, of_systems, strict=True)
    }


def test_by_hand(made):
    found = ranking(errors(made, [1, -1, 5, 2.0], [2, 3, -4, 2.0], [3, 2, 6, 7.0]))
    # ranks of the clips: 1 2 3, 1 3 2, 2 1 3, 1.5 1.5 3
    assert found.names == ["net.a", "net.b", "forest.c"]
    assert found.ranks == pytest.approx([5.5 / 4, 7.5 / 4, 11 / 4])
    # Demsar's table 5: q for three systems is 2.343 at the level 0.05
    assert found.critical_difference == pytest.approx(2.343 * np.sqrt(3 * 4 / (6 * 4)), abs=1e-3)
    assert found.p == pytest.approx(friedmanchisquare([1, 1, 5, 2], [2, 3, 4, 2], [3, 2, 6, 7]).pvalue)
    assert found.n_clips == 4
    assert found.cliques() == [(0, 2)]


@pytest.mark.parametrize(
    ("ranks", "expected"),
    [
        ([1.0, 1.4, 1.8, 4.0], [(0, 1), (1, 2)]),
        ([1.0, 1.2, 1.3, 1.5], [(0, 3)]),
        ([1.0, 2.0, 3.0], []),
        ([1.0, 1.1, 3.0, 3.5], [(0, 1), (2, 3)]),
    ],
)
def test_cliques_are_the_largest_groups_that_are_not_told_apart(ranks, expected):
    assert Ranking([""] * len(ranks), np.array(ranks), 0.0, 0.5, 9).cliques() == expected


def test_only_common_clips_count_and_each_once(made):
    found = {name: made(noise, seed=i) for i, (name, noise) in enumerate(zip(NAMES, (0.5, 1.0, 2.0), strict=True))}
    found["net.b"] = found["net.b"].only(found["net.b"].video_ids[:41])
    once = ranking(found)
    assert once.n_clips == 41
    again = {
        name: replace(one.where(np.repeat(np.arange(len(one)), 3)), over_folds="mean") for name, one in found.items()
    }
    twice = ranking(again)
    assert (twice.n_clips, twice.p) == (41, pytest.approx(once.p))
    np.testing.assert_allclose(twice.ranks, once.ranks)


def test_systems_that_do_not_differ(made):
    found = ranking(dict.fromkeys(NAMES, made(0.5)))
    assert (found.p, list(found.ranks), found.cliques()) == (1.0, [2.0, 2.0, 2.0], [(0, 2)])


def test_fewer_than_three_systems_have_no_ranking(made):
    found = {name: made(0.5, seed=i) for i, name in enumerate(NAMES)}
    assert ranking({}) is None
    assert ranking({name: found[name] for name in NAMES[:2]}) is None
    found["net.b"].predicted_score[:] = np.nan  # it predicts no score
    assert ranking(found) is None


def test_no_common_clip_has_no_ranking(made):
    found = {name: made(0.5, seed=i) for i, name in enumerate(NAMES)}
    found["net.b"] = replace(found["net.b"], video_ids=np.char.add("w", found["net.b"].video_ids))
    assert ranking(found) is None
