"""I3D+MLP: the score as one number, regressed from what I3D saw; the baseline that USDL is held against.

Tang et al., CVPR 2020, Table 1 ("Regression" there); released code: nzl-thu/MUSDL, whose I3D, snippets and MLP it
shares with `usdl`. Its own loss was not released: the MLP is the code's with one output, the loss is the squared error.

Where the sources leave something open:

    pooling     "features", as the code pools for USDL: one MLP on the mean of the snippets' features; "scores": each
                snippet has a score, and their mean is said
    bottom, top ends of the scale on which a target lies between 0 and 1. None: the least and the largest target of the
                training part, as for each class of AQA-7; MTL-AQA has 0 and 104.5 in the code

Shapes: B clips, S snippets, D channels of a feature.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from aqa_pipeline.batches import Clips, Facts
from aqa_pipeline.errors import InputError, expect_one_of
from aqa_pipeline.layers.heads import TokenHead
from aqa_pipeline.systems import _encoders, usdl

needs = {"features", "draws"}
raw_target = True  # the scale is its own

POOLINGS = ("features", "scores")

tiny = dict(dim=5, hidden=[6])


class I3DMLP(nn.Module):
    """The parts are made by `build`; `ends` of the scale are NaN until `learn_labels` has found them."""

    def __init__(
        self,
        encoder: nn.Module,  # clips -> (B, S, D)
        head: TokenHead,  # (..., D) -> (...)
        *,
        bottom: float | None,
        top: float | None,
        pooling: str,
    ) -> None:
        super().__init__()
        self.encoder, self.head, self.pooling = encoder, head, pooling
        self.bottom, self.top = bottom, top
        self.register_buffer("ends", torch.full((2,), torch.nan))

    def learn_labels(self, labels: Clips) -> None:
        """Let the scale end at the least and the largest target of the training part, unless options say where."""
        bottom = float(labels.target.min()) if self.bottom is None else self.bottom
        top = float(labels.target.max()) if self.top is None else self.top
        if not top > bottom:
            raise InputError(f"i3d_mlp.top: found {top} for a scale from {bottom}, expected more")
        self.ends.copy_(torch.tensor([bottom, top]))

    def forward(self, clips: Clips) -> Tensor:
        """Place of each clip on the scale (B,), 0 to 1 between its ends."""
        features = self.encoder(clips)[0]  # (B, S, D)
        return self.head(features).mean(dim=1) if self.pooling == "scores" else self.head(features.mean(dim=1))

    def loss(self, batch: Clips) -> dict[str, Tensor]:
        """Squared error on the scale, mean over the clips."""
        bottom, top = self.ends
        return {"score": (self(batch) - (batch.target - bottom) / (top - bottom)).square().mean()}

    def predict(self, batch: Clips) -> Tensor:
        """Predicted target (B,); nothing keeps it between the ends."""
        bottom, top = self.ends
        return bottom + (top - bottom) * self(batch)


def build(
    facts: Facts,
    *,
    dim: int = 64,
    hidden: list[int] = [256, 128],
    bottom: float | None = None,
    top: float | None = None,
    pooling: str = "features",
    starts: list[int] = usdl.STARTS,
    width: float = 1.0,
    weights: str = "",
    freeze_batch_norm: bool = False,
    eps: float = 1e-3,
    momentum: float = 0.01,
    pixels: str = "imagenet",
    dropout: float = 0.0,
) -> I3DMLP:
    """The model for clips of `facts`.

    Parameters
    ----------
    bottom, top
        Ends of the scale, in units of the target; see above.
    starts, width, weights, freeze_batch_norm, eps, momentum, pixels, dim, dropout
        As in `usdl`.
    """
    expect_one_of("i3d_mlp.pooling", pooling, POOLINGS)
    encoder = _encoders.snippets(
        facts,
        starts=starts,
        dim=dim,
        width=width,
        weights=weights,
        freeze_batch_norm=freeze_batch_norm,
        eps=eps,
        momentum=momentum,
        apart=True,
        pixels=pixels,
        dropout=dropout,
    )
    return I3DMLP(encoder, TokenHead(encoder.dim, hidden=hidden), bottom=bottom, top=top, pooling=pooling)


def from_official(state_dicts: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The released parameters, "i3d" and "evaluator" of a checkpoint whose MLP has one output, under our names."""
    return usdl.from_official(state_dicts)
