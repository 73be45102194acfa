"""Self-attention that leans on poses: tokens whose poses are alike look at each other more.

HP-MCoRe (Qi et al. 2025, arXiv 2501.03674), figure 4; sizes and constants are its released code's.

Shapes: B sequences, T tokens, D channels of a token, C channels of a pose.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from aqa_pipeline.layers.transformer import Attention

SCALE = 0.01  # of the poses before their map
SHRINK = 64  # what the products of two mapped poses are divided by, whatever their length


class PoseGuidedBlock(nn.Module):
    """A pre-norm block whose attention logits are raised by the likeness of the poses, times a learnt weight.

    The poses never become tokens themselves. `pose_dim` 0: no poses, an ordinary block.
    """

    def __init__(self, dim: int, heads: int, *, pose_dim: int, ratio: int = 4) -> None:
        super().__init__()
        self.attention_norm, self.norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = Attention(dim, heads, bias=False)
        self.pose = nn.Linear(pose_dim, dim) if pose_dim else None
        self.weight = nn.Parameter(torch.tensor(0.001)) if pose_dim else None
        self.mlp = nn.Sequential(nn.Linear(dim, ratio * dim), nn.GELU(), nn.Linear(ratio * dim, dim))

    def forward(self, tokens: Tensor, poses: Tensor | None) -> Tensor:
        """(B, T, D) and (B, T, C) -> (B, T, D)."""
        normed = self.attention_norm(tokens)
        tokens = tokens + self.attention(normed, normed, self._likeness(poses) if self.pose is not None else None)
        return tokens + self.mlp(self.norm(tokens))

    def _likeness(self, poses: Tensor) -> Tensor:
        mapped = self.pose(SCALE * poses)  # (B, T, D)
        return self.weight * (mapped @ mapped.transpose(1, 2)) / SHRINK
