"""Graph convolution over the levels of a body, from its centre outwards; a level is two neighbouring rings of joints.

After HD-GCN (Lee et al., ICCV 2023, "Hierarchically Decomposed Graph Convolutional Networks for Skeleton-Based Action
Recognition", arXiv 2208.10741), as HP-MCoRe takes it over; sizes are its released code's.

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
    """Each node from its nearest neighbours in feature space, itself among them: (B, C, V) -> (B, C', V).

    Wang et al. 2019, "Dynamic Graph CNN for Learning on Point Clouds" (arXiv 1801.07829).
    """

    def __init__(self, inputs: int, outputs: int, *, neighbours: int) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.map = nn.Sequential(
            nn.Conv2d(2 * inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)
        )

    def forward(self, nodes: Tensor) -> Tensor:
        x = nodes.transpose(1, 2)  # (B, V, C)
        with torch.no_grad():
            apart = (x[:, :, None] - x[:, None]).square().sum(dim=3)  # (B, V, V)
            near = apart.topk(min(self.neighbours, x.shape[1]), largest=False).indices  # (B, V, N)
        found = x[torch.arange(len(x), device=x.device)[:, None, None], near]  # (B, V, N, C)
        own = x[:, :, None].expand_as(found)
        edges = torch.cat([found - own, own], dim=3).permute(0, 3, 1, 2)  # (B, 2 C, V, N)
        return self.map(edges).max(dim=3).values


class LevelAttention(nn.Module):
    """Levels weighted by what their joints did at most, channel by channel: (B, C, L, T, V) -> (B, C, T, V)."""

    def __init__(self, channels: int, levels: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.levels = [list(joints) for joints in levels]
        few = channels // BRANCHES
        self.down = _pointwise(channels, few, active=True)
        self.across = EdgeConvolution(few, few, neighbours=1)
        self.up = nn.Conv1d(few, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        most = self.down(x.max(dim=3).values)  # (B, C / 4, L, V)
        means = [most[:, :, level, joints].mean(dim=2) for level, joints in enumerate(self.levels)]
        weights = self.up(self.across(torch.stack(means, dim=2))).sigmoid()  # (B, C, L)
        return (x * weights[..., None, None]).sum(dim=2)


class HierarchicalConvolution(nn.Module):
    """Each level by its graphs, which are learnt on from where they start, and by edges; then the levels merged.

    Parameters
    ----------
    graphs : (L, 3, V, V)
    levels : joints of each level for the attention, or None to add the levels up
    """

    def __init__(
        self, inputs: int, outputs: int, graphs: Tensor, *, levels: Sequence[Sequence[int]] | None = None
    ) -> None:
        super().__init__()
        few = outputs // BRANCHES
        self.graphs = nn.Parameter(graphs.clone())
        self.down = nn.ModuleList(_pointwise(inputs, few, active=True) for _ in graphs)
        self.maps = nn.ModuleList(nn.ModuleList(_pointwise(few, few) for _ in of_level) for of_level in graphs)
        self.edges = nn.ModuleList(EdgeConvolution(few, few, neighbours=NEIGHBOURS) for _ in graphs)
        self.attention = LevelAttention(outputs, levels) if levels else None
        self.beside = _pointwise(inputs, outputs) if inputs != outputs else nn.Identity()
        self.norm = nn.BatchNorm2d(outputs)
        self.apply(_initialise)
        nn.init.constant_(self.norm.weight, 1e-6)  # a layer begins as what stands beside it

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, V) -> (B, C', T, V)."""
        levels = torch.stack([self._level(x, level) for level in range(len(self.graphs))], dim=2)  # (B, C', L, T, V)
        merged = self.attention(levels) if self.attention is not None else levels.sum(dim=2)
        return (self.norm(merged) + self.beside(x)).relu()

    def _level(self, x: Tensor, level: int) -> Tensor:
        x = self.down[level](x)  # (B, C' / 4, T, V)
        parts = [map(x @ graph.T) for map, graph in zip(self.maps[level], self.graphs[level], strict=True)]
        edges = self.edges[level](x.mean(dim=2))  # (B, C' / 4, V)
        return torch.cat([*parts, edges[:, :, None].expand_as(x)], dim=1)


class TemporalConvolution(nn.Module):
    """Four views of time beside each other: near, twice as far, the strongest of three frames, one frame alone."""

    def __init__(self, channels: int, *, size: int = 5) -> None:
        super().__init__()
        few = channels // BRANCHES
        self.near, self.far = (
            nn.Sequential(
                _pointwise(channels, few, active=True),
                nn.Conv2d(few, few, (size, 1), padding=(size // 2 * dilation, 0), dilation=(dilation, 1)),
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


def _pointwise(inputs: int, outputs: int, *, active: bool = False) -> nn.Sequential:
    """Each joint of each frame by itself."""
    layers = [nn.Conv2d(inputs, outputs, 1), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, nn.ReLU()) if active else nn.Sequential(*layers)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
