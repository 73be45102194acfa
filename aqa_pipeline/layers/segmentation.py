"""Where the steps of an action begin: evidence for each transition at each position in time.

Shapes: B clips, S snippets, T positions, D features of a snippet, C of a position.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from aqa_pipeline.layers import steps
from aqa_pipeline.layers.heads import mlp
from aqa_pipeline.transitions import GRID


class DoubleConvolutions(nn.Module):
    """Two convolutions of size 3 for each change of channels: (B, N, L) -> (B, N', L').

    Used where time is the channel axis and what slides is the axis of features. With `halve`, all but the first are
    preceded by max pooling, so that L' is L halved that often.
    """

    def __init__(self, channels: Sequence[int], *, halve: bool) -> None:
        super().__init__()
        self.halve = halve
        self.blocks = nn.ModuleList(_double(a, b) for a, b in pairwise(channels))

    def forward(self, signal: Tensor) -> Tensor:
        signal = self.blocks[0](signal)
        for block in self.blocks[1:]:
            signal = block(functional.max_pool1d(signal, 2) if self.halve else signal)
        return signal


def _double(inputs: int, outputs: int) -> nn.Sequential:
    layers = []
    for channels in (inputs, outputs):
        layers += [nn.Conv1d(channels, outputs, 3, padding=1), nn.BatchNorm1d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


class PSNet(nn.Module):
    """The procedure segmentation network of FineDiving (Xu et al., CVPR 2022, section 3.2), as in its released code.

    Snippets are the channels of a signal that runs over their features. Convolutions make as many channels of them as
    there are positions in time, while pooling leaves D / 16 features to each; `C` is that number.
    """

    HALVINGS = 4

    def __init__(self, snippets: int, dim: int, *, positions: int = GRID, transitions: int = 2) -> None:
        super().__init__()
        growing = [positions // 8, positions // 4, positions // 2, positions, positions]
        self.trunk = DoubleConvolutions([snippets, *growing], halve=True)
        self.dim = dim // 2**self.HALVINGS
        self.head = mlp([self.dim, 128, 64, transitions])

    def forward(self, snippets: Tensor) -> Tensor:
        """Positions (B, T, C) of snippets (B, S, D)."""
        return self.trunk(snippets)

    def evidence(self, positions: Tensor) -> Tensor:
        """Logits (B, T, 2) that a transition is here, of positions (B, T, C)."""
        return self.head(positions)


class GRUSegmenter(nn.Module):
    """A GRU in both directions of time, then one linear map: (B, T, D) -> logits (B, T, 2), one a transition.

    MCoRe's, after the spotting network of Hong et al. 2022 (arXiv 2207.10213): as many hidden units in either direction
    as features, but no more than 768.
    """

    def __init__(self, dim: int, *, dropout: float = 0.5) -> None:
        super().__init__()
        hidden = min(dim, 768)
        self.gru = nn.GRU(dim, hidden, batch_first=True, bidirectional=True)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(2 * hidden, 2, bias=False)  # what is added at all positions alike changes nothing

    def forward(self, sequence: Tensor) -> Tensor:
        return self.out(self.drop(self.gru(sequence)[0]))


def binary_transition_loss(evidence: Tensor, transitions: Tensor | None) -> dict[str, Tensor]:
    """Cross-entropy of every position being, or not, where each transition is: FineDiving's, as the term "transitions".

    Parameters
    ----------
    evidence : (B, T, K) logits
    transitions : (B, K) positions, NaN where unknown; a clip counts where it knows all

    Returns
    -------
    dict
        Empty where no clip knows its transitions.
    """
    if transitions is None:
        return {}
    known = torch.isfinite(transitions).all(dim=1)
    if not known.any():
        return {}
    evidence = evidence[known]
    target = torch.zeros_like(evidence).scatter_(1, transitions[known].long()[:, None], 1.0)  # (B, T, K)
    return {"transitions": functional.binary_cross_entropy_with_logits(evidence, target)}


def time_transition_loss(
    evidence: Tensor, transitions: Tensor | None, *, weights: tuple[float, float] = (1.0, 2.0)
) -> dict[str, Tensor]:
    """Cross-entropy whose classes are the positions in time: MCoRe's, as the term "transitions".

    Parameters
    ----------
    evidence : (B, T, 2) logits
    transitions : (B, 2) on the grid of 96 frames, NaN where unknown; a clip counts where it knows both
    weights : of the first and of the second transition; the released code writes 1 and 2 into its target

    Returns
    -------
    dict
        Mean over clips and transitions of - w log softmax over time at the true position; empty where none is known.
    """
    if transitions is None:
        return {}
    known = torch.isfinite(transitions).all(dim=1)
    if not known.any():
        return {}
    place = steps.placed(transitions[known], evidence.shape[1]).long()  # (B, 2)
    chance = functional.log_softmax(evidence[known], dim=1).gather(1, place[:, None])[:, 0]  # (B, 2), its logarithm
    return {"transitions": -(chance * chance.new_tensor(weights)).mean()}
