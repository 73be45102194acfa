"""Losses of predicted masks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def focal_loss(logits: Tensor, mask: Tensor, *, gamma: float = 2.0) -> Tensor:
    """Mean cross-entropy of the pixels, each weighed by how wrong it is to the power `gamma`; both of one shape.

    Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, equation 4, without weights of the classes.
    """
    entropy = functional.binary_cross_entropy_with_logits(logits, mask.to(logits.dtype), reduction="none")
    return ((1 - torch.exp(-entropy)) ** gamma * entropy).mean()
