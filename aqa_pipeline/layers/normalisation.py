"""Batch normalisation that keeps its statistics, as in networks fine-tuned with small batches; biases before one."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm


def frozen_batch_norm(module: nn.Module) -> nn.Module:
    """Let all batch normalisations in a module use their running statistics, also in training; returns the module.

    Scale and shift go on learning, as in CoRe, TSA and FineParser. `state_dict` keeps its names, and a copy, pickled or
    deep, stays frozen.
    """
    for norm in module.modules():
        if isinstance(norm, _BatchNorm) and not _is_frozen(norm):
            norm.eval().register_forward_pre_hook(_stay)
    return module


def normalised_convolution(conv: nn.Conv3d, norm: nn.Module, x: Tensor) -> Tensor:
    """What `norm(conv(x))` answers, for a convolution without bias: x (N, C, t, h, w) to (N, C', t', h', w').

    Where the statistics stay, normalisation is linear, and the convolution is computed with scaled weights. All weights
    get the gradients they would get otherwise; in training, half of the maps need not be kept for them.
    """
    if not isinstance(norm, _BatchNorm) or (norm.training and not _is_frozen(norm)):
        return norm(conv(x))
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    shift = norm.bias - norm.running_mean * scale
    weight = conv.weight * scale[:, None, None, None, None]
    return functional.conv3d(x, weight, shift, conv.stride, conv.padding, conv.dilation, conv.groups)


def without_biases(tensors: Mapping[str, Tensor], normalised: Mapping[str, str]) -> dict[str, Tensor]:
    """The same network without the biases of convolutions that a batch normalisation follows, `{conv: norm}`.

    A bias moves the mean that the normalisation takes off, so that it is taken off the running mean.
    """
    found = dict(tensors)
    for convolution, norm in normalised.items():
        if f"{convolution}.bias" in found:
            mean = f"{norm}.running_mean"
            found[mean] = found[mean] - found.pop(f"{convolution}.bias").flatten()
    return found


def _is_frozen(norm: _BatchNorm) -> bool:
    return _stay in norm._forward_pre_hooks.values()


def _stay(norm: nn.Module, _: object) -> None:
    """Undo, before each pass, what a call of `train` on the whole network did."""
    norm.training = False
