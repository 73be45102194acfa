"""CoRe: how far a query's score lies from an exemplar's, found by a regression tree of ranges and places in them.

Yu, Rao, Zhao, Lu, Zhou, "Group-aware Contrastive Regression for Action Quality Assessment", ICCV 2021; released code:
yuxumin/CoRe. A clip is the mean of its ten snippets' features. A pair is the exemplar's feature, the query's and the
exemplar's score; its difference is regressed coarse to fine: first the leaf (a range of differences), then the place in
the leaf. In training each pair is looked at from both sides, but nothing makes the network antisymmetric: the sides are
only taught opposite differences.

Where the code and what others report of the paper's text differ, the default is the code: it made the printed figures,
and we could read it.

    leaf_loss   "nll": one of 16 leaves is right; "binary": each leaf is right or wrong, cross-entropy of each
    place       "linear": any number; "sigmoid": within the leaf
    beyond      differences of `theta` or more, which lie in no leaf; here the code is not followed. "outer": to the
                outermost leaf; "first", the code: to the first one, whatever their sign, and to no place in it

Shapes: B clips, P pairs, D channels of a feature, L leaves.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from aqa_pipeline.batches import Clips, Facts, Pairs, joined
from aqa_pipeline.errors import InputError, expect_one_of
from aqa_pipeline.layers import regression_tree as tree
from aqa_pipeline.systems import _encoders, _released
from aqa_pipeline.systems._comparison import Comparison, Encoded, halves

needs = {"features", "draws", "exemplars"}
exemplar_choice = "ranges_of"
raw_target = True  # leaves are ranges of marks or points

STARTS = [*range(0, 81, 10), 86]  # of the ten snippets of 103 frames; the code never looks at the last frame

OPTIONS = {
    "ranges_of": ("same_type", "same_difficulty", "any"),
    "leaf_loss": ("nll", "binary"),
    "place": ("linear", "sigmoid"),
    "beyond": ("outer", "first"),
}

tiny = dict(dim=5, hidden=6, depth=3)


class CoRe(Comparison):
    """The parts are made by `build`; `edges` of the leaves are NaN until `learn_labels` was called."""

    def __init__(
        self,
        encoder: nn.Module,  # clips -> (B, S, D)
        regressor: tree.RegressionTree,  # (P, 2 D + 1) -> log-probabilities and places of leaves, each (P, L)
        *,
        theta: float,
        ranges_of: str,
        leaf_loss: str,
        place: str,
        beyond: str,
    ) -> None:
        super().__init__()
        self.encoder, self.tree = encoder, regressor
        self.register_buffer("edges", torch.full((regressor.leaves + 1,), torch.nan))
        self.theta, self.ranges_of = theta, ranges_of
        self.leaf_loss, self.place, self.beyond = leaf_loss, place, beyond

    def learn_labels(self, labels: Clips) -> None:
        """Take the edges of the leaves from the differences between the targets of the training part."""
        edges = tree.edges(differences(labels, self.ranges_of), self.tree.leaves, self.theta)
        self.edges.copy_(torch.from_numpy(edges))

    def encode(self, clips: Clips) -> Encoded:
        """The mean feature (B, D) of the snippets."""
        return {"feature": self.encoder(clips)[0].mean(dim=1)}

    def forward(self, query: Encoded, exemplar: Encoded, target: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probability of each leaf and place in it, each (P, L), from both clips and the exemplar's target."""
        known = target[:, None] / self.theta
        log_probability, place = self.tree(torch.cat([exemplar["feature"], query["feature"], known], dim=1))
        return log_probability, place.sigmoid() if self.place == "sigmoid" else place

    def votes(self, query: Encoded, exemplar: Encoded, target: Tensor) -> Tensor:
        """The exemplar's target plus the difference at the predicted place of the likeliest leaf, (P,)."""
        log_probability, place = self(query, exemplar, target)
        leaf = log_probability.argmax(dim=1)
        return target + tree.from_place(place.gather(1, leaf[:, None])[:, 0], leaf, self.edges)

    def loss(self, batch: Pairs) -> dict[str, Tensor]:
        """Which leaf, and where in it, summed over both sides of the pairs."""
        both = joined(batch.queries(), batch.exemplar)
        query, exemplar = halves(self.encode(both))
        of_query, of_exemplar = both.target.chunk(2)
        sides = (
            self._side(*self(query, exemplar, of_exemplar), of_query - of_exemplar),
            self._side(*self(exemplar, query, of_query), of_exemplar - of_query),
        )
        return {name: sides[0][name] + sides[1][name] for name in sides[0]}

    def _side(self, log_probability: Tensor, place: Tensor, difference: Tensor) -> dict[str, Tensor]:
        leaf = tree.leaf_of(difference, self.edges)
        inside = torch.ones_like(leaf)  # counts its pair in the loss of the place
        if self.beyond == "first":
            outside = difference.abs() >= self.theta
            leaf, inside = leaf.masked_fill(outside, 0), inside.masked_fill(outside, 0)
        true_place = tree.to_place(difference.clamp(-self.theta, self.theta), leaf, self.edges)
        right = functional.one_hot(leaf, self.tree.leaves).to(place.dtype)  # (P, L)
        return {
            "leaf": self._leaf_loss(log_probability, right),
            "place": _sum_of_means((place - true_place[:, None]).square(), right * inside[:, None]),
        }

    def _leaf_loss(self, log_probability: Tensor, right: Tensor) -> Tensor:
        if self.leaf_loss == "nll":
            return -(right * log_probability).sum(dim=1).mean()
        others = torch.log1p(-log_probability.exp().clamp(max=1 - 1e-6))
        return -(right * log_probability + (1 - right) * others).sum(dim=1).mean()


def _sum_of_means(squared: Tensor, counts: Tensor) -> Tensor:
    """The mean (P, L) over the pairs of each leaf, summed over the leaves; those without a pair add nothing."""
    return ((squared * counts).sum(dim=0) / counts.sum(dim=0).clamp(min=1)).sum()


def differences(labels: Clips, ranges_of: str) -> np.ndarray:
    """Size of the difference of the targets of every two clips that may be compared, in no order."""
    target = labels.target.cpu().numpy().astype(np.float64)
    keys = {
        "same_type": labels.action_type.cpu().numpy(),
        "same_difficulty": np.nan_to_num(labels.difficulty.cpu().numpy()),
        "any": np.zeros(len(target)),
    }[ranges_of]
    buckets = [target[keys == key] for key in np.unique(keys)]
    found = [np.abs(of[:, None] - of)[np.triu_indices(len(of), k=1)] for of in buckets]
    if not sum(map(len, found)):
        raise InputError(f"core.ranges_of: '{ranges_of}' pairs no two of {len(target)} training clips, expected 'any'")
    return np.concatenate(found)


def build(
    facts: Facts,
    *,
    dim: int = 64,
    hidden: int = 256,
    depth: int = 5,
    theta: float | None = None,
    ranges_of: str = "same_type",
    leaf_loss: str = "nll",
    place: str = "linear",
    beyond: str = "outer",
    starts: list[int] = STARTS,
    width: float = 1.0,
    weights: str = "",
    freeze_batch_norm: bool = True,
    pixels: str = "imagenet",
    dropout: float = 0.0,
) -> CoRe:
    """The model for clips of `facts`.

    Parameters
    ----------
    hidden, depth
        Of the tree: channels of a node, and levels with that of the leaves; 16 leaves as in the paper.
    theta
        Largest difference, in units of the target; None for the range of the training part. CoRe: 30 for marks, 100 for
        scores and for AQA-7 brought to 0 .. 100.
    ranges_of
        Which training pairs the ranges of the leaves are taken from; must be what `exemplars.choose` pairs.
    starts, width, weights, freeze_batch_norm, pixels, dim, dropout
        See `_encoders.snippets`.
    """
    chosen = {"ranges_of": ranges_of, "leaf_loss": leaf_loss, "place": place, "beyond": beyond}
    for name, found in chosen.items():
        expect_one_of(f"core.{name}", found, OPTIONS[name])
    if theta is None:
        theta = facts.target_range[1] - facts.target_range[0]
    if theta <= 0:
        raise InputError(f"core.theta: found {theta}, expected the largest difference of two targets, above 0")
    encoder = _encoders.snippets(
        facts,
        starts=starts,
        dim=dim,
        width=width,
        weights=weights,
        freeze_batch_norm=freeze_batch_norm,
        pixels=pixels,
        dropout=dropout,
    )
    regressor = tree.RegressionTree(2 * encoder.dim + 1, hidden=hidden, depth=depth)
    return CoRe(encoder, regressor, theta=theta, **chosen)


def from_official(state_dicts: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The released parameters, "base_model" and "regressor" of a checkpoint, under our names.

    All but `edges`, which the checkpoints do not hold: the code, too, takes them anew from the training part.
    """
    backbone = _released.i3d(state_dicts["base_model"], "encoder.backbone")
    return backbone | _tree_from_official(_released.bare(state_dicts["regressor"]))


def _tree_from_official(parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The groups of convolutions as nodes: `feature_layers.2.0.weight` is `tree.grow.2.weight`, with another shape."""
    levels = {"clf_layers": "split", "feature_layers": "grow"}
    leaves = len(parameters["reg_layer.bias"])
    ours = {}
    for name, value in parameters.items():
        part, *rest = name.split(".")
        kind = rest[-1]
        if part == "first_layer":
            ours[f"tree.root.{kind}"] = value
            continue
        nodes = 2 ** int(rest[0]) if part in levels else leaves
        of_nodes = value.reshape(nodes, -1, 1 if kind == "bias" else value.shape[1]).transpose(1, 2)
        ours[f"tree.{f'{levels[part]}.{rest[0]}' if part in levels else 'inside'}.{kind}"] = of_nodes.contiguous()
    return ours
