"""MUSDL: every judge's mark is learnt as a distribution, and the sport's rule makes an execution score of the marks.

Tang et al., CVPR 2020, as in `usdl`; released code: nzl-thu/MUSDL. The judges share what looks at the clip; each has an
MLP of his own. In diving the two highest and the two lowest of seven marks are dropped and the other three added up,
which the difficulty then multiplies: what is predicted here is the execution score. In JIGSAWS the six items of the
rating scale stand for judges, and the score is their sum.

Paper and code differ as in `usdl`: `pooling`, `reduction`. Soft labels of sigma 5 on the 21 marks from 0 to 10 are
almost flat; the released code has them so. A panel with fewer judges (FineDiving: three, five or seven) teaches as many
MLPs as it has judges.

Shapes: B clips, S snippets, D channels of a feature, J judges, N bins.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from aqa_pipeline.batches import Clips, Facts
from aqa_pipeline.errors import InputError, expect_one_of
from aqa_pipeline.layers import distributions
from aqa_pipeline.systems import _encoders, _released
from aqa_pipeline.systems.usdl import STARTS, encoder_from_official, expect, head_from_official

needs = {"features", "draws"}
raw_target = True  # what the rule makes of marks
target = "execution"

RULES = ("middle_three", "sum")
PANEL = 7  # judges, of whom three are left in the middle

tiny = dict(dim=5, judges=2, bins=5, sigma=1.0, hidden=[6], rule="sum")


class MUSDL(nn.Module):
    """The parts are made by `build`."""

    def __init__(
        self,
        encoder: nn.Module,  # clips -> (B, S, D)
        heads: list[distributions.Head],  # of each judge (B, S, D) -> (B, N)
        values: Tensor,  # (N,) marks
        *,
        sigma: float,
        rule: str,
        decode: str,
        reduction: str,
    ) -> None:
        super().__init__()
        self.encoder, self.heads = encoder, nn.ModuleList(heads)
        self.register_buffer("values", values)
        self.sigma, self.rule, self.decode, self.reduction = sigma, rule, decode, reduction

    def learn_labels(self, labels: Clips) -> None:
        """Nothing is learnt of the labels, but every clip of the training part must have a judge: InputError."""
        marks = self._marks(labels)
        unjudged = marks.isnan().all(dim=1).nonzero()[:, 0].tolist()
        if unjudged:
            raise InputError(
                f"musdl: {len(unjudged)} of {len(labels)} training clips have no judge_scores, the first "
                f"'{labels.video_ids[unjudged[0]]}', expected up to {len(self.heads)} each"
            )

    def forward(self, clips: Clips) -> Tensor:
        """Logits of the distributions of the marks (B, J, N)."""
        features = self.encoder(clips)[0]
        return torch.stack([head(features) for head in self.heads], dim=1)

    def loss(self, batch: Clips) -> dict[str, Tensor]:
        """Divergence of the predicted distributions from the soft labels: sum over the judges, mean over the clips."""
        marks = self._marks(batch)
        step = self.values[1] - self.values[0]
        centre = (marks.nan_to_num() - self.values[0]) / step
        labels = distributions.gaussian(centre, len(self.values), sigma=self.sigma)  # (B, J, N)
        logits = self(batch)[:, : marks.shape[1]]
        divergence = distributions.divergence(logits, labels, reduction=self.reduction)  # (B, J)
        return {"marks": divergence.masked_fill(marks.isnan(), 0.0).sum(dim=1).mean()}

    def predict(self, batch: Clips) -> Tensor:
        """Predicted execution score (B,)."""
        marks = distributions.decode(self(batch), self.values, how=self.decode)  # (B, J)
        if self.rule == "sum":
            return marks.sum(dim=1)
        return marks.sort(dim=1).values[:, 2:5].sum(dim=1)

    def _marks(self, clips: Clips) -> Tensor:
        """(B, judges of the largest panel)."""
        judges = 0 if clips.judge_scores is None else clips.judge_scores.shape[1]
        if not 1 <= judges <= len(self.heads):
            raise InputError(f"musdl.judges: found {judges} judge_scores, expected 1 to {len(self.heads)}")
        return clips.judge_scores


def build(
    facts: Facts,
    *,
    dim: int = 64,
    hidden: list[int] = [256, 128],
    judges: int = PANEL,
    bins: int = 21,
    sigma: float = 5.0,
    bottom: float = 0.0,
    top: float = 10.0,
    rule: str = "middle_three",
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
) -> MUSDL:
    """The model for clips of `facts`.

    Parameters
    ----------
    judges
        MLPs, as many as the largest panel has judges. JIGSAWS: 6, the items of the rating scale.
    bins, bottom, top
        Marks and the values of the first and last. JIGSAWS: 5 from 1 to 5.
    sigma
        Of the soft labels, in bins: 5 for MTL-AQA, 1 for JIGSAWS.
    rule
        "middle_three" of seven, or "sum".
    starts, width, weights, freeze_batch_norm, eps, momentum, pixels, dim, dropout
        See `_encoders.snippets`; batch normalisation is as in `usdl`.
    """
    expect("musdl", bins=bins, sigma=sigma, pooling=pooling, decode=decode, reduction=reduction)
    expect_one_of("musdl.rule", rule, RULES)
    if rule == "middle_three" and judges != PANEL:
        raise InputError(f"musdl.judges: found {judges}, expected {PANEL} for the rule 'middle_three'")
    if not top > bottom:
        raise InputError(f"musdl.top: found {top} for bins from {bottom}, expected more")
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
    return MUSDL(
        encoder,
        [distributions.Head(encoder.dim, bins, hidden=hidden, pooling=pooling) for _ in range(judges)],
        torch.linspace(bottom, top, bins, dtype=torch.float64).float(),
        sigma=sigma,
        rule=rule,
        decode=decode,
        reduction=reduction,
    )


def from_official(state_dicts: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The released parameters, "i3d" and "evaluator" of a checkpoint, under our names: see `usdl`."""
    ours = encoder_from_official(state_dicts["i3d"])
    judges = {int(name.split(".")[1]) for name in _released.bare(state_dicts["evaluator"])}
    for judge in sorted(judges):
        ours |= head_from_official(state_dicts["evaluator"], f"evaluator.{judge}", f"heads.{judge}")
    return ours
