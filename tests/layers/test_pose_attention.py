import math

import pytest
import torch

from aqa_pipeline.layers.pose_attention import PoseGuidedBlock

B, T, D, C, HEADS = 2, 3, 8, 5, 2


def test_sizes_are_the_papers():
    assert sum(p.numel() for p in PoseGuidedBlock(256, 2, pose_dim=128).parameters()) == 822_017


def test_logits_are_raised_by_the_product_of_the_mapped_poses():
    torch.manual_seed(0)
    block = PoseGuidedBlock(D, 1, pose_dim=C)
    torch.nn.init.zeros_(block.attention.to_query.weight)  # only the poses decide
    torch.nn.init.zeros_(block.mlp[2].weight), torch.nn.init.zeros_(block.mlp[2].bias)
    torch.nn.init.zeros_(block.pose.weight), torch.nn.init.zeros_(block.pose.bias)
    block.pose.weight.data[0, 0] = 1.0
    block.weight.data.fill_(2.0)
    tokens, poses = torch.randn(1, T, D), torch.zeros(1, T, C)
    poses[0, :, 0] = torch.tensor([400.0, 800.0, 0.0])  # mapped: 4, 8, 0
    likeness = [2.0 * 4 * mapped / 64 for mapped in (4, 8, 0)]  # of the first token with each
    shares = torch.tensor([math.exp(value) for value in likeness])
    shares /= shares.sum()
    values = block.attention.to_key_value(block.attention_norm(tokens))[0, :, D:]
    expected = tokens[0, 0] + block.attention.out(shares @ values)
    assert torch.allclose(block(tokens, poses)[0, 0], expected, atol=1e-5)


@pytest.mark.parametrize("pose_dim", [0, C])
def test_poses_are_seen_only_where_they_are_asked_for(pose_dim):
    torch.manual_seed(0)
    block = PoseGuidedBlock(D, HEADS, pose_dim=pose_dim)
    tokens, poses = torch.randn(B, T, D), 100 * torch.randn(B, T, C)
    seen = not torch.allclose(block(tokens, poses), block(tokens, poses.flip(1)), atol=1e-6)
    assert seen == bool(pose_dim)
    assert block(tokens, poses).shape == (B, T, D)
