"""The body of MSCADC: a small C3D that widens its view by dilation where C3D would pool.

Parmar, Morris, "What and How Well You Performed? A Multitask Learning Approach to Action Quality Assessment", CVPR
2019; released code: ParitoshParmar/MTL-AQA. Eight convolutions with batch normalisation, of which the last two are
dilated. The very last is padded by one where it would take two, so that a map loses two in each of its sizes.

A convolution before a batch normalisation has no bias here. The released one has, which the normalisation takes out
again: `normalisation.without_biases` makes it part of the running mean.

Shapes: N clips of T frames of H x W pixels; maps of t = T / 4 - 2 by h = H / 8 - 2 by w = W / 8 - 2, divisions rounded
down; C channels, 256 at width 1. 16 frames of 180 x 180 give 2 x 20 x 20.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from aqa_pipeline import weights as stored_weights
from aqa_pipeline.layers.normalisation import without_biases

Sizes = tuple[int, int, int]  # of time, height and width

CHANNELS = {"1": 32, "2": 64, "3a": 128, "3b": 128, "4a": 256, "4b": 256, "5a": 256, "5b": 256}
SMALLEST = (16, 32, 32)  # frames, height and width, which leave two places of a map each way

tiny = dict(width=0.05)


class Body(nn.Module):
    """`width` is a factor of every number of channels, which stay at least 2; only 1 fits published weights."""

    def __init__(self, *, width: float = 1.0) -> None:
        super().__init__()
        sizes = [3, *(max(2, round(width * channels)) for channels in CHANNELS.values())]
        dilated = {"5a": dict(dilation=2, padding=2), "5b": dict(dilation=2)}
        for name, inputs, outputs in zip(CHANNELS, sizes, sizes[1:], strict=False):
            self.add_module(f"unit{name}", unit(inputs, outputs, **dilated.get(name, {})))
        self.pool1, self.pool2, self.pool3 = nn.MaxPool3d((1, 2, 2)), nn.MaxPool3d(2), nn.MaxPool3d(2)
        self.dim = sizes[-1]

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (N, 3, T, H, W) to maps (N, C, t, h, w)."""
        x = self.pool1(self.unit1(clips))
        x = self.pool2(self.unit2(x))
        x = self.pool3(self.unit3b(self.unit3a(x)))
        x = self.unit4b(self.unit4a(x))
        return self.unit5b(self.unit5a(x))


def unit(
    inputs: int, outputs: int, size: int | Sizes = 3, *, padding: int | Sizes = 1, dilation: int | Sizes = 1
) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU."""
    convolution = nn.Conv3d(inputs, outputs, size, padding=padding, dilation=dilation, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm3d(outputs), nn.ReLU(inplace=True))


def build(*, width: float = 1.0, weights: str | None = None) -> Body:
    """The network, from nothing or from `weights`: see `load_pretrained`."""
    model = Body(width=width)
    return load_pretrained(model, weights) if weights else model


def load_pretrained(model: Body, name: str | Path) -> Body:
    """Fill a model with weights of UCF-101, a name of the registry or a file, and return it.

    Layers after the last convolution are left out, which the log says. InputError where anything else is missing, left
    over or of another shape.
    """
    stored_weights.fill_body(model, released_names(stored_weights.load(name)), name, head="fc")
    return model


def released_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by the names of `Body`, without biases of convolutions: `conv3a.weight` is `unit3a.0.weight`."""
    layers = {f"{kind}{name}": f"unit{name}.{i}" for name in CHANNELS for i, kind in enumerate(("conv", "bn"))}
    biased = {f"conv{name}": f"bn{name}" for name in CHANNELS}
    parted = [(*name.rsplit(".", 1), tensor) for name, tensor in without_biases(tensors, biased).items()]
    return {f"{layers.get(layer, layer)}.{kind}": tensor for layer, kind, tensor in parted}
