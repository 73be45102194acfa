"""C3D: 3 x 3 x 3 convolutions and pooling on clips of 16 frames, what the first AQA networks see a video with.

Tran, Bourdev, Fergus, Torresani, Paluri, "Learning Spatiotemporal Features with 3D Convolutional Networks", ICCV 2015.
Two layouts go by the name:

    s1m         eight convolutions, as trained on Sports-1M; names and shapes of the parameters are those of the common
                PyTorch port (`c3d.pickle`, DavideA/c3d-pytorch). Used by the PyTorch code of C3D-LSTM and by C3D-AVG.
    ucf_small   five convolutions, a smaller network of Video-Caffe for UCF-101. Used by the first C3D-LSTM (LTSOE).

Caffe rounds the size of the last pooling up, and the PyTorch ports pad it in front instead: seven places become four
either way, but two of them do not see the same. `s1m` does as the ports, `ucf_small` as Caffe.

Shapes: N clips of T frames of H x W pixels, T at least 16; maps of t = T / 16, rounded down, by about h = H / 32 by
w = W / 32; C channels, at width 1 512 of `s1m` and 256 of `ucf_small`; F features of the layer fc6, 4096 and 2048.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from aqa_pipeline import weights as stored_weights
from aqa_pipeline.errors import expect_one_of

CLIP = 16  # frames of what it is shown at a time
SIDE = 112  # pixels of the square that it was trained on

# The layers of torch's Sequentials in the file of jfzhang95/pytorch-video-recognition.
_SEQUENTIAL = dict(zip((0, 3, 6, 8, 11, 13, 16, 18), ("1", "2", "3a", "3b", "4a", "4b", "5a", "5b"), strict=True))


@dataclass(frozen=True)
class Layout:
    """Channels of the convolutions of every stage, features of fc6, and how the last pooling looks at the edge."""

    stages: tuple[tuple[int, ...], ...]
    features: int
    padded: bool  # pool5: a row and a column before the map; else a last window that is not full counts


LAYOUTS = {
    "s1m": Layout(((64,), (128,), (256, 256), (512, 512), (512, 512)), features=4096, padded=True),
    "ucf_small": Layout(((64,), (128,), (256,), (256,), (256,)), features=2048, padded=False),
}

tiny = dict(layout="s1m", width=0.05)


class C3D(nn.Module):
    """Clips to one map each, and to one feature vector where `fc6` is asked for.

    Parameters
    ----------
    layout : one of `LAYOUTS`
    width : factor of every number of channels and features, which stay at least 2; only 1 fits published weights
    fc6 : whether it has the layer after the maps; that layer knows clips of 16 x `side` x `side` alone
    side : of the pictures, in pixels
    """

    def __init__(self, *, layout: str = "s1m", width: float = 1.0, fc6: bool = False, side: int = SIDE) -> None:
        super().__init__()
        expect_one_of("c3d.layout", layout, LAYOUTS)
        about = LAYOUTS[layout]

        def scaled(channels: int) -> int:
            return max(2, round(channels * width))

        self.stages: list[list[str]] = []  # names of the convolutions before each pooling
        self.dim = 3
        for number, stage in enumerate(about.stages, 1):
            letters = [""] if number < 3 else "ab"[: len(stage)]  # conv1, conv2, conv3a, conv3b ...
            self.stages.append([f"conv{number}{letter}" for letter in letters])
            for name, channels in zip(self.stages[-1], stage, strict=True):
                convolution = nn.Conv3d(self.dim, scaled(channels), 3, padding=1)
                # From nothing: without normalisation the signal would fade away from layer to layer (He et al., 2015).
                nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
                nn.init.zeros_(convolution.bias)
                self.add_module(name, convolution)
                self.dim = convolution.out_channels
        between = (nn.MaxPool3d(2) for _ in about.stages[2:])
        self.pools = nn.ModuleList([nn.MaxPool3d((1, 2, 2)), *between, _last_pool(about)])
        self.features = scaled(about.features) if fc6 else 0
        if fc6:
            self.fc6 = nn.Linear(self.dim * math.prod(self.map_size(CLIP, side, side)), self.features)

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (N, 3, T, H, W) to the maps after the last pooling (N, C, t, h, w)."""
        x = clips
        for names, pool in zip(self.stages, self.pools, strict=True):
            for name in names:
                x = functional.relu(self.get_submodule(name)(x), inplace=True)
            x = pool(x)
        return x

    def describe(self, clips: Tensor) -> Tensor:
        """Clips (N, 3, 16, side, side) to the features of fc6 (N, F), none negative."""
        return functional.relu(self.fc6(self(clips).flatten(1)))

    def map_size(self, frames: int, height: int, width: int) -> tuple[int, int, int]:
        """t, h and w of the maps of clips of this size."""
        x = torch.empty(1, 1, frames, height, width, device="meta")
        for pool in self.pools:
            x = pool(x)
        return tuple(x.shape[2:])


def _last_pool(about: Layout) -> nn.MaxPool3d:
    return nn.MaxPool3d(2, padding=(0, 1, 1)) if about.padded else nn.MaxPool3d(2, ceil_mode=True)


def build(
    *, layout: str = "s1m", width: float = 1.0, fc6: bool = False, side: int = SIDE, weights: str | None = None
) -> C3D:
    """The network, from nothing or from `weights`: see `load_pretrained`; the rest as in `C3D`."""
    model = C3D(layout=layout, width=width, fc6=fc6, side=side)
    return load_pretrained(model, weights) if weights else model


def load_pretrained(model: C3D, name: str | Path) -> C3D:
    """Fill a model with pre-trained weights, a name of the registry or a file, and return it.

    Layers after those that the model has (fc6, fc7, the classes) are left out, which the log says. InputError where
    anything else is missing, left over or of another shape.
    """
    head = ("fc7.", "fc8.") if model.features else "fc"
    stored_weights.fill_body(model, port_names(stored_weights.load(name)), name, head=head)
    return model


def port_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by the names of `C3D`; those of mmaction2 and of jfzhang95/pytorch-video-recognition are translated."""
    return {_translated(name): tensor for name, tensor in tensors.items()}


def _translated(name: str) -> str:
    """`backbone.conv1a.conv.bias` and `features.0.bias` are `conv1.bias`."""
    name = re.sub(r"^backbone\.", "", name)
    name = re.sub(r"^(conv\d[ab])\.conv\.", r"\1.", name)
    name = re.sub(r"^conv([12])a\.", r"conv\1.", name)
    name = re.sub(r"^cls_head\.fc_cls\.", "fc8.", name)
    name = re.sub(r"^classifier\.(\d+)\.", lambda found: f"fc{6 + int(found[1]) // 3}.", name)
    return re.sub(r"^features\.(\d+)\.", lambda found: f"conv{_SEQUENTIAL[int(found[1])]}.", name)
