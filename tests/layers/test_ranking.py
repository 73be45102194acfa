"""Squared and ranking loss, and their balance, by hand."""

import pytest
import torch

from aqa_pipeline.layers import ranking

# Pairs (i, j), the gap s_j - s_i, its true sign and what it lacks of 2:
#   01: -1, +, 3     02: 1.5, +, 0.5     03: 4, +, 0     12: 2.5, +, 0     13: 5, 0, 2     23: 2.5, -, 4.5
PREDICTED = torch.tensor([3.0, 2.0, 4.5, 7.0], dtype=torch.float64)
TRUE = torch.tensor([1.0, 4.0, 6.0, 4.0], dtype=torch.float64)


def test_half_the_mean_square():
    assert ranking.squared(PREDICTED, TRUE).item() == pytest.approx((4 + 4 + 2.25 + 9) / 8)


def test_pairs_that_lack_the_margin():
    assert ranking.ranking(PREDICTED, TRUE, margin=2.0).item() == pytest.approx(3 + 0.5 + 0 + 0 + 2 + 4.5)
    assert ranking.ranking(TRUE, TRUE, margin=2.0).item() == pytest.approx(2)  # the tie alone
    assert ranking.ranking(TRUE, TRUE, margin=2.5).item() == pytest.approx(2.5 + 2 * 0.5)


def test_a_single_clip_has_no_order():
    one = torch.tensor([3.0])
    assert ranking.ranking(one, one + 1, margin=2.0) == 0
    assert ranking.balance(one, one + 1, margin=2.0) == 0


def test_the_gradient_by_hand_and_by_finite_differences():
    predicted = PREDICTED.clone().requires_grad_()
    ranking.ranking(predicted, TRUE, margin=2.0).backward()
    assert predicted.grad.tolist() == [1 + 1, -1, -1 - 1, 1]  # of 01 and 02; of 01; of 02 and 23; of 23
    assert torch.autograd.gradcheck(lambda s: ranking.ranking(s, TRUE, margin=2.0), predicted)
    assert torch.autograd.gradcheck(lambda s: ranking.squared(s, TRUE), predicted)


def test_the_balance_makes_both_gradients_of_one_size():
    alpha = ranking.balance(PREDICTED, TRUE, margin=2.0)
    assert alpha.item() == pytest.approx(((2 + 2 + 1.5 + 3) / 4) / 4 / ((2 + 1 + 2 + 1) / 4))
    sizes = []
    for loss in (ranking.squared, lambda s, g: alpha * ranking.ranking(s, g, margin=2.0)):
        predicted = PREDICTED.clone().requires_grad_()
        loss(predicted, TRUE).backward()
        sizes.append(predicted.grad.abs().mean().item())
    assert sizes[0] == pytest.approx(sizes[1])


def test_there_is_nothing_to_balance_where_no_pair_lacks_anything_but_ties():
    assert ranking.balance(TRUE + 5, TRUE, margin=2.0) == 0
    assert ranking.balance(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 3.0]), margin=2.0) == 0
