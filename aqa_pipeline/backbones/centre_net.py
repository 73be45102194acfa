"""One-class centre detector: where an athlete's box has its middle, and how large the box is.

Zhou, Wang, Kraehenbuehl, "Objects as Points", 2019, cut down to 0.2 M parameters: an encoder to stride 16,
one way back up to stride 4 with additions, three heads.

Shapes: (B, 3, H, W) pictures in -1 .. 1; h, w = H / 4, W / 4 cells.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from aqa_pipeline.layers.convolutions import ConvBlock, stage

tiny = dict(channels=(4, 6, 8, 10), blocks=(0, 1, 1), head=6)


class CentreNet(nn.Module):
    stride = 4

    def __init__(self, *, channels: tuple[int, ...], blocks: tuple[int, ...], head: int) -> None:
        super().__init__()
        first, *rest = channels
        self.stem = ConvBlock(3, first, stride=2)
        inputs = channels[:-1]
        self.stages = nn.ModuleList(stage(i, o, blocks=n) for i, o, n in zip(inputs, rest, blocks, strict=True))
        self.lateral = nn.ModuleList(nn.Conv2d(c, head, 1) for c in rest)
        self.mix = nn.ModuleList(ConvBlock(head, head) for _ in rest[:-1])
        self.out = nn.Conv2d(head, 5, 1)  # centre, offset x, offset y, log width, log height
        nn.init.constant_(self.out.bias, 0.0)
        nn.init.constant_(self.out.bias[:1], -4.0)  # almost no cell is a centre

    def forward(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        """`centre` logits (B, h, w); `offset` (B, 2, h, w) in cells; `size` (B, 2, h, w), log of cells."""
        x = self.stem(pictures)
        levels = []
        for down in self.stages:
            x = down(x)
            levels.append(x)
        y = self.lateral[-1](levels[-1])
        for level, lateral, mix in zip(levels[-2::-1], self.lateral[-2::-1], self.mix[::-1], strict=True):
            y = mix((lateral(level) + functional.interpolate(y, scale_factor=2.0, mode="nearest")).relu())
        out = self.out(y)
        return dict(centre=out[:, 0], offset=out[:, 1:3], size=out[:, 3:5])


def build(
    *, channels: tuple[int, ...] = (16, 24, 40, 64), blocks: tuple[int, ...] = (1, 1, 1), head: int = 32
) -> CentreNet:
    """`channels` at strides 2, 4, 8, 16; residual `blocks` at strides 4, 8, 16; `head` channels on the way up."""
    return CentreNet(channels=tuple(channels), blocks=tuple(blocks), head=head)
