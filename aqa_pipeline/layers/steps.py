"""From frames to the steps of an action, and back: which frames a step holds, and its tokens.

Shapes: B clips, T positions in time, S = 3 steps (take-off, everything between, entry), N positions of one step,
C channels, then any further axes. Transitions (B, 2): the first position of the second and of the third step.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from aqa_pipeline.transitions import GRID

STEPS = 3


def decode(evidence: Tensor) -> Tensor:
    """Transitions (B, 2) from the evidence (B, T, 2) for each at each position: the best one in its own half.

    Each of K transitions is looked for in the k-th of K equal windows (FineParser, section 3; so in all released code).
    """
    half = round(evidence.shape[1] / 2)
    first = evidence[:, :half, 0].argmax(dim=1)
    return torch.stack([first, half + evidence[:, half:, 1].argmax(dim=1)], dim=1)


def placed(transitions: Tensor, length: int) -> Tensor:
    """Where transitions (B, 2) on the grid of 96 frames lie in a sequence of `length` positions over the same time."""
    return (transitions * length / GRID).floor()


def on_grid(positions: Tensor, length: int) -> Tensor:
    """The inverse of `placed`, up to its rounding."""
    return positions * GRID / length


def bounds(transitions: Tensor, length: int, *, overlap: bool = False) -> tuple[Tensor, Tensor]:
    """First and last position, each (B, 3) long, of the steps of clips of `length` positions.

    Steps are [0, a), [a, b), [b, T): FineDiving. With `overlap` [0, a], [a, b], [b - 1, T - 1], both ends in: HP-MCoRe.
    No step is empty: a is at least 1, b lies beyond a, and both within the clip. Steps that overlap are not either way,
    so that both may lie at the ends.
    """
    a, b = transitions.round().long().unbind(dim=1)
    zero, end = torch.zeros_like(a), torch.full_like(a, length - 1)
    if overlap:
        a = a.clamp(0, length - 1)
        b = torch.maximum(b, a).clamp(1, length)
        return torch.stack([zero, a, b - 1], dim=1), torch.stack([a, b.clamp(max=length - 1), end], dim=1)
    a = a.clamp(1, length - 2)
    b = torch.maximum(b, a + 1).clamp(max=length - 1)
    return torch.stack([zero, a, b], dim=1), torch.stack([a - 1, b - 1, end], dim=1)


def pool(sequence: Tensor, first: Tensor, last: Tensor, positions: int | Sequence[int]) -> list[Tensor]:
    """Every step brought to a number of positions of its own, evenly spaced from its first to its last, interpolated.

    Parameters
    ----------
    sequence : (B, T, C, ...)
    first, last : (B, S) positions, both in
    positions : N of each step, or of all

    Returns
    -------
    list
        Of each step (B, N, C, ...); FineDiving, equation 5, with linear interpolation as in its released code.
    """
    counts = [positions] * first.shape[1] if isinstance(positions, int) else positions
    return [_between(sequence, first[:, s], last[:, s], count) for s, count in enumerate(counts)]


def _between(sequence: Tensor, first: Tensor, last: Tensor, count: int) -> Tensor:
    share = torch.linspace(0, 1, count, device=sequence.device, dtype=torch.float64)  # ends exactly on the last one
    place = first[:, None] + (last - first)[:, None] * share  # (B, N)
    left = place.floor().long()
    right = torch.minimum(left + 1, last[:, None])
    weight = (place - left).to(sequence.dtype).reshape(*place.shape, *[1] * (sequence.ndim - 2))
    rows = torch.arange(len(sequence), device=sequence.device)[:, None]
    return sequence[rows, left].lerp(sequence[rows, right], weight)
