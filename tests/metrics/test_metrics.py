"""Every metric against answers worked by hand, and the promises they share."""

import warnings

import numpy as np
import pytest
from scipy.stats import spearmanr

from aqa_pipeline import plugins
from aqa_pipeline.metrics.med import med
from aqa_pipeline.metrics.mse import mse
from aqa_pipeline.metrics.relative_l2_x100 import relative_l2_x100
from aqa_pipeline.metrics.spearman_rho import spearman_rho
from aqa_pipeline.metrics.spearman_rho_mark import spearman_rho_mark

METRICS = plugins.available("metrics")


def metric(name):
    return getattr(plugins.load("metrics", name), name)


def test_rho_by_hand():
    # rank differences 0, 1, -1, 0 of four: 1 - 6 * 2 / (4 * 15)
    assert spearman_rho([10.0, 30.0, 20.0, 90.0], [1.0, 2.0, 3.0, 4.0]) == pytest.approx(0.8)


def test_rho_with_ties_by_hand():
    # ranks 1.5 1.5 3 against 1 2 3: centred -.5 -.5 1 and -1 0 1, so 1.5 / sqrt(1.5 * 2)
    assert spearman_rho([5.0, 5.0, 9.0], [1.0, 2.0, 3.0]) == pytest.approx(1.5 / np.sqrt(3))


def test_rho_agrees_with_scipy_in_every_draw():
    rng = np.random.default_rng(3)
    predicted, true = rng.integers(0, 9, (7, 23)), rng.integers(0, 9, (7, 23))  # many ties
    expected = [spearmanr(p, t).statistic for p, t in zip(predicted, true, strict=True)]
    assert spearman_rho(predicted, true) == pytest.approx(expected)


def test_rho_of_equal_orders_is_exactly_one():
    true = np.arange(37.0) ** 3
    assert spearman_rho(np.log1p(true), true) == 1.0


def test_mark_is_the_same_formula_on_other_columns():
    predicted, true = np.array([3.0, 1.0, 2.0]), np.array([1.0, 2.0, 4.0])
    assert spearman_rho_mark(predicted, true) == spearman_rho(predicted, true) == pytest.approx(-0.5)
    assert plugins.constant("metrics", "spearman_rho_mark", "of") == "mark"


def test_relative_l2_by_hand():
    true = np.array([0.0, 40.0, 100.0])
    assert relative_l2_x100(true + 10, true) == pytest.approx(1.0)  # (10 / 100)^2 x 100


def test_relative_l2_has_no_unit():
    predicted, true = np.array([3.0, 7.0, 4.0, 1.0]), np.array([2.0, 9.0, 4.0, 5.0])
    assert relative_l2_x100(17 * predicted + 4, 17 * true + 4) == pytest.approx(relative_l2_x100(predicted, true))


def test_relative_l2_with_a_given_range():
    assert relative_l2_x100([12.0, 18.0], [10.0, 20.0], score_range=20.0) == pytest.approx(1.0)  # (2 / 20)^2


def test_med_and_mse_by_hand():
    predicted, true = [70.0, 80.0, 64.5], [72.0, 75.0, 64.5]
    assert med(predicted, true) == pytest.approx(7 / 3)
    assert mse(predicted, true) == pytest.approx(29 / 3)


@pytest.mark.parametrize("name", METRICS)
def test_draws_are_rows(name):
    rng = np.random.default_rng(5)
    predicted, true = rng.normal(size=(3, 11)), rng.normal(size=(3, 11))
    together = metric(name)(predicted, true)
    assert together.shape == (3,)
    assert together == pytest.approx([metric(name)(p, t) for p, t in zip(predicted, true, strict=True)])


@pytest.mark.parametrize("name", METRICS)
def test_no_sample_is_nan_without_a_warning(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(metric(name)(np.zeros(0), np.zeros(0)))
        assert np.isnan(metric(name)(np.zeros((4, 0)), np.zeros((4, 0)))).all()


@pytest.mark.parametrize("name", ["spearman_rho", "spearman_rho_mark"])
@pytest.mark.parametrize(("predicted", "true"), [([2, 2, 2], [1, 2, 3]), ([1, 2, 3], [2, 2, 2]), ([1], [1])])
def test_constants_have_no_rank(name, predicted, true):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(metric(name)(predicted, true))


def test_no_range_is_nan_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(relative_l2_x100([1.0, 2.0], [5.0, 5.0]))


@pytest.mark.parametrize("name", METRICS)
def test_other_lengths_are_refused(name):
    with pytest.raises(AssertionError):
        metric(name)(np.zeros(3), np.zeros(4))
