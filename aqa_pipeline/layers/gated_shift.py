"""Gated shift: features of a frame that a picture network looks at, mixed with those of its neighbours in time.

Sudhakaran, Escalera, Lanz, "Gate-Shift Networks for Video Action Recognition", CVPR 2020, as the MCoRe systems insert
it before a convolution (after Hong et al., "Spotting Temporally Precise, Fine-Grained Events in Video", ECCV 2022).

Shapes: B clips of T frames; C channels, F of which may move; H, W pixels.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class GatedShift(nn.Module):
    """About a quarter of the channels: half of them may go a frame back, the other half a frame ahead.

    A gate in -1 .. 1 for each place says how much of them goes. Gates start at 0: nothing moves, but the order of the
    channels is the one that it will have.
    """

    def __init__(self, channels: int, *, n_frames: int) -> None:
        super().__init__()
        self.n_frames = n_frames
        self.moving = 4 * math.ceil(channels // 4 / 4)  # a quarter, to a multiple of 4
        assert 0 < self.moving <= channels, channels
        self.norm = nn.BatchNorm3d(self.moving)
        self.gate = nn.Conv3d(self.moving, 2, 3, padding=1, groups=2)
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)

    def forward(self, frames: Tensor) -> Tensor:
        """Frames (B T, C, H, W) of clips one after the other; the same shape."""
        moving, staying = frames.tensor_split([self.moving], dim=1)
        clips = moving.unflatten(0, (-1, self.n_frames)).transpose(1, 2)  # (B, F, T, H, W)
        gates = self.gate(self.norm(clips).relu()).tanh()  # (B, 2, T, H, W)
        halves = clips.unflatten(1, (2, -1))  # (B, 2, F / 2, T, H, W)
        going = gates[:, :, None] * halves
        back = functional.pad(going[:, 0, :, 1:], (0, 0, 0, 0, 0, 1))  # the last frame is left with nothing
        ahead = functional.pad(going[:, 1, :, :-1], (0, 0, 0, 0, 1, 0))
        mixed = halves - going + torch.stack([back, ahead], dim=1)
        # Within each half the two quarters are interleaved, channel by channel.
        mixed = mixed.unflatten(2, (2, -1)).transpose(2, 3).flatten(1, 3)  # (B, F, T, H, W)
        return torch.cat([mixed.transpose(1, 2).flatten(0, 1), staying], dim=1)
