"""The body of MSCADC: a small C3D that widens its view by dilation where C3D would pool.

Parmar, Morris, "What and How Well You Performed? A Multitask Learning Approach to Action Quality Assessment", CVPR 2019;
released code: ParitoshParmar/MTL-AQA. Ten convolutions with batch normalisation; the last two are dilated. The very last
is padded by one where it would take two, so that a map loses two in each of its sizes.

A convolution before a batch normalisation has no bias here. The released one has, which the normalisation takes out
again: `without_biases` makes it part of the running mean.

Shapes: N clips of T frames of H x W pixels; maps of t = T / 4 - 2 by h = H / 8 - 2 by w = W / 8 - 2, divisions rounded
down; C channels, 256 at width 1. 16 frames of 180 x 180 give 2 x 20 x 20.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from aqa_pipeline import weights as stored_weights

SMALLEST = (12, 24, 24)  # frames, height and width that leave one place of a map

tiny = dict(width=0.05)


class Body(nn.Module):
    """`width` is a factor of every number of channels, at least 2; only 1 fits the published weights."""

    def __init__(self, *, width: float = 1.0) -> None:
        super().__init__()
        sizes = [3, *(max(2, round(channels * width)) for channels in (32, 64, 128, 128, 256, 256, 256, 256))]
        one, two, three_a, three_b, four_a, four_b, five_a, five_b = map(unit, sizes, sizes[1:])
        five_a[0].dilation, five_a[0].padding = (2, 2, 2), (2, 2, 2)
        five_b[0].dilation = (2, 2, 2)
        self.dim = sizes[-1]
        self.layers = nn.Sequential(
            OrderedDict(
                conv1=one,
                pool1=nn.MaxPool3d((1, 2, 2)),
                conv2=two,
                pool2=nn.MaxPool3d(2),
                conv3a=three_a,
                conv3b=three_b,
                pool3=nn.MaxPool3d(2),
                conv4a=four_a,
                conv4b=four_b,
                conv5a=five_a,
                conv5b=five_b,
            )
        )

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (N, 3, T, H, W) to maps (N, C, t, h, w)."""
        return self.layers(clips)
