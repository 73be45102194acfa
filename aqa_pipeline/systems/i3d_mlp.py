"""I3D+MLP: the score as one number, regressed from what I3D saw; the baseline that USDL is held against.

Tang et al., CVPR 2020, as the regression beside their distributions; released code: nzl-thu/MUSDL, whose I3D, snippets
and MLP it shares with `usdl`. Its own loss was not released: here the MLP has one output, and errors are squared.

Where the sources leave something open:

    pooling     "features", as the code pools for USDL: one MLP on the mean of the snippets' features; "scores": each
                snippet has a score, and their mean is said
    bottom, top ends of the scale on which a target lies between 0 and 1. None: the least and the largest target of the
                training part, as for each class of AQA-7; MTL-AQA has 0 and 104.5 in the code
    head        "mlp"; "tree", an ablation of CoRe (Yu et al., ICCV 2021): the group-aware regression tree says how far
                the score lies from the mean of the training part, in the place of an exemplar. How CoRe's authors did
                without one is not known: its edges are those of CoRe, of the distances from that mean

Shapes: B clips, S snippets, D channels of a feature, L leaves.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from aqa_pipeline.batches import Clips, Facts
from aqa_pipeline.errors import InputError, expect_one_of
from aqa_pipeline.layers import regression_tree as tree
from aqa_pipeline.layers.heads import TokenHead
from aqa_pipeline.systems import _encoders, usdl

needs = {"features", "draws"}
raw_target = True  # the scale is its own

OPTIONS = {"pooling": ("features", "scores"), "head": ("mlp", "tree")}

tiny = dict(dim=5, hidden=[6])


class I3DMLP(nn.Module):
    """With the head "mlp"; `ends` of the scale are NaN until `learn_labels` has found them."""

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
            raise InputError(f"top: found {top} for a scale from {bottom}, expected more")
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


class I3DTree(nn.Module):
    """With the head "tree"; `edges` of the leaves and the `middle` are NaN until `learn_labels` has found them."""

    def __init__(
        self,
        encoder: nn.Module,  # clips -> (B, S, D)
        regressor: tree.RegressionTree,  # (B, D) -> log-probabilities and places of leaves, each (B, L)
    ) -> None:
        super().__init__()
        self.encoder, self.tree = encoder, regressor
        self.register_buffer("edges", torch.full((regressor.leaves + 1,), torch.nan))
        self.register_buffer("middle", torch.tensor(torch.nan))

    def learn_labels(self, labels: Clips) -> None:
        """Take the mean of the training part, and the edges from the distances from it."""
        target = labels.target.cpu().numpy().astype(np.float64)
        distances = np.abs(target - target.mean())
        self.middle.fill_(target.mean())
        self.edges.copy_(torch.from_numpy(tree.edges(distances, self.tree.leaves, distances.max())))

    def forward(self, clips: Clips) -> tuple[Tensor, Tensor]:
        """Log-probability of each leaf and place in it, each (B, L)."""
        return self.tree(self.encoder(clips)[0].mean(dim=1))

    def loss(self, batch: Clips) -> dict[str, Tensor]:
        """Which leaf, and where in it, means over the clips."""
        log_probability, place = self(batch)
        difference = batch.target - self.middle
        leaf = tree.leaf_of(difference, self.edges)
        own = place.gather(1, leaf[:, None])[:, 0]
        return {
            "leaf": functional.nll_loss(log_probability, leaf),
            "place": (own - tree.to_place(difference, leaf, self.edges)).square().mean(),
        }

    def predict(self, batch: Clips) -> Tensor:
        """Predicted target (B,): at the predicted place of the likeliest leaf."""
        log_probability, place = self(batch)
        leaf = log_probability.argmax(dim=1)
        return self.middle + tree.from_place(place.gather(1, leaf[:, None])[:, 0], leaf, self.edges)


def build(
    facts: Facts,
    *,
    dim: int = 64,
    hidden: list[int] = [256, 128],
    bottom: float | None = None,
    top: float | None = None,
    pooling: str = "features",
    head: str = "mlp",
    tree_hidden: int = 256,
    depth: int = 5,
    starts: list[int] = usdl.STARTS,
    width: float = 1.0,
    weights: str = "",
    freeze_batch_norm: bool = False,
    eps: float = 1e-3,
    momentum: float = 0.01,
    pixels: str = "imagenet",
    dropout: float = 0.0,
) -> I3DMLP | I3DTree:
    """The model for clips of `facts`.

    Parameters
    ----------
    bottom, top
        Ends of the scale, in units of the target; see above.
    tree_hidden, depth
        Of the head "tree": channels of a node, and levels; there are 2 ** (depth - 1) leaves.
    starts, width, weights, freeze_batch_norm, eps, momentum, pixels, dim, dropout
        As in `usdl`.
    """
    for name, found in (("pooling", pooling), ("head", head)):
        expect_one_of(f"i3d_mlp.{name}", found, OPTIONS[name])
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
    if head == "tree":
        return I3DTree(encoder, tree.RegressionTree(encoder.dim, hidden=tree_hidden, depth=depth))
    return I3DMLP(encoder, TokenHead(encoder.dim, hidden=hidden), bottom=bottom, top=top, pooling=pooling)


def from_official(state_dicts: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The released parameters, "i3d" and "evaluator" of a checkpoint, under the names of an `I3DMLP`."""
    return usdl.from_official(state_dicts)
