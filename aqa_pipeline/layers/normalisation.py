"""Batch normalisation that keeps the statistics it has, as in networks fine-tuned with small batches."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def frozen_batch_norm(module: nn.Module) -> nn.Module:
    """Let all batch normalisations in a module use their running statistics, also in training; returns the module.

    Scale and shift go on learning, as in CoRe, TSA and FineParser. `state_dict` keeps its names, and a copy, pickled or
    deep, stays frozen.
    """
    for norm in module.modules():
        if isinstance(norm, _BatchNorm) and _stay not in norm._forward_pre_hooks.values():
            norm.eval().register_forward_pre_hook(_stay)
    return module


def _stay(norm: nn.Module, _: object) -> None:
    """Undo, before each pass, what a call of `train` on the whole network did."""
    norm.training = False
