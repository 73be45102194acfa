import pytest
import torch
from torch import nn

from aqa_pipeline.layers.transformer import Attention, Block, Stack, sinusoids

B, T, S, D, HEADS = 2, 5, 3, 12, 4


def copy_attention(theirs: nn.MultiheadAttention, ours: Attention) -> None:
    weight, bias = theirs.in_proj_weight, theirs.in_proj_bias
    ours.to_query.load_state_dict({"weight": weight[:D], "bias": bias[:D]})
    ours.to_key_value.load_state_dict({"weight": weight[D:], "bias": bias[D:]})
    ours.out.load_state_dict(theirs.out_proj.state_dict())


def test_a_standard_post_norm_block_is_the_decoder_layer_of_torch():
    torch.manual_seed(0)
    theirs = nn.TransformerDecoderLayer(D, HEADS, 4 * D, dropout=0.0, activation="gelu", batch_first=True)
    ours = Block(D, HEADS, kind="standard", norm="post")
    copy_attention(theirs.self_attn, ours.self_attention)
    copy_attention(theirs.multihead_attn, ours.cross_attention)
    for name, norm in (("norm1", ours.self_norm), ("norm2", ours.cross_norm), ("norm3", ours.norm)):
        norm.load_state_dict(getattr(theirs, name).state_dict())
    ours.mlp[0].load_state_dict(theirs.linear1.state_dict())
    ours.mlp[2].load_state_dict(theirs.linear2.state_dict())
    tokens, context = torch.randn(B, T, D), torch.randn(B, S, D)
    assert torch.allclose(ours(tokens, context), theirs(tokens, context), atol=1e-5)


def test_an_encoder_pre_norm_block_is_the_encoder_layer_of_torch():
    torch.manual_seed(1)
    theirs = nn.TransformerEncoderLayer(
        D, HEADS, 4 * D, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    ours = Block(D, HEADS, kind="encoder", norm="pre")
    copy_attention(theirs.self_attn, ours.self_attention)
    ours.self_norm.load_state_dict(theirs.norm1.state_dict())
    ours.norm.load_state_dict(theirs.norm2.state_dict())
    ours.mlp[0].load_state_dict(theirs.linear1.state_dict())
    ours.mlp[2].load_state_dict(theirs.linear2.state_dict())
    tokens = torch.randn(B, T, D)
    assert torch.allclose(ours(tokens), theirs.train()(tokens), atol=1e-5)


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize(("kind", "sees"), [("standard", True), ("encoder", True), ("cross_only", False)])
def test_whether_a_token_sees_its_neighbours(kind, sees, norm):
    torch.manual_seed(2)
    stack = Stack(D, HEADS, layers=3, kind=kind, norm=norm)
    tokens = torch.randn(B, T, D, requires_grad=True)
    stack(tokens, torch.randn(B, S, D))[:, -1].square().sum().backward()
    assert bool(tokens.grad[:, -1].abs().min() > 0)
    assert bool((tokens.grad[:, :-1] != 0).any()) == sees


def test_positions_are_the_sines_and_cosines_of_the_paper():
    table = sinusoids(T, 6)
    assert table.shape == (T, 6)
    assert table[0].tolist() == [0, 1, 0, 1, 0, 1]
    assert table[3, 2].item() == pytest.approx(torch.sin(torch.tensor(3 / 10000 ** (2 / 6))).item())
