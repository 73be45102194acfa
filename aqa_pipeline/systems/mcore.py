"""MCoRe: the steps of a dive compared with those of an exemplar, frame features told apart by contrast.

An, Qi and Ma, "Multi-Stage Contrastive Regression for Action Quality Assessment", ICASSP 2024 (arXiv 2401.02841), and
its released code (Angel-1999/MCoRe). A small picture network with gated shifts sees the 96 frames; a GRU in both
directions finds both transitions; each of the three steps is brought to five positions; the query's tokens look at the
exemplar's of the same step by cross-attention; the mean over all tokens of what one regressor says is the offset of the
scores. Ten exemplars vote. A third loss beside those of the score and the transitions pulls together what stands at the
same place of the same step in both clips, and pushes apart everything else of that step.

The abstract calls that loss stage-wise. The released code contrasts the frames within each stage, and its log gives the
published figures, so that is the default; `contrast_of: "stages"` contrasts the stages, as HP-MCoRe does.

Where the released code goes ways of its own:

    its test    sets the query's true transitions to zero, so that the overlaps it prints mean nothing; ours are
                compared with the truth. Predictions are not touched by this.
    a network   for "enhanced" features is built and saved, but nothing calls it; it is not here.

True transitions cut the steps in training wherever they are known, predicted ones at test, as in that code.

Stored features take the place of the picture network; a sequence of T positions then covers the time of the 96 frames.

Shapes: B clips, P pairs, T positions in time, D channels, N positions of a step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from aqa_pipeline.batches import Clips, Facts, Pairs, joined
from aqa_pipeline.errors import InputError, expect_one_of
from aqa_pipeline.layers import contrast as contrasts
from aqa_pipeline.layers import steps
from aqa_pipeline.layers.heads import TokenHead
from aqa_pipeline.layers.segmentation import GRUSegmenter, time_transition_loss
from aqa_pipeline.layers.transformer import Stack
from aqa_pipeline.systems import _encoders, _released
from aqa_pipeline.systems._comparison import Comparison, Encoded, known_or, two_way

needs = {"features", "draws", "exemplars", "transitions"}

tiny = dict(dim=8, width=0.2, positions=2, heads=2, layers=1, hidden=[6], contrast=0.1)

CONTRASTS = {"frames": contrasts.frames_in_steps, "stages": contrasts.stages}


class MCoRe(Comparison):
    """The parts are made by `build`."""

    def __init__(
        self,
        encoder: nn.Module,  # clips -> (B, T, D)
        segmenter: GRUSegmenter,
        decoder: Stack,  # (P, N, D) looking at (P, N, D)
        head: TokenHead,
        *,
        positions: int,
        contrast: float,
        contrast_of: str,
        temperature: float,
    ) -> None:
        super().__init__()
        self.encoder, self.segmenter, self.decoder, self.head = encoder, segmenter, decoder, head
        self.positions, self.contrast, self.temperature = positions, contrast, temperature
        self.apart = CONTRASTS[contrast_of]

    def encode(self, clips: Clips) -> Encoded:
        frames = self.encoder(clips)
        transitions = self._transitions(self.segmenter(frames))
        return {"tokens": self._tokens(frames, transitions), "transitions": transitions}

    def votes(self, query: Encoded, exemplar: Encoded, target: Tensor) -> Tensor:
        return target + self.offset(query["tokens"], exemplar["tokens"])

    def offset(self, query: Tensor, exemplar: Tensor) -> Tensor:
        """Score of the query less that of the exemplar (P,), of the tokens (P, 3, N, D) of both."""
        compared = self.decoder(query.flatten(0, 1), exemplar.flatten(0, 1))  # (3 P, N, D), each step by itself
        return self.head(compared).reshape(len(query), -1).mean(dim=1)

    def loss(self, batch: Pairs) -> dict[str, Tensor]:
        """Squared errors of the offsets both ways, cross-entropy of the transitions, contrast of the frames."""
        queries = batch.queries()
        clips = joined(queries, batch.exemplar)
        frames = self.encoder(clips)
        evidence = self.segmenter(frames)
        tokens = self._tokens(frames, known_or(clips.transitions, self._transitions(evidence)))
        query, exemplar = tokens.chunk(2)
        difference = queries.target - batch.exemplar.target
        terms = {"offset": two_way(self.offset(query, exemplar), self.offset(exemplar, query), difference)}
        if self.contrast:
            apart = self.apart(query.unbind(1), exemplar.unbind(1), temperature=self.temperature)
            terms["contrast"] = self.contrast * apart
        return terms | time_transition_loss(evidence, clips.transitions)

    def _transitions(self, evidence: Tensor) -> Tensor:
        return steps.on_grid(steps.decode(evidence), evidence.shape[1])

    def _tokens(self, frames: Tensor, transitions: Tensor) -> Tensor:
        """(B, 3, N, D) of every step."""
        first, last = steps.bounds(steps.placed(transitions, frames.shape[1]), frames.shape[1])
        return torch.stack(steps.pool(frames, first, last, self.positions), dim=1)


def build(
    facts: Facts,
    *,
    dim: int = 0,
    width: float = 1.0,
    weights: str | None = None,
    freeze_batch_norm: bool = True,
    pixels: str = "imagenet",
    dropout: float = 0.0,
    segmenter_dropout: float = 0.5,
    positions: int = 5,
    heads: int = 8,
    layers: int = 3,
    hidden: Sequence[int] = (256, 64),
    contrast: float = 10.0,
    contrast_of: str = "frames",
    temperature: float = 0.5,
) -> MCoRe:
    """The model for clips of `facts`.

    `dim` (0: as many as there are) and `dropout` are of stored features, `width` to `pixels` of the picture network;
    `contrast` weighs the third loss, 0 leaves it out.

    Parameters
    ----------
    contrast_of : frames, as the released code, or stages, as the abstract
    """
    expect_one_of("mcore.contrast_of", contrast_of, CONTRASTS)
    encoder = _encoders.regnet_frames(
        facts,
        dim=dim,
        width=width,
        weights=weights,
        freeze_batch_norm=freeze_batch_norm,
        pixels=pixels,
        dropout=dropout,
    )
    if encoder.dim % heads:
        raise InputError(f"mcore.heads: found {heads} for {encoder.dim} channels, expected a divisor of them")
    return MCoRe(
        encoder,
        GRUSegmenter(encoder.dim, dropout=segmenter_dropout),
        Stack(encoder.dim, heads, layers=layers, kind="cross_only", last_norm=False),
        TokenHead(encoder.dim, hidden=hidden),
        positions=positions,
        contrast=contrast,
        contrast_of=contrast_of,
        temperature=temperature,
    )


def from_official(state_dicts: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The parameters that the released code saves, under our names, for `build` with pictures and its defaults.

    `state_dicts` are the file's "base_model", "psnet_model", "decoder" and "regressor_delta".
    """
    return {
        **_released.regnet_gsm(state_dicts["base_model"], "encoder.backbone.network"),
        **_released.gru_segmenter(state_dicts["psnet_model"], "segmenter"),
        **_released.decoder(state_dicts["decoder"], "decoder"),
        **_released.token_head(state_dicts["regressor_delta"], "head"),
    }
