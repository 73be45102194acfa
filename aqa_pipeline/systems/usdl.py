"""USDL: a score is learnt as a distribution, and the likeliest score is said.

Tang, Ni, Zhou, Zhang, Lu, Wu, Zhou, "Uncertainty-aware Score Distribution Learning for Action Quality Assessment", CVPR
2020; released code: nzl-thu/MUSDL. The judges' disagreement makes a score uncertain, so the label is a normal density
over bins, and the Kullback-Leibler divergence of the predicted distribution from it is made small.

Where paper and code differ, the default is the paper, and the code has a name:

    pooling     "scores": every snippet has scores, whose mean goes into the softmax; "features", the code: one MLP on
                the mean of the snippets' features
    reduction   "sum" over the bins; "mean", the code: the `bins`-th part of it
    top         of the bins. None: the largest target of the training part; the code has MTL-AQA's 104.5, which is the
                largest of the test part, where the training part ends at 102.6
    decode      "argmax", as both do (a comment in the code says expectation); "expectation" knows values between bins

With the difficulty known, execution scores are learnt and multiplied by it afterwards (`target: execution`); the code
of USDL knows no difficulty, so that this is as CoRe does it.

Shapes: B clips, S snippets, D channels of a feature, N bins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from aqa_pipeline.backbones import i3d
from aqa_pipeline.batches import Clips, Facts
from aqa_pipeline.errors import InputError, expect_one_of
from aqa_pipeline.layers import distributions
from aqa_pipeline.systems import _encoders, _released

needs = {"features", "draws"}
raw_target = True  # bins are marks or points

STARTS = [*range(0, 81, 10), 87]  # of the ten snippets of 103 frames; JIGSAWS: 0, 16, .. 144 of 160 frames

tiny = dict(dim=5, bins=7, sigma=1.0, hidden=[6])


class USDL(nn.Module):
    """The parts are made by `build`; `values` of the bins are NaN until `learn_labels` has said where they end."""

    def __init__(
        self,
        encoder: nn.Module,  # clips -> (B, S, D)
        head: distributions.Head,  # (B, S, D) -> (B, N)
        values: Tensor,  # (N,)
        *,
        sigma: float,
        decode: str,
        reduction: str,
    ) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head
        self.register_buffer("values", values)
        self.sigma, self.decode, self.reduction = sigma, decode, reduction
        self.bottom = float(values[0])
        self.learns_top = bool(values[-1].isnan())

    def learn_labels(self, labels: Clips) -> None:
        """Let the bins end at the largest target of the training part, unless options say where."""
        if self.learns_top:
            self.values.copy_(_values(self.bottom, float(labels.target.max()), len(self.values)))

    def forward(self, clips: Clips) -> Tensor:
        """Logits of the score distributions (B, N)."""
        return self.head(self.encoder(clips)[0])

    def loss(self, batch: Clips) -> dict[str, Tensor]:
        """Divergence of the predicted distribution from the soft label, mean over the clips."""
        step = self.values[1] - self.values[0]
        labels = distributions.gaussian((batch.target - self.values[0]) / step, len(self.values), sigma=self.sigma)
        return {"score": distributions.divergence(self(batch), labels, reduction=self.reduction).mean()}

    def predict(self, batch: Clips) -> Tensor:
        """Predicted target (B,)."""
        return distributions.decode(self(batch), self.values, how=self.decode)


def _values(bottom: float, top: float, bins: int) -> Tensor:
    if not top > bottom:
        raise InputError(f"top: found {top} for bins from {bottom}, expected more")
    return torch.linspace(bottom, top, bins, dtype=torch.float64).float()


def build(
    facts: Facts,
    *,
    dim: int = 64,
    hidden: list[int] = [256, 128],
    bins: int = 101,
    sigma: float = 5.0,
    bottom: float = 0.0,
    top: float | None = None,
    pooling: str = "scores",
    decode: str = "argmax",
    reduction: str = "sum",
    starts: list[int] = STARTS,
    width: float = 1.0,
    weights: str = "",
    freeze_batch_norm: bool = False,
    eps: float = 1e-3,
    momentum: float = 0.01,
    pixels: str = "imagenet",
    dropout: float = 0.0,
) -> USDL:
    """The model for clips of `facts`.

    Parameters
    ----------
    bins, bottom, top
        Bins and the values of the first and last, in units of the target. MTL-AQA: 101 from 0 to 104.5; JIGSAWS: 25
        from 6 to 30.
    sigma
        Of the soft labels, in bins: 5 for MTL-AQA, 1 for JIGSAWS.
    starts, width, weights, freeze_batch_norm, eps, momentum, pixels, dim, dropout
        See `_encoders.snippets`; batch normalisation is that of the released code, and sees one snippet of all clips
        at a time.
    """
    expect("usdl", bins=bins, sigma=sigma, pooling=pooling, decode=decode, reduction=reduction)
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
    return on(
        encoder, hidden=hidden, bins=bins, sigma=sigma, bottom=bottom, top=top, pooling=pooling, decode=decode,
        reduction=reduction,
    )  # fmt: skip


def on(
    encoder: nn.Module,
    *,
    hidden: Sequence[int],
    bins: int,
    sigma: float,
    bottom: float,
    top: float | None,
    pooling: str,
    decode: str,
    reduction: str,
) -> USDL:
    """The model on what any encoder sees, clips -> (B, S, D) first of a tuple; options as in `build`."""
    unknown = torch.full((bins,), torch.nan)
    unknown[0] = bottom
    return USDL(
        encoder,
        distributions.Head(encoder.dim, bins, hidden=hidden, pooling=pooling),
        unknown if top is None else _values(bottom, top, bins),
        sigma=sigma,
        decode=decode,
        reduction=reduction,
    )


def expect(system: str, *, bins: int, sigma: float, pooling: str, decode: str, reduction: str) -> None:
    """InputError for an option of a score distribution that is none."""
    for name, found, known in (
        ("pooling", pooling, distributions.POOLINGS),
        ("decode", decode, distributions.DECODES),
        ("reduction", reduction, distributions.REDUCTIONS),
    ):
        expect_one_of(f"{system}.{name}", found, known)
    if bins < 2:
        raise InputError(f"{system}.bins: found {bins}, expected 2 or more")
    if sigma <= 0:
        raise InputError(f"{system}.sigma: found {sigma}, expected more than 0")


def from_official(state_dicts: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The released parameters, "i3d" and "evaluator" of a checkpoint, under our names.

    All but `values` of the bins, which no checkpoint holds: they follow from the options.
    """
    return encoder_from_official(state_dicts["i3d"]) | head_from_official(state_dicts["evaluator"], "evaluator", "head")


def encoder_from_official(parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The released I3D under the names of our encoder, without its 157 classes."""
    names = i3d.kinetics_names(_released.bare(parameters))
    return {f"encoder.backbone.{name}": value for name, value in names.items() if not name.startswith(i3d.HEAD)}


def head_from_official(parameters: Mapping[str, Tensor], theirs: str, ours: str) -> dict[str, Tensor]:
    """One released MLP: `layer1`, `layer2`, `layer3` are our maps 0, 2 and 4, with a ReLU between them."""
    own = {name: value for name, value in _released.bare(parameters).items() if name.startswith(f"{theirs}.layer")}
    renamed = {}
    for name, value in own.items():
        layer, kind = name.removeprefix(f"{theirs}.layer").split(".")
        renamed[f"{ours}.maps.{2 * int(layer) - 2}.{kind}"] = value
    return renamed
