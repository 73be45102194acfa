"""Losses of scores that are learnt for their values, for their order, or for both.

Li, Chai, Chen, "End-to-end learning for action quality assessment", PCM 2018, section 4. With s the predicted and g the
true scores of a batch of B clips:

    squared   1 / 2B  sum over i of (s_i - g_i)^2
    ranking   sum over i < j of max(0, margin - (s_j - s_i) sign(g_j - g_i))
    balance   alpha, the factor on `ranking` with which both pull about equally at the scores (equation 7)

Two clips of one true score have no order: they add the margin to the loss, and nothing to its gradient. The gradient of
`ranking` is printed without sign(g_j - g_i); here it is the true one, which autograd finds as well.
"""

from __future__ import annotations

import torch
from torch import Tensor


def squared(predicted: Tensor, true: Tensor) -> Tensor:
    """Half the mean squared error of scores (B,) in points, a scalar in squared points."""
    return (predicted - true).square().mean() / 2


def ranking(predicted: Tensor, true: Tensor, *, margin: float) -> Tensor:
    """What the gaps of wrongly ordered or too close pairs lack of the margin, (B,) in points; their sum, a scalar."""
    lacking = _lacking(predicted, true, margin).relu()
    return lacking.triu(diagonal=1).sum()


def balance(predicted: Tensor, true: Tensor, *, margin: float) -> Tensor:
    """Ratio of the mean sizes of both losses' gradients by the scores (B,), a scalar without a gradient.

    0 where no pair lacks anything, or only ties do: there is nothing to weigh then.
    """
    with torch.no_grad():
        of_squared = (predicted - true) / len(true)
        pulls = _lacking(predicted, true, margin) > 0
        of_ranking = (_order(true) * pulls).sum(dim=1)
        size = of_ranking.abs().mean()
        return torch.where(size > 0, of_squared.abs().mean() / size.clamp(min=torch.finfo(size.dtype).tiny), 0.0)


def _order(true: Tensor) -> Tensor:
    """Sign of g_j - g_i, (B, B): i down, j across."""
    return (true[None, :] - true[:, None]).sign()


def _lacking(predicted: Tensor, true: Tensor, margin: float) -> Tensor:
    """margin - (s_j - s_i) sign(g_j - g_i), (B, B), the same on both sides of the diagonal."""
    return margin - (predicted[None, :] - predicted[:, None]) * _order(true)
