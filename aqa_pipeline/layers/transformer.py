"""Transformer blocks over two sequences: tokens that are changed, and a context that is looked at.

Shapes: B sequences, T tokens, S context tokens, D channels.

kinds of block
    "standard"    self-attention, cross-attention to the context, MLP: the decoder layer of Vaswani et al. 2017
    "cross_only"  cross-attention and MLP, no attention among the tokens: the block released with FineDiving. A token
                  never sees its neighbours, so what is read from one token knows nothing of the others
    "encoder"     self-attention and MLP, no context
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

KINDS = ("standard", "cross_only", "encoder")


class Attention(nn.Module):
    """Multi-head attention; queries from one sequence, keys and values from another."""

    def __init__(self, dim: int, heads: int, *, bias: bool = True) -> None:
        super().__init__()
        assert dim % heads == 0, (dim, heads)
        self.heads = heads
        self.to_query = nn.Linear(dim, dim, bias=bias)
        self.to_key_value = nn.Linear(dim, 2 * dim, bias=bias)
        self.out = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor, context: Tensor, leaning: Tensor | None = None) -> Tensor:
        """(B, T, D) and (B, S, D) -> (B, T, D); `leaning` (B, T, S) is added to the logits of every head."""
        query = self._split(self.to_query(tokens))  # (B, heads, T, D / heads)
        key, value = (self._split(part) for part in self.to_key_value(context).chunk(2, dim=-1))
        mask = None if leaning is None else leaning[:, None]
        mixed = functional.scaled_dot_product_attention(query, key, value, mask)  # with dropout 5 times slower on a CPU
        return self.out(mixed.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class Block(nn.Module):
    """One block of a `kind` above; `norm` "pre" or "post" says where the layer norms stand."""

    def __init__(
        self, dim: int, heads: int, *, kind: str = "standard", norm: str = "pre", ratio: int = 4, dropout: float = 0.0
    ) -> None:
        super().__init__()
        assert kind in KINDS, kind
        assert norm in ("pre", "post"), norm
        self.pre = norm == "pre"
        bias = kind != "cross_only"  # the released block has none in its three maps
        self.self_attention = Attention(dim, heads, bias=bias) if kind != "cross_only" else None
        self.cross_attention = Attention(dim, heads, bias=bias) if kind != "encoder" else None
        self.self_norm = nn.LayerNorm(dim) if self.self_attention else None
        self.cross_norm = nn.LayerNorm(dim) if self.cross_attention else None
        self.context_norm = nn.LayerNorm(dim) if self.cross_attention and self.pre else None
        self.norm = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, ratio * dim), nn.GELU(), nn.Linear(ratio * dim, dim))
        self.drop = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, context: Tensor | None = None) -> Tensor:
        """(B, T, D) and (B, S, D) -> (B, T, D)."""
        if self.self_attention is not None:
            tokens = self._residual(tokens, self.self_norm, lambda x: self.self_attention(x, x))
        if self.cross_attention is not None:
            seen = self.context_norm(context) if self.pre else context
            tokens = self._residual(tokens, self.cross_norm, lambda x: self.cross_attention(x, seen))
        return self._residual(tokens, self.norm, self.mlp)

    def _residual(self, tokens: Tensor, norm: nn.Module, change) -> Tensor:
        if self.pre:
            return tokens + self.drop(change(norm(tokens)))
        return norm(tokens + self.drop(change(tokens)))


class Stack(nn.Module):
    """Blocks one after the other, all with the same context; a last layer norm where they are pre-norm.

    The cross-attention decoder of FineDiving and its successors is `kind="cross_only"` with `last_norm=False`.
    """

    def __init__(
        self, dim: int, heads: int, *, layers: int, norm: str = "pre", last_norm: bool = True, **block
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(dim, heads, norm=norm, **block) for _ in range(layers))
        self.norm = nn.LayerNorm(dim) if norm == "pre" and last_norm else nn.Identity()

    def forward(self, tokens: Tensor, context: Tensor | None = None) -> Tensor:
        for block in self.blocks:
            tokens = block(tokens, context)
        return self.norm(tokens)


def sinusoids(n_tokens: int, dim: int) -> Tensor:
    """Fixed positions (T, D): sines and cosines of wavelengths from 2 pi to 10000 times that."""
    half = torch.arange(0, dim, 2) / dim
    phase = torch.arange(n_tokens)[:, None] * 10000.0**-half  # (T, ceil(D / 2))
    return torch.stack([phase.sin(), phase.cos()], dim=2).flatten(1)[:, :dim]
