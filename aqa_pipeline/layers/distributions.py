"""Numbers as distributions over bins: how sure one may be of a score, and the score that is read off again.

Shapes: any leading axes, then N bins; B clips, S snippets, D channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from aqa_pipeline.layers.heads import mlp

POOLINGS = ("scores", "features")
DECODES = ("argmax", "expectation")
REDUCTIONS = ("sum", "mean")


class Head(nn.Module):
    """Logits of one distribution a clip, (B, N), from its snippets' features (B, S, D), by one MLP.

    With `pooling` "scores" each snippet has scores of its own, whose mean over the snippets goes into the softmax, as
    USDL's paper is reported to have it; with "features", its released code, the snippets' features are averaged first.
    """

    def __init__(self, dim: int, bins: int, *, hidden: Sequence[int] = (256, 128), pooling: str = "scores") -> None:
        super().__init__()
        assert pooling in POOLINGS, pooling
        self.maps, self.pooling = mlp([dim, *hidden, bins]), pooling

    def forward(self, features: Tensor) -> Tensor:
        if self.pooling == "scores":
            return self.maps(features).mean(dim=1)
        return self.maps(features.mean(dim=1))


def gaussian(centre: Tensor, bins: int, *, sigma: float) -> Tensor:
    """Soft labels (..., N): the normal density at the bins 0, 1, .. N - 1, made to sum to 1.

    `centre` (...) is the label on that scale, and `sigma`, too, is in bins.
    """
    place = torch.arange(bins, device=centre.device, dtype=centre.dtype)
    return torch.softmax(-0.5 * ((place - centre[..., None]) / sigma) ** 2, dim=-1)


def divergence(logits: Tensor, labels: Tensor, *, reduction: str = "sum") -> Tensor:
    """Kullback-Leibler divergence (...) of the predicted from the true distributions, both (..., N), in nats.

    "sum" over the bins is what the name means. "mean" is what torch's KLDivLoss does unless it is told otherwise, and
    so the released code of USDL: the N-th part of it.
    """
    pointwise = functional.kl_div(logits.log_softmax(dim=-1), labels, reduction="none")
    return pointwise.sum(dim=-1) if reduction == "sum" else pointwise.mean(dim=-1)


def decode(logits: Tensor, values: Tensor, *, how: str = "argmax") -> Tensor:
    """The number (...) that logits (..., N) mean: the value (N,) of the likeliest bin, or the mean of all values."""
    if how == "argmax":
        return values[logits.argmax(dim=-1)]
    return logits.softmax(dim=-1) @ values
