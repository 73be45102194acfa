import numpy as np
import pytest

from aqa_pipeline.explanation import shapley


def test_coalitions_begin_with_nobody_and_end_with_everybody():
    members = shapley.coalitions(3)
    assert members.shape == (8, 3)
    assert not members[0].any()
    assert members[-1].all()
    assert len({tuple(row) for row in members}) == 8


def test_the_glove_game():
    """Two left gloves and a right one: a pair is worth 1. Shapley's values are 1/6, 1/6 and 2/3."""
    members = shapley.coalitions(3)
    worth = (members[:, 2] & members[:, :2].any(axis=1)).astype(float)
    assert shapley.values(worth) == pytest.approx([1 / 6, 1 / 6, 2 / 3])


def test_values_sum_to_the_gain_of_everybody():
    worth = np.random.default_rng(0).normal(size=(16, 3))  # three games at once
    found = shapley.values(worth)
    assert found.shape == (4, 3)
    assert found.sum(axis=0) == pytest.approx(worth[-1] - worth[0])


def test_worth_that_adds_up_is_handed_back():
    alone = np.array([2.0, -1.0, 0.5, 0.0, 3.0])
    assert shapley.values(7 + shapley.coalitions(5) @ alone) == pytest.approx(alone)
