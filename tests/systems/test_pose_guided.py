from dataclasses import replace

import pytest
import torch

from aqa_pipeline.batches import Facts
from aqa_pipeline.errors import InputError
from aqa_pipeline.systems import pose_guided

from .conftest import T


def gradient_to_the_query(facts, pairs, **options) -> torch.Tensor:
    """Gradient of the predicted targets with respect to the query's features (B, T, D)."""
    torch.manual_seed(0)
    model = pose_guided.build(facts, **{**dict(dim=8, heads=2, layers=3), **options}).eval()
    pairs.query.inputs["pose"].requires_grad_()
    model.predict(pairs).sum().backward()
    return pairs.query.inputs["pose"].grad


def test_the_appended_token_of_the_released_block_cannot_see_the_query(facts, pairs):
    gradient = gradient_to_the_query(facts, pairs, block="cross_only", readout="token")
    assert gradient is None or (gradient == 0).all()


@pytest.mark.parametrize("options", [dict(block="standard", readout="token"), dict(block="cross_only", readout="mean")])
def test_the_standard_block_sees_every_frame_of_the_query_and_so_does_the_mean_over_tokens(facts, pairs, options):
    gradient = gradient_to_the_query(facts, pairs, **options)
    assert bool((gradient.abs().sum(dim=2) > 0).all())


def test_without_exemplar_it_scores_single_clips(facts, clips):
    model = pose_guided.build(facts, dim=8, layers=1, exemplar=False, sub_action_loss=1.0).eval()
    assert set(model.loss(clips)) == {"score", "sub_action"}
    assert model.predict(clips).shape == (len(clips),)
    assert all(block.cross_attention is None for block in model.stack.blocks)


def test_the_offset_is_added_to_each_exemplar_and_the_votes_are_averaged(facts, pairs):
    model = pose_guided.build(facts, dim=8, layers=1, readout="token").eval()
    torch.nn.init.zeros_(model.head[1][-1].weight)
    torch.nn.init.constant_(model.head[1][-1].bias, 0.5)
    known = pairs.exemplar.target
    expected = torch.stack([known[0], known[1:3].mean(), known[3]]) + 0.5
    assert torch.allclose(model.predict(pairs), expected)


def test_both_directions_compare_each_pair_twice(facts, pairs):
    torch.manual_seed(0)
    model = pose_guided.build(facts, dim=8, layers=1, dropout=0.0)
    torch.nn.init.zeros_(model.head[1][-1].weight)
    torch.nn.init.constant_(model.head[1][-1].bias, 0.5)
    target = pairs.queries().target - pairs.exemplar.target
    expected = torch.cat([0.5 - target, 0.5 + target]).square().mean()
    assert model.loss(pairs)["offset"].item() == pytest.approx(expected.item())
    model.both_directions = False
    assert model.loss(pairs)["offset"].item() == pytest.approx((0.5 - target).square().mean().item())


def test_frames_without_a_label_and_data_without_labels_are_passed_over(facts, pairs):
    model = pose_guided.build(facts, dim=8, layers=1, sub_action_loss=1.0)
    assert model.loss(pairs)["sub_action"] > 0
    pairs.query.sub_action.fill_(-100)
    pairs.exemplar.sub_action.fill_(-100)
    assert set(model.loss(pairs)) == {"offset"}
    without = pose_guided.build(
        Facts(dims=dict(facts.dims), lengths=facts.lengths), dim=8, layers=1, sub_action_loss=1.0
    )
    assert without.frame_head is None


def test_modalities_of_two_lengths_are_not_read_side_by_side(facts):
    longer = replace(facts, lengths={**facts.lengths, "image": T + 1})
    with pytest.raises(InputError, match=r"clips\.n_frames: found .*'image': 7.*, expected one length"):
        pose_guided.build(longer, dim=8, layers=1)


def test_a_zero_token_and_fixed_positions_stay_as_they_are(facts):
    model = pose_guided.build(facts, dim=8, layers=1, token="zero", position="sinusoidal")
    assert not model.token.requires_grad
    assert (model.token == 0).all()
    assert not model.position.requires_grad
    assert model.position[1, 1].item() == pytest.approx(torch.cos(torch.tensor(1.0)).item())
