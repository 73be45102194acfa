"""Top-down keypoint estimator: where in the crop of one athlete each keypoint lies, as a distribution over cells.

An encoder to stride 32 that sees the whole body, and one way back up to stride 4 with additions from the
encoder, in the manner of Xiao, Wu, Wei, "Simple Baselines for Human Pose Estimation", ECCV 2018, and of
feature pyramids; 0.8 M parameters.

Shapes: (B, 3, S, S) crops in -1 .. 1; heatmaps (B, K, S / 4, S / 4); encoding (B, D).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from aqa_pipeline.layers.convolutions import ConvBlock, stage

tiny = dict(n_keypoints=5, channels=(4, 6, 8, 8, 10), blocks=(1, 0, 1, 1), head=7)


class HeatmapNet(nn.Module):
    stride = 4

    def __init__(self, *, n_keypoints: int, channels: tuple[int, ...], blocks: tuple[int, ...], head: int) -> None:
        super().__init__()
        first, *rest = channels
        self.dim = channels[-1]
        self.stem = ConvBlock(3, first, stride=2)
        inputs = channels[:-1]
        self.stages = nn.ModuleList(stage(i, o, blocks=n) for i, o, n in zip(inputs, rest, blocks, strict=True))
        ways = (head, *rest[1:-1])  # channels on the way up at strides 4, 8, 16
        above = (*rest[1:-1], rest[-1])
        self.up = nn.ModuleList(nn.Conv2d(a, way, 1) for a, way in zip(above, ways, strict=True))
        self.lateral = nn.ModuleList(nn.Conv2d(c, way, 1) for c, way in zip(rest[:-1], ways, strict=True))
        self.mix = nn.ModuleList(ConvBlock(way, way) for way in ways)
        self.out = nn.Conv2d(head, n_keypoints, 1)
        self.nowhere = nn.Linear(self.dim, n_keypoints)

    def levels(self, crops: torch.Tensor) -> list[torch.Tensor]:
        """Features at strides 4, 8, 16 and 32."""
        x = self.stem(crops)
        levels = []
        for down in self.stages:
            x = down(x)
            levels.append(x)
        return levels

    def encode(self, crops: torch.Tensor) -> torch.Tensor:
        """What the encoder sees in a crop, averaged over its deepest level: (B, D)."""
        return self.levels(crops)[-1].mean(dim=(2, 3))

    def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits of every cell (B, K, h, w), and of the keypoint being nowhere (B, K)."""
        *levels, x = self.levels(crops)
        nowhere = self.nowhere(x.mean(dim=(2, 3)))
        ways = zip(levels[::-1], self.up[::-1], self.lateral[::-1], self.mix[::-1], strict=True)
        for level, up, lateral, mix in ways:
            x = mix((lateral(level) + functional.interpolate(up(x), scale_factor=2.0, mode="nearest")).relu_())
        return self.out(x), nowhere


def build(
    *,
    n_keypoints: int,
    channels: tuple[int, ...] = (16, 32, 48, 80, 112),
    blocks: tuple[int, ...] = (1, 1, 2, 1),
    head: int = 48,
) -> HeatmapNet:
    """`channels` at strides 2 to 32, residual `blocks` at strides 4 to 32, `head` channels before the heatmaps."""
    return HeatmapNet(n_keypoints=n_keypoints, channels=tuple(channels), blocks=tuple(blocks), head=head)
