"""TSA: a dive is cut into steps, and each step of the query is compared with the same step of an exemplar.

Xu et al., "FineDiving: A Fine-grained Dataset for Procedure-aware Action Quality Assessment", CVPR 2022, section 3.
I3D sees nine snippets; a procedure segmentation network (PSNet) makes 96 positions of them and finds both transitions;
each of the three steps is brought to five positions; the query's tokens look at the exemplar's feature maps of the same
step by cross-attention; the mean over all tokens of what one regressor says is the offset of the scores. Ten exemplars
vote.

Where the released code (xujinglin/FineDiving) and the paper differ, options:

    map_order    "permuted": a token of the maps is a place in the picture at a time, as the paper has it. "released":
                 its reshape takes the memory of (snippet, channel, place) for (place, snippet, channel) and back, which
                 mixes channels and places; what it computed can be had again, not what it meant.
    truth_until  share of the training in which the true transitions cut the steps (the code's 0.25; 50 of 200 epochs).

The released code computes both directions at test and drops one; here one is computed. Antisymmetry, that the offset of
a from b is minus that of b from a, is trained by both directions in the loss, not built in. The configuration says
whether exemplars are dives of the same number ("w/ DN") or any ("w/o DN", which the released code cannot run).

With stored features in the place of pictures the maps have one place, and a step is compared with five tokens.

Shapes: B clips, P pairs, S snippets, D channels, T = 96 positions, C = D / 16, N positions of a step, h w of a map.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from aqa_pipeline.batches import Clips, Facts, Pairs, joined
from aqa_pipeline.errors import InputError, expect_one_of
from aqa_pipeline.layers import steps
from aqa_pipeline.layers.heads import TokenHead
from aqa_pipeline.layers.segmentation import PSNet, binary_transition_loss
from aqa_pipeline.layers.transformer import Stack
from aqa_pipeline.systems import _encoders, _released
from aqa_pipeline.systems._comparison import Comparison, Encoded, halves, known_or, two_way

needs = {"features", "draws", "exemplars", "transitions"}

tiny = dict(dim=64, width=0.05, starts=[0, 4, 8], positions=2, heads=1, layers=1, hidden=[6])


class TSA(Comparison):
    """The parts are made by `build`."""

    def __init__(
        self,
        encoder: nn.Module,  # clips -> (B, S, D), (B, S, D, h, w)
        segmenter: PSNet,
        decoder: Stack,  # (P, N, C) looking at (P, N h w, C)
        head: TokenHead,
        *,
        positions: int,
        map_order: str,
        truth_until: float,
    ) -> None:
        super().__init__()
        self.encoder, self.segmenter, self.decoder, self.head = encoder, segmenter, decoder, head
        self.positions, self.map_order, self.truth_until = positions, map_order, truth_until
        self.progress = 0.0

    def set_progress(self, share: float) -> None:
        """Share of the training that is done."""
        self.progress = share

    def encode(self, clips: Clips) -> Encoded:
        tokens, maps = self._positions(clips)
        transitions = steps.decode(self.segmenter.evidence(tokens))
        return self._by_step(tokens, maps, transitions) | {"transitions": transitions}

    def votes(self, query: Encoded, exemplar: Encoded, target: Tensor) -> Tensor:
        return target + self.offset(query, exemplar)

    def offset(self, query: Encoded, exemplar: Encoded) -> Tensor:
        """Score of the query less that of the exemplar, (P,)."""
        tokens, maps = query["tokens"], exemplar["maps"]  # (P, 3 N, C), (P, 3 N h w, C)
        pairs, channels = len(tokens), tokens.shape[2]
        # A token sees its own step alone, so that the steps can be compared like so many pairs.
        compared = self.decoder(
            tokens.reshape(pairs * steps.STEPS, -1, channels), maps.reshape(pairs * steps.STEPS, -1, channels)
        )
        return self.head(compared).reshape(pairs, -1).mean(dim=1)

    def loss(self, batch: Pairs) -> dict[str, Tensor]:
        """Squared errors of the offsets in both directions, and cross-entropy of the transitions."""
        queries = batch.queries()
        clips = joined(queries, batch.exemplar)
        tokens, maps = self._positions(clips)
        evidence = self.segmenter.evidence(tokens)
        transitions = steps.decode(evidence)
        if self.training and self.progress <= self.truth_until:
            transitions = known_or(clips.transitions, transitions)
        query, exemplar = halves(self._by_step(tokens, maps, transitions))
        difference = queries.target - batch.exemplar.target
        offset = two_way(self.offset(query, exemplar), self.offset(exemplar, query), difference)
        return {"offset": offset} | binary_transition_loss(evidence, clips.transitions)

    def _positions(self, clips: Clips) -> tuple[Tensor, Tensor]:
        """Positions (B, T, C) of the features and (B, T, h w, C) of the maps, by the same network."""
        features, maps = self.encoder(clips)  # (B, S, D), (B, S, D, h, w)
        tokens = self.segmenter(features)
        if maps.shape[3:] == (1, 1):  # the map is the feature
            return tokens, tokens[:, :, None]
        count, snippets, dim = maps.shape[:3]
        if self.map_order == "released":
            places = self.segmenter(maps.reshape(-1, snippets, dim))  # (B h w, T, C)
            return tokens, places.reshape(*tokens.shape, -1).transpose(2, 3)
        places = self.segmenter(maps.flatten(3).permute(0, 3, 1, 2).flatten(0, 1))  # (B h w, T, C)
        return tokens, places.unflatten(0, (count, -1)).transpose(1, 2)

    def _by_step(self, tokens: Tensor, maps: Tensor, transitions: Tensor) -> Encoded:
        first, last = steps.bounds(transitions, tokens.shape[1])
        return {
            "tokens": torch.cat(steps.pool(tokens, first, last, self.positions), dim=1),  # (B, 3 N, C)
            "maps": torch.cat(steps.pool(maps, first, last, self.positions), dim=1).flatten(1, 2),  # (B, 3 N h w, C)
        }


def build(
    facts: Facts,
    *,
    dim: int = 1024,
    width: float = 1.0,
    weights: str = "",
    freeze_batch_norm: bool = True,
    pixels: str = "imagenet",
    starts: Sequence[int] = _encoders.STARTS,
    dropout: float = 0.0,
    positions: int = 5,
    heads: int = 8,
    layers: int = 3,
    hidden: Sequence[int] = (256, 64),
    map_order: str = "permuted",
    truth_until: float = 0.25,
) -> TSA:
    """The model for clips of `facts`; `dim` and `dropout` are of stored features, `width` to `pixels` of I3D."""
    expect_one_of("tsa.map_order", map_order, ("permuted", "released"))
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
    segmenter = PSNet(len(starts), encoder.dim)
    if not segmenter.dim or segmenter.dim % heads:
        raise InputError(
            f"tsa.heads: found {heads} for tokens of {segmenter.dim} channels, expected a divisor of them; "
            f"a token has a sixteenth of the {encoder.dim} channels of a snippet"
        )
    return TSA(
        encoder,
        segmenter,
        Stack(segmenter.dim, heads, layers=layers, kind="cross_only", last_norm=False),
        TokenHead(segmenter.dim, hidden=hidden),
        positions=positions,
        map_order=map_order,
        truth_until=truth_until,
    )


def from_official(state_dicts: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The parameters that the released code saves, under our names, for `build` with pictures and its defaults.

    `state_dicts` are the file's "base_model", "psnet_model", "decoder" and "regressor_delta". The classification layer
    of I3D, which nothing used, is dropped.
    """
    return {
        **_released.i3d(state_dicts["base_model"], "encoder.backbone"),
        **_released.psnet(state_dicts["psnet_model"], "segmenter"),
        **_released.decoder(state_dicts["decoder"], "decoder"),
        **_released.token_head(state_dicts["regressor_delta"], "head"),
    }
