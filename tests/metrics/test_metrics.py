"""Every metric against answers worked by hand, and the promises they share."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from aqa_pipeline import plugins
from aqa_pipeline.metrics.aiou_50 import aiou_50
from aqa_pipeline.metrics.aiou_75 import aiou_75
from aqa_pipeline.metrics.med import med
from aqa_pipeline.metrics.mse import mse
from aqa_pipeline.metrics.relative_l2_x100 import relative_l2_x100
from aqa_pipeline.metrics.spearman_rho import spearman_rho
from aqa_pipeline.metrics.spearman_rho_mark import spearman_rho_mark
from aqa_pipeline.metrics.step_boundary_error import step_boundary_error

METRICS = plugins.available("metrics")


def metric(name):
    return getattr(plugins.load("metrics", name), name)


def clips(name, rng, n):
    """Made-up values of n clips, as the metric takes them."""
    if plugins.constant("metrics", name, "of") == "transitions":
        return np.stack([rng.uniform(0, 40, n), rng.uniform(40, 95, n)], axis=1)
    return rng.normal(size=n)


@st.composite
def tied_clips(draw):
    """Few different values, many ties, and clips that are not drawn at all."""
    n = draw(st.integers(2, 12))
    values = st.lists(st.integers(0, 4).map(float), min_size=n, max_size=n)
    weights = draw(st.lists(st.lists(st.integers(0, 3), min_size=n, max_size=n), min_size=1, max_size=3))
    return np.array(draw(values)), np.array(draw(values)), np.array(weights)


def test_rho_by_hand():
    # rank differences 0, 1, -1, 0 of four: 1 - 6 * 2 / (4 * 15)
    assert spearman_rho([10.0, 30.0, 20.0, 90.0], [1.0, 2.0, 3.0, 4.0]) == pytest.approx(0.8)


def test_rho_with_ties_by_hand():
    # ranks 1.5 1.5 3 against 1 2 3: centred -.5 -.5 1 and -1 0 1, so 1.5 / sqrt(1.5 * 2)
    assert spearman_rho([5.0, 5.0, 9.0], [1.0, 2.0, 3.0]) == pytest.approx(1.5 / np.sqrt(3))


@given(tied_clips())
@settings(max_examples=60, deadline=None)
def test_rho_with_weights_is_that_of_the_repeated_clips(clips):
    predicted, true, weights = clips
    found = spearman_rho(predicted, true, weights=weights)
    for rho, times in zip(found, weights, strict=True):
        a, b = np.repeat(predicted, times), np.repeat(true, times)
        if len(np.unique(a)) < 2 or len(np.unique(b)) < 2:
            assert np.isnan(rho)
        else:
            assert rho == pytest.approx(spearmanr(a, b).statistic, abs=1e-12)


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


def test_aiou_by_hand():
    # overlaps of (10, 20): itself 1, (10, 15) 1/2, (12, 20) 4/5, (15, 25) 1/3, turned around 0
    true = np.tile([10.0, 20.0], (5, 1))
    predicted = np.array([[10.0, 20.0], [10.0, 15.0], [12.0, 20.0], [15.0, 25.0], [20.0, 10.0]])
    assert aiou_50(predicted, true) == pytest.approx(60.0)
    assert aiou_75(predicted, true) == pytest.approx(40.0)
    assert aiou_75(predicted, true, weights=[[0, 0, 3, 1, 0], [0, 0, 0, 2, 5]]) == pytest.approx([75.0, 0.0])
    assert np.isnan(aiou_50([[np.nan, 20.0]], [[10.0, 20.0]]))


def test_step_boundary_error_by_hand():
    true = np.array([[10.0, 20.0], [30.0, 60.0]])
    predicted = np.array([[12.0, 20.0], [25.0, 63.0]])  # off by 2 and 0, by 5 and 3
    assert step_boundary_error(predicted, true) == pytest.approx(2.5)
    assert step_boundary_error(predicted, true, weights=[[3, 1]]) == pytest.approx([1.75])
    assert np.isnan(step_boundary_error([[np.nan, 20.0]], [[10.0, 20.0]]))


@pytest.mark.parametrize("name", METRICS)
def test_weights_are_repeated_clips(name):
    rng = np.random.default_rng(5)
    predicted, true = clips(name, rng, 11), clips(name, rng, 11)
    weights = rng.integers(0, 3, (4, 11))
    weights[0] = 1
    options = {"score_range": 2.0} if "score_range" in plugins.options("metrics", name, name) else {}
    together = metric(name)(predicted, true, weights=weights, **options)
    assert together.shape == (4,)
    assert together[0] == pytest.approx(metric(name)(predicted, true, **options))
    one_by_one = [metric(name)(np.repeat(predicted, w, axis=0), np.repeat(true, w, axis=0), **options) for w in weights]
    assert together == pytest.approx(one_by_one)


@pytest.mark.parametrize("name", METRICS)
def test_no_sample_is_nan_without_a_warning(name):
    none = clips(name, np.random.default_rng(0), 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(metric(name)(none, none))
        assert np.isnan(metric(name)(none, none, weights=np.zeros((4, 0)))).all()
        one = clips(name, np.random.default_rng(0), 1)
        assert np.isnan(metric(name)(one, one, weights=np.zeros((3, 1)))).all()


@pytest.mark.parametrize("name", [n for n in METRICS if plugins.constant("metrics", n, "family") == "mean"])
def test_a_mean_is_made_of_terms_that_a_clip_has_alone(name):
    predicted, true = clips(name, np.random.default_rng(1), 9), clips(name, np.random.default_rng(2), 9)
    options = {"score_range": 2.0} if "score_range" in plugins.options("metrics", name, name) else {}
    alone = metric(name)(predicted, true, weights=np.eye(9), **options)
    assert alone.mean() == pytest.approx(metric(name)(predicted, true, **options))


@pytest.mark.parametrize("name", METRICS)
def test_weights_of_other_lengths_are_refused(name):
    some = clips(name, np.random.default_rng(0), 3)
    with pytest.raises(AssertionError):
        metric(name)(some, some, weights=np.ones((3, 4)))


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
    rng = np.random.default_rng(0)
    with pytest.raises(AssertionError):
        metric(name)(clips(name, rng, 3), clips(name, rng, 4))
