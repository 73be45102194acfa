import numpy as np
import pytest

from aqa_pipeline.features import _signals as signals

NAN = np.nan


def test_gaps_are_interpolated_and_held_at_the_ends():
    positions = np.array([[NAN, NAN], [1.0, 10.0], [NAN, NAN], [NAN, NAN], [4.0, 40.0]])[:, None]  # (5, 1, 2)
    filled = signals.fill_gaps(positions)
    assert filled[:, 0, 0] == pytest.approx([1, 1, 2, 3, 4])
    assert filled[:, 0, 1] == pytest.approx([10, 10, 20, 30, 40])


def test_a_point_never_seen_takes_the_mean_of_the_others():
    positions = np.full((2, 3, 2), NAN)
    positions[:, 0], positions[:, 2] = [[0.0, 2.0], [4.0, 6.0]], [[2.0, 4.0], [4.0, 0.0]]
    assert signals.fill_gaps(positions)[:, 1] == pytest.approx(np.array([[1.0, 3.0], [4.0, 3.0]]))


def test_nothing_seen_is_zero():
    assert (signals.fill_gaps(np.full((3, 2, 2), NAN)) == 0).all()


def test_uncertain_points_are_not_seen():
    keypoints = np.array([[[3.0, 4.0, 0.9], [5.0, 6.0, 0.1], [7.0, 8.0, NAN]]])  # (1, 3, 3)
    positions = signals.split(keypoints, min_confidence=0.2)
    assert np.isnan(positions[0]).all(axis=1).tolist() == [False, True, True]
    assert positions[0, 0].tolist() == [3.0, 4.0]


def test_the_median_removes_one_outlier_and_keeps_the_ends():
    assert signals.median_of_three(np.array([9.0, 1, 2, 50, 3, 7])).tolist() == [9, 2, 2, 3, 7, 7]


def test_the_rate_of_a_straight_line_is_its_slope():
    assert signals.rate(np.array([0.0, 2, 4, 6])[:, None], fps=25.0)[:, 0] == pytest.approx([50] * 4)
    assert signals.rate(np.ones((1, 3)), fps=25.0).tolist() == [[0, 0, 0]]


def test_smoothing_keeps_a_constant_and_narrows_a_peak():
    peak = np.zeros(9)
    peak[4] = 1.0
    smoothed = signals.smooth(peak, 1.0)
    assert smoothed.sum() == pytest.approx(1.0)
    assert smoothed[4] == pytest.approx(0.399, abs=0.01)  # the density of a normal distribution at 0
    assert signals.smooth(peak, 0) is peak
