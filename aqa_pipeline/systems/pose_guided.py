"""Pose-guided contrastive regression: a transformer decoder compares a query with an exemplar of known score.

After the course report "Pose-guided AQA", sections 2.2 and 3.2. Each frame's features become a token, an extra token is appended, the exemplar's
frames are key and value of the decoder, and an MLP reads from the extra token by how much the query's score lies above the exemplar's.

Shapes: B clips, P pairs, T frames, D features, C channels of a token.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from aqa_pipeline.batches import NO_LABEL, Clips, Facts, Pairs
from aqa_pipeline.layers.transformer import Stack, sinusoids

needs = {"features", "draws", "exemplars", "sub_actions"}

tiny = dict(dim=8, heads=2, layers=1, head=[6])


class PoseGuided(nn.Module):
    """See `build` for the options."""

    def __init__(
        self, facts: Facts, *, dim, heads, layers, block, norm, exemplar, readout, token, position, dropout, noise,
        input_dropout, sub_action_loss, both_directions, head,
    ) -> None:  # fmt: skip
        super().__init__()
        self.exemplar, self.both_directions = exemplar, both_directions
        self.readout, self.sub_action_loss = readout, sub_action_loss
        self.modalities = sorted(facts.dims)
        self.noise, self.input_drop = noise, nn.Dropout(input_dropout)
        self.embed = nn.Linear(sum(facts.dims.values()), dim)
        self.token = nn.Parameter(0.02 * torch.randn(dim), requires_grad=token == "learned")
        if token == "zero":
            nn.init.zeros_(self.token)
        positions = (
            sinusoids(facts.n_frames, dim) if position == "sinusoidal" else 0.02 * torch.randn(facts.n_frames, dim)
        )
        self.position = nn.Parameter(positions, requires_grad=position == "learned")  # (T, C)
        if position == "none":
            nn.init.zeros_(self.position)
        kind = block if exemplar else "encoder"
        self.stack = Stack(dim, heads, layers=layers, kind=kind, norm=norm, dropout=dropout)
        self.head = mlp([dim, *head, 1])
        n_classes = len(facts.sub_actions)
        self.frame_head = mlp([dim, *head, n_classes]) if sub_action_loss and n_classes else None

    def forward(self, query: Tensor, exemplar: Tensor | None) -> tuple[Tensor, Tensor]:
        """Embedded frames (P, T, C) of both -> offset (P,), in units of the target, and frame tokens (P, T, C)."""
        tokens = torch.cat([query, self.token.expand(len(query), 1, -1)], dim=1)  # (P, T + 1, C)
        tokens = self.stack(tokens, exemplar)
        read = tokens[:, -1] if self.readout == "token" else tokens.mean(dim=1)
        return self.head(read)[:, 0], tokens[:, :-1]

    def tokens(self, clips: Clips) -> Tensor:
        """Embedded frames (B, T, C)."""
        frames = torch.cat([clips.inputs[modality] for modality in self.modalities], dim=2)  # (B, T, D)
        if self.training and self.noise:
            frames = frames + self.noise * torch.randn_like(frames)
        return self.embed(self.input_drop(frames)) + self.position

    def loss(self, batch: Clips | Pairs) -> dict[str, Tensor]:
        """Squared error of the offset, and cross-entropy of the frames' sub_actions, weighted."""
        if isinstance(batch, Clips):
            score, frames = self(self.tokens(batch), None)
            return {"score": functional.mse_loss(score, batch.target)} | self._frame_loss(frames, batch)
        queries = batch.queries()
        query, exemplar = self.tokens(queries), self.tokens(batch.exemplar)
        target = queries.target - batch.exemplar.target
        if not self.both_directions:
            offset, frames = self(query, exemplar)
            return {"offset": functional.mse_loss(offset, target)} | self._frame_loss(frames, queries)
        offset, frames = self(torch.cat([query, exemplar]), torch.cat([exemplar, query]))
        terms = {"offset": functional.mse_loss(offset, torch.cat([target, -target]))}
        return terms | self._frame_loss(frames, queries, batch.exemplar)

    def predict(self, batch: Clips | Pairs) -> Tensor:
        """Predicted target (B,): the mean over the exemplars of their own target plus the offset."""
        if isinstance(batch, Clips):
            return self(self.tokens(batch), None)[0]
        query = self.tokens(batch.query)[batch.query_of]
        return batch.average(batch.exemplar.target + self(query, self.tokens(batch.exemplar))[0])

    def _frame_loss(self, frames: Tensor, *clips: Clips) -> dict[str, Tensor]:
        if self.frame_head is None:
            return {}
        labels = torch.cat([of.sub_action for of in clips])  # (P, T)
        if not (labels != NO_LABEL).any():
            return {}
        logits = self.frame_head(frames)
        entropy = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=NO_LABEL)
        return {"sub_action": self.sub_action_loss * entropy}


def mlp(sizes: list[int]) -> nn.Sequential:
    """Linear maps with ReLU between them."""
    maps = [nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:], strict=True)]
    return nn.Sequential(maps[0], *(layer for linear in maps[1:] for layer in (nn.ReLU(), linear)))


def build(
    facts: Facts,
    *,
    dim: int = 32,
    heads: int = 2,
    layers: int = 2,
    block: str = "standard",
    norm: str = "pre",
    exemplar: bool = True,
    readout: str = "token",
    token: str = "learned",
    position: str = "learned",
    dropout: float = 0.1,
    noise: float = 0.0,
    input_dropout: float = 0.0,
    sub_action_loss: float = 0.0,
    both_directions: bool = True,
    head: list[int] = [64],
) -> PoseGuided:
    """The model for clips of `facts`."""
    return PoseGuided(
        facts, dim=dim, heads=heads, layers=layers, block=block, norm=norm, exemplar=exemplar, readout=readout,
        token=token, position=position, dropout=dropout, noise=noise, input_dropout=input_dropout,
        sub_action_loss=sub_action_loss, both_directions=both_directions, head=head,
    )  # fmt: skip
