"""An I3D that also says where the athlete is: FineParser's spatial action parser.

Xu et al., "FineParser: A Fine-grained Spatio-temporal Action Parser for Human-centric Action Quality Assessment", CVPR
2024; the code calls it `I3D_VOS`. Side outputs leave the network after four of its stages, are enlarged to the clip's
size by transposed convolutions, and give a mask each and one all together, in the manner of OSVOS (Caelles et al.,
CVPR 2017). As in the code the features do not depend on the masks: those are there for the loss.

Shapes: N clips of T frames of H x W pixels, T a multiple of 4, H and W of 16; C = 1024 features at width 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from aqa_pipeline.backbones.i3d import I3D, load_kinetics

SIDES = {  # stage of the I3D -> how much smaller than the clip it is in time and in space
    "conv3d_1a_7x7": (2, 2),
    "conv3d_2c_3x3": (2, 4),
    "mixed_3c": (2, 8),
    "mixed_4f": (4, 16),
}
_CHANNELS = 16  # of every side output

tiny = dict(width=0.05)


class I3DMasks(nn.Module):
    """Clips to one feature vector and five masks each; `width` is the factor of all channels."""

    def __init__(self, *, width: float = 1.0) -> None:
        super().__init__()
        self.i3d = I3D(width=width)
        self.dim = self.i3d.dim
        channels = max(2, round(_CHANNELS * width))
        self.sides = nn.ModuleDict(
            {stage: Side(self.i3d.channels[stage], channels, *factors) for stage, factors in SIDES.items()}
        )
        self.fuse = nn.Conv3d(channels * len(SIDES), 1, 1)
        _start(self.fuse)

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """Clips (N, 3, T, H, W) to features (N, C) and the logits of five masks (5, N, T, H, W), the fused one last."""
        maps, masks = self.maps(clips)
        return maps.mean(dim=(2, 3, 4)), masks

    def maps(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """The maps (N, C, t, h, w) that the features are means of, and the masks."""
        last = list(self.i3d.channels)[-1]
        maps = self.i3d.pyramid(clips, (*SIDES, last))
        enlarged, masks = zip(*(side(maps[stage]) for stage, side in self.sides.items()), strict=True)
        masks = [*masks, self.fuse(torch.cat(enlarged, dim=1))]
        return maps[last], torch.stack(masks)[:, :, 0]


class Side(nn.Module):
    """The answer of one stage at the size of the clip: some channels of it, and one mask."""

    def __init__(self, inputs: int, channels: int, frames: int, pixels: int) -> None:
        super().__init__()
        self.reduce = nn.Conv3d(inputs, channels, 1, bias=False)
        self.score = nn.Conv3d(channels, 1, 1)
        self.enlarge = _enlarging(channels, frames, pixels)
        self.enlarge_score = _enlarging(1, frames, pixels)
        _start(self.reduce)
        _start(self.score)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (N, inputs, t, h, w) to (N, channels, T, H, W) and (N, 1, T, H, W)."""
        reduced = self.reduce(maps)
        return self.enlarge(reduced), self.enlarge_score(self.score(reduced))


def _start(convolution: nn.Conv3d) -> None:
    nn.init.normal_(convolution.weight, std=0.001)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)


class _Enlarged(nn.ConvTranspose3d):
    """A transposed convolution whose kernel is twice its stride and whose padding is half of it.

    Every place of its output sees two places of the input along each axis, so that a convolution of size two gives all
    places between these two as channels. The weights are the same; on a CPU this takes a fraction of the time.
    """

    def forward(self, maps: Tensor) -> Tensor:
        frames, pixels, _ = self.stride
        halves = self.weight.unflatten(4, (2, pixels)).unflatten(3, (2, pixels)).unflatten(2, (2, frames))
        # The first half of the kernel belongs to the later place: (O frames pixels pixels, C, 2, 2, 2).
        weight = halves.flip(2, 4, 6).permute(1, 3, 5, 7, 0, 2, 4, 6).flatten(0, 3)
        between = functional.conv3d(maps, weight, padding=1).unflatten(1, (-1, frames, pixels, pixels))
        whole = between.permute(0, 1, 5, 2, 6, 3, 7, 4).flatten(6, 7).flatten(4, 5).flatten(2, 3)
        frame, pixel = (slice(n // 2, -(n // 2)) for n in (frames, pixels))
        return whole[:, :, frame, pixel, pixel]


def _enlarging(channels: int, frames: int, pixels: int) -> nn.ConvTranspose3d:
    """A transposed convolution, `frames` and `pixels` times larger, that starts as bilinear interpolation.

    Only of the picture, each channel by itself: as released, all places in time start alike, two of which meet.
    """
    factors = (frames, pixels, pixels)
    layer = _Enlarged(channels, channels, [2 * n for n in factors], factors, [n // 2 for n in factors], bias=False)
    with torch.no_grad():
        tent = 1 - (torch.arange(2 * pixels) - (pixels - 0.5)).abs() / pixels
        layer.weight.zero_()
        layer.weight.diagonal().copy_((tent[:, None] * tent)[None, :, :, None].expand(2 * frames, -1, -1, channels))
    return layer


def build(*, width: float = 1.0, weights: str | None = None) -> I3DMasks:
    """The network; `weights` are those of `i3d.load_kinetics`, for its I3D alone."""
    model = I3DMasks(width=width)
    if weights:
        load_kinetics(model.i3d, weights)
    return model
