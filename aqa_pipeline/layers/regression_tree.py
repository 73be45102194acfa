"""The group-aware regression tree of CoRe (GART): first which range a difference lies in, then where in that range.

A leaf is a range of differences between two edges; the upper half of the leaves is for differences from 0 upwards, the
lower half is its mirror image. Edges are chosen so that the leaves of each half hold equally many training pairs.

Shapes: P pairs, L = 2 ** (depth - 1) leaves, C channels of a node.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


class RegressionTree(nn.Module):
    """A binary tree of small networks."""

    def __init__(self, inputs: int, *, hidden: int = 256, depth: int = 5) -> None:
        super().__init__()
        nodes = [2**level for level in range(depth - 1)]
        self.leaves = 2 ** (depth - 1)
        self.root = nn.Linear(inputs, hidden)
        self.split = nn.ModuleList(Nodes(n, hidden, 2) for n in nodes)
        self.grow = nn.ModuleList(Nodes(n, hidden, 2 * hidden) for n in nodes)
        self.inside = Nodes(self.leaves, hidden, 1)

    def forward(self, pair: Tensor) -> tuple[Tensor, Tensor]:
        """(P, inputs) -> log-probability of each leaf (P, L), and the place in it (P, L), 0 and 1 being its edges."""
        nodes = self.root(pair).relu()[None]  # (1, P, C)
        log_probability = nodes.new_zeros(1, len(pair), 1)  # (nodes, P, 1)
        for split, grow in zip(self.split, self.grow, strict=True):
            log_probability = _children(log_probability + split(nodes).log_softmax(dim=2))
            nodes = _children(grow(nodes).relu())
        return log_probability[..., 0].T, self.inside(nodes)[..., 0].T


class Nodes(nn.Module):
    """A linear map of its own for each node: (nodes, P, inputs) -> (nodes, P, outputs).

    The released tree has them as the groups of one convolution, which on a CPU takes 8 to 17 times as long for 32 pairs
    and more.
    """

    def __init__(self, nodes: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = inputs**-0.5  # as torch begins linear maps and convolutions
        self.weight = nn.Parameter(torch.empty(nodes, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(nodes, 1, outputs).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight)


def _children(x: Tensor) -> Tensor:
    """What each node says of its two children one after the other, (nodes, P, 2 C) -> (2 nodes, P, C)."""
    return x.unflatten(2, (2, -1)).transpose(1, 2).flatten(0, 1)


def edges(differences: np.ndarray, leaves: int, largest: float) -> np.ndarray:
    """Edges (L + 1,) of leaves of equally many differences, which are given without their sign.

    The left edge of the i-th of the upper L / 2 leaves is the value of rank floor(i (n - 1) / (L / 2)) of all n; the
    first is 0, the last right edge is `largest`, and none lies beyond it.
    """
    half = leaves // 2
    ranks = np.arange(1, half) * (len(differences) - 1) // half
    inner = np.minimum(np.partition(differences, ranks)[ranks], largest)
    upper = np.concatenate([[0.0], inner, [largest]])
    return np.concatenate([-upper[:0:-1], upper])


def leaf_of(difference: Tensor, edges: Tensor) -> Tensor:
    """Leaf (P,) of each difference (P,): with l <= d < r, and for d below 0 with l < d <= r.

    Beyond the last edge it is the outer leaf. A leaf without width (two equal edges) is never it.
    """
    leaves = len(edges) - 1
    upper = edges[leaves // 2 + 1 :]  # right edges of the upper half
    step = torch.searchsorted(upper, difference.abs(), right=True).clamp(max=len(upper) - 1)
    return torch.where(difference < 0, leaves // 2 - 1 - step, leaves // 2 + step)


def to_place(difference: Tensor, leaf: Tensor, edges: Tensor) -> Tensor:
    """Where in its leaf (P,) each difference lies: 0 at the left edge, 1 at the right."""
    left, width = edges[leaf], _width(leaf, edges)
    return (difference - left) / width


def from_place(place: Tensor, leaf: Tensor, edges: Tensor) -> Tensor:
    """The difference (P,) at a place (P,) of a leaf."""
    return edges[leaf] + _width(leaf, edges) * place


def _width(leaf: Tensor, edges: Tensor) -> Tensor:
    """Width of each leaf, 1 for one without any, whose place is then the distance from its edge."""
    width = edges[leaf + 1] - edges[leaf]
    return torch.where(width == 0, 1.0, width)
