"""What turns tokens into numbers.

Shapes: P clips or pairs, T tokens, D channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn


def mlp(sizes: Sequence[int]) -> nn.Sequential:
    """Linear maps with ReLU between them."""
    maps = [nn.Linear(a, b) for a, b in pairwise(sizes)]
    return nn.Sequential(maps[0], *(layer for linear in maps[1:] for layer in (nn.ReLU(), linear)))


class TokenHead(nn.Module):
    """A number for every token by one MLP: (P, T, D) -> (P, T).

    FineDiving's regressor has hidden sizes 256 and 64; its offset is the mean over the tokens.
    """

    def __init__(self, dim: int, *, hidden: Sequence[int] = (256, 64)) -> None:
        super().__init__()
        self.maps = mlp([dim, *hidden, 1])

    def forward(self, tokens: Tensor) -> Tensor:
        return self.maps(tokens)[..., 0]
