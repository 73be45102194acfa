"""Convolution blocks that small picture networks share.

Shapes: (B, C, H, W) in, (B, C', H', W') out.
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


class ConvBlock(nn.Module):
    """Convolution, batch normalisation, ReLU; `stride=2` halves the picture."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, size: int = 3, active: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.active = active

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.conv(x))
        return x.relu_() if self.active else x

    def fold(self) -> None:
        """Make the normalisation part of the convolution, for good."""
        self.conv, self.norm = fuse_conv_bn_eval(self.conv, self.norm), nn.Identity()


class Residual(nn.Module):
    """Two convolutions beside the identity (He et al., "Deep Residual Learning", CVPR 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvBlock(channels, channels)
        self.second = ConvBlock(channels, channels, active=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x + self.second(self.first(x))).relu_()


def stage(inputs: int, outputs: int, *, blocks: int) -> nn.Sequential:
    """Halve the picture, change the channels, then `blocks` residual blocks."""
    return nn.Sequential(ConvBlock(inputs, outputs, stride=2), *(Residual(outputs) for _ in range(blocks)))


def folded(model: nn.Module) -> nn.Module:
    """A copy for inference in which every batch normalisation has become part of the convolution before it.

    Blocks that have both know how: they have a method `fold`.
    """
    model = copy.deepcopy(model).eval()
    for module in list(model.modules()):
        if hasattr(module, "fold"):
            module.fold()
    return model
