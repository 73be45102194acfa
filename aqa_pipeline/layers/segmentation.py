"""Where one step of an action ends and the next begins: networks that give evidence at every position, and their loss.

`steps.decode` makes transitions of the evidence. Shapes: B clips, T positions in time, D features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

WEIGHTS = (1.0, 2.0)  # of the first and of the second transition: targets of the released code of MCoRe and HP-MCoRe


class GRUSegmenter(nn.Module):
    """A GRU in both directions of time, then one linear map: (B, T, D) -> logits (B, T, 2), one a transition.

    MCoRe's, after the spotting network of Hong et al. 2022 (E2E-Spot, arXiv 2207.10213): as many hidden units in either
    direction as features.
    """

    def __init__(self, dim: int, *, hidden: int = 0, dropout: float = 0.5) -> None:
        super().__init__()
        self.gru = nn.GRU(dim, hidden or dim, batch_first=True, bidirectional=True)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(2 * (hidden or dim), 2)

    def forward(self, sequence: Tensor) -> Tensor:
        return self.out(self.drop(self.gru(sequence)[0]))


def time_cross_entropy(logits: Tensor, transitions: Tensor, *, weights: tuple[float, float] = WEIGHTS) -> Tensor:
    """Cross-entropy in which the classes are the positions in time: - w log softmax over time at the true position.

    Parameters
    ----------
    logits : (B, T, 2)
    transitions : (B, 2) true positions, NaN where unknown: those clips are passed over

    Returns
    -------
    Tensor
        Mean over clips and transitions; zero where none is known.
    """
    known = torch.isfinite(transitions).all(dim=1)  # (B,)
    logits = logits[known]
    place = transitions[known].long().clamp(0, logits.shape[1] - 1)  # (B, 2)
    surprise = -functional.log_softmax(logits, dim=1).gather(1, place[:, None])[:, 0]  # (B, 2)
    return (surprise * surprise.new_tensor(weights)).sum() / max(1, surprise.numel())
