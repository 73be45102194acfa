"""Contrastive losses between the tokens of a query and of its exemplar.

Shapes: P pairs, N tokens of either clip, S steps, D channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def contrast(query: Tensor, exemplar: Tensor, *, temperature: float) -> Tensor:
    """Token n of the query belongs with token n of the exemplar and with no other token of either: (P, N, D) twice.

    - log(e(q_n, x_n) / (sum over m of e(q_n, x_m) + sum over m != n of e(q_n, q_m))), where e is the exponential of
    the cosine over the temperature; mean over tokens, over both directions and over pairs.
    """
    return (_one_way(query, exemplar, temperature) + _one_way(exemplar, query, temperature)) / 2


def frames_in_steps(query: Sequence[Tensor], exemplar: Sequence[Tensor], *, temperature: float = 0.5) -> Tensor:
    """MCoRe's: the tokens (P, N, D) of each step contrasted with each other, mean over the steps."""
    losses = [contrast(q, x, temperature=temperature) for q, x in zip(query, exemplar, strict=True)]
    return torch.stack(losses).mean()


def stages(query: Sequence[Tensor], exemplar: Sequence[Tensor], *, temperature: float = 0.1) -> Tensor:
    """HP-MCoRe's: the steps contrasted with each other, each by the mean of its tokens (P, N, D)."""
    query, exemplar = (torch.stack([tokens.mean(dim=1) for tokens in of], dim=1) for of in (query, exemplar))
    return contrast(query, exemplar, temperature=temperature)


def _one_way(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    a, b = functional.normalize(a, dim=2), functional.normalize(b, dim=2)
    across = a @ b.transpose(1, 2) / temperature  # (P, N, N)
    within = a @ a.transpose(1, 2) / temperature
    itself = torch.eye(a.shape[1], dtype=torch.bool, device=a.device)
    every = torch.cat([across, within.masked_fill(itself, -torch.inf)], dim=2)  # (P, N, 2 N)
    return (every.logsumexp(dim=2) - across.diagonal(dim1=1, dim2=2)).mean()
