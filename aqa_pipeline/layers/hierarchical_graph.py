"""Graph convolution over the levels of a body, from its centre outwards; a level is two neighbouring rings of joints.

After HD-GCN (Lee et al., ICCV 2023, "Hierarchically Decomposed Graph Convolutional Networks for Skeleton-Based Action
Recognition", arXiv 2208.10741), as HP-MCoRe takes it over; sizes are its released code's, but for the biases that a
normalisation takes away again.

Shapes: B clips, C channels, T frames, V joints, L levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

BRANCHES = 4  # of either convolution, each a quarter of the channels
NEIGHBOURS = 5  # of a joint in feature space


def hierarchy(groups: Sequence[Sequence[int]], joints: int) -> Tensor:
    """Graphs (L, 3, V, V) of neighbouring groups, [to, from]: each joint itself, inner to outer, outer to inner.

    Every inner joint is tied to every outer one; what leaves a joint sums to one (columns).
    """
    graphs = torch.zeros(len(groups) - 1, 3, joints, joints)
    for graph, (inner, outer) in zip(graphs, pairwise(map(torch.tensor, groups)), strict=True):
        both = torch.cat([inner, outer])
        graph[0, both, both] = 1
        graph[1, outer[:, None], inner] = 1 / len(outer)
        graph[2, inner[:, None], outer] = 1 / len(inner)
    return graphs


class EdgeConvolution(nn.Module):
    """Each node from its nearest neighbours in feature space, itself among them: (B, L C, V) -> (B, L C', V).

    Wang et al. 2019, "Dynamic Graph CNN for Learning on Point Clouds" (arXiv 1801.07829). L `graphs` lie side by side
    in the channels, each with neighbours of its own.
    """

    def __init__(self, inputs: int, outputs: int, *, neighbours: int, graphs: int = 1) -> None:
        super().__init__()
        self.neighbours, self.graphs = neighbours, graphs
        self.map = nn.Sequential(
            nn.Conv2d(2 * graphs * inputs, graphs * outputs, 1, groups=graphs, bias=False),
            nn.BatchNorm2d(graphs * outputs),
            nn.LeakyReLU(0.2),
        )

    def forward(self, nodes: Tensor) -> Tensor:
        x = nodes.unflatten(1, (self.graphs, -1)).flatten(0, 1).transpose(1, 2)  # (B L, V, C)
        with torch.no_grad():
            apart = (x[:, :, None] - x[:, None]).square().sum(dim=3)  # (B L, V, V)
            near = apart.topk(min(self.neighbours, x.shape[1]), largest=False).indices  # (B L, V, N)
        found = x[torch.arange(len(x), device=x.device)[:, None, None], near]  # (B L, V, N, C)
        own = x[:, :, None].expand_as(found)
        edges = torch.cat([found - own, own], dim=3).permute(0, 3, 1, 2)  # (B L, 2 C, V, N)
        return self.map(edges.unflatten(0, (-1, self.graphs)).flatten(1, 2)).max(dim=3).values


class LevelAttention(nn.Module):
    """Levels weighted by what their joints did at most, channel by channel: (B, L, C, T, V) -> (B, C, T, V)."""

    def __init__(self, channels: int, levels: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.levels = [list(joints) for joints in levels]
        few = channels // BRANCHES
        self.down = _pointwise(channels, few, active=True)
        self.across = EdgeConvolution(few, few, neighbours=1)
        self.up = nn.Conv1d(few, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        most = self.down(x.max(dim=3).values.transpose(1, 2))  # (B, C / 4, L, V)
        means = [most[:, :, level, joints].mean(dim=2) for level, joints in enumerate(self.levels)]
        weights = self.up(self.across(torch.stack(means, dim=2))).sigmoid()  # (B, C, L)
        return (x * weights.transpose(1, 2)[..., None, None]).sum(dim=1)


class HierarchicalConvolution(nn.Module):
    """Each level by its graphs, which are learnt on from where they start, and by edges; then the levels merged.

    Levels lie side by side in the channels, so that each kind of layer is one layer for all of them.

    Parameters
    ----------
    graphs : (L, 3, V, V)
    levels : joints of each level for the attention, or None to add the levels up
    """

    def __init__(
        self, inputs: int, outputs: int, graphs: Tensor, *, levels: Sequence[Sequence[int]] | None = None
    ) -> None:
        super().__init__()
        few, count = outputs // BRANCHES, len(graphs)
        each = graphs.shape[:2].numel()  # of every level
        self.graphs = nn.Parameter(graphs.clone())
        self.down = _pointwise(inputs, count * few, active=True)
        self.maps = _pointwise(each * few, each * few, groups=each)
        self.edges = EdgeConvolution(few, few, neighbours=NEIGHBOURS, graphs=count)
        self.attention = LevelAttention(outputs, levels) if levels else None
        self.beside = _pointwise(inputs, outputs) if inputs != outputs else nn.Identity()
        self.norm = nn.BatchNorm2d(outputs)
        self.apply(_initialise)
        nn.init.constant_(self.norm.weight, 1e-6)  # a layer begins as what stands beside it

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, V) -> (B, C', T, V)."""
        few = self.down(x)  # (B, L C' / 4, T, V)
        along = torch.einsum("blctu,lsvu->blsctv", few.unflatten(1, (len(self.graphs), -1)), self.graphs)
        mapped = self.maps(along.flatten(1, 3)).unflatten(1, (len(self.graphs), -1))  # (B, L, 3 C' / 4, T, V)
        edges = self.edges(few.mean(dim=2)).unflatten(1, (len(self.graphs), -1))  # (B, L, C' / 4, V)
        edges = edges[:, :, :, None].expand(-1, -1, -1, x.shape[2], -1)
        levels = torch.cat([mapped, edges], dim=2)  # (B, L, C', T, V)
        merged = self.attention(levels) if self.attention is not None else levels.sum(dim=1)
        return (self.norm(merged) + self.beside(x)).relu()


class TemporalConvolution(nn.Module):
    """Four views of time beside each other: near, twice as far, the strongest of three frames, one frame alone."""

    def __init__(self, channels: int, *, size: int = 5) -> None:
        super().__init__()
        few = channels // BRANCHES
        self.near, self.far = (
            nn.Sequential(
                _pointwise(channels, few, active=True),
                nn.Conv2d(few, few, (size, 1), padding=(size // 2 * dilation, 0), dilation=(dilation, 1), bias=False),
                nn.BatchNorm2d(few),
            )
            for dilation in (1, 2)
        )
        self.strongest = nn.Sequential(
            _pointwise(channels, few, active=True), nn.MaxPool2d((3, 1), 1, (1, 0)), nn.BatchNorm2d(few)
        )
        self.alone = _pointwise(channels, few)
        self.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, V) -> (B, C, T, V)."""
        return torch.cat([view(x) for view in (self.near, self.far, self.strongest, self.alone)], dim=1)


class Unit(nn.Module):
    """Convolution over the body, then over time, beside the input (but for a network's first unit)."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        graphs: Tensor,
        *,
        levels: Sequence[Sequence[int]] | None = None,
        first: bool = False,
    ) -> None:
        super().__init__()
        self.body = HierarchicalConvolution(inputs, outputs, graphs, levels=levels)
        self.time = TemporalConvolution(outputs)
        self.beside = None if first else _pointwise(inputs, outputs) if inputs != outputs else nn.Identity()
        if self.beside is not None:
            self.beside.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, V) -> (B, C', T, V)."""
        y = self.time(self.body(x))
        return (y if self.beside is None else y + self.beside(x)).relu()


def _pointwise(inputs: int, outputs: int, *, groups: int = 1, active: bool = False) -> nn.Sequential:
    """Each joint of each frame by itself."""
    layers = [nn.Conv2d(inputs, outputs, 1, groups=groups, bias=False), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, nn.ReLU()) if active else nn.Sequential(*layers)


def _initialise(module: nn.Module) -> None:
    """He et al. 2015 by what leaves a channel, each group by itself."""
    if isinstance(module, nn.Conv2d):
        leaving = module.weight[0, 0].numel() * module.out_channels // module.groups
        nn.init.normal_(module.weight, std=(2 / leaving) ** 0.5)
