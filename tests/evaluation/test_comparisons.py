import numpy as np
import pytest

from aqa_pipeline.evaluation import scores
from aqa_pipeline.evaluation.comparisons import compare, p_value
from aqa_pipeline.evaluation.scores import Sampled


def drawn(*systems, metric="spearman_rho", n_draws=500):
    return [scores.sampled(system, metric, n_draws=n_draws) for system in systems]


def test_by_hand():
    system = Sampled(0.7, np.array([0.7, 0.6, 0.8]), 9)
    floor, ceiling = Sampled(0.5, np.array([0.5, 0.6, 0.4]), 9), Sampled(0.9, np.array([0.9, 1.0, 0.8]), 9)
    found = compare(system, floor, ceiling)
    assert found.difference == pytest.approx(0.2)
    assert found.gap_closed == pytest.approx(0.5)
    assert (found.gap_low, found.gap_high) == pytest.approx(np.percentile([0.5, 0.0, 1.0], [2.5, 97.5]))
    assert found.p == pytest.approx(2 * (1 + 1) / 4)  # one draw of three is not above 0
    assert found.n_common == 9


def test_errors_close_the_gap_from_above():
    found = compare(
        Sampled(6.0, np.array([6.0]), 5), Sampled(8.0, np.array([8.0]), 5), Sampled(4.0, np.array([4.0]), 5)
    )
    assert (found.difference, found.gap_closed) == (-2.0, 0.5)


def test_a_better_system_is_told_from_its_floor_and_an_equal_one_is_not(made):
    floor, good, ceiling = made(2.0, n=150, seed=1), made(0.3, n=150, seed=2), made(0.01, n=150, seed=3)
    better = compare(*drawn(good, floor, ceiling))
    assert better.p == pytest.approx(2 / 501)
    assert 0 < better.gap_low < better.gap_closed < better.gap_high < 1
    assert compare(*drawn(made(2.0, n=150, seed=4), floor, ceiling)).p > 0.05


def test_pairing_makes_the_difference_sharper(made):
    floor, system = drawn(made(0.8, seed=1), made(0.75, seed=1))
    found = compare(system, floor)
    unpaired = np.hypot(*(high - low for low, high in (system.interval, floor.interval)))
    assert found.difference_high - found.difference_low < 0.5 * unpaired
    assert np.isnan(found.gap_closed)


def test_p_of_systems_that_do_not_differ_is_evenly_spread():
    """Of 200 pairs of equal systems about 10 have p < 0.05."""
    small = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        draws = rng.normal(rng.normal(), 1, 300)  # the estimate and its bootstrap spread have the same sd
        small += p_value(draws) < 0.05
    assert 2 <= small <= 20


@pytest.mark.filterwarnings("error")
def test_nothing_to_compare_is_nan():
    nothing = Sampled(np.nan, np.full(4, np.nan), 3)
    some = Sampled(0.5, np.full(4, 0.5), 3)
    assert np.isnan([compare(nothing, some, some).p, compare(some, some, some).gap_closed]).all()
    assert np.isnan(compare(some, some, some).gap_low)
    assert compare(some, some).p == 1.0
