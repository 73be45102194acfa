from dataclasses import replace

import pytest
import torch

from aqa_pipeline.batches import Facts
from aqa_pipeline.errors import InputError
from aqa_pipeline.systems import i3d_mlp

from .conftest import B, batch_for, built, facts_for, make_clips


def test_the_scale_ends_where_the_training_part_does_or_where_options_say():
    clips = replace(make_clips(3), target=torch.tensor([3.0, 12, 9]), inputs={})
    learnt, given, one = built(i3d_mlp), built(i3d_mlp, bottom=0.0, top=104.5), built(i3d_mlp, bottom=0.0)
    for model, ends in ((learnt, [3, 12]), (given, [0, 104.5]), (one, [0, 12])):
        model.learn_labels(clips)
        assert model.ends.tolist() == ends
    with pytest.raises(InputError, match=r"top: found 0.0 for a scale from 0.0, expected more"):
        one.learn_labels(replace(clips, target=torch.zeros(3)))


@pytest.mark.parametrize("pooling", ["features", "scores"])
def test_loss_and_prediction_by_hand(pooling):
    """A head without hidden layers is linear, so that both poolings say the weighted sum of the mean feature."""
    model = built(i3d_mlp, bottom=10.0, top=30.0, hidden=[], pooling=pooling).eval()
    clips = batch_for(i3d_mlp)
    features, [maps] = model.encoder(clips)[0], model.head.maps
    place = features.mean(dim=1) @ maps.weight[0] + maps.bias
    assert torch.allclose(model.predict(clips), 10 + 20 * place, atol=1e-5)
    expected = ((place - (clips.target - 10) / 20) ** 2).mean()
    assert model.loss(clips)["score"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_poolings_differ_where_there_is_a_kink():
    clips = batch_for(i3d_mlp)
    one, other = (built(i3d_mlp, bottom=10.0, top=30.0, pooling=p).eval() for p in i3d_mlp.OPTIONS["pooling"])
    assert not torch.allclose(one.predict(clips), other.predict(clips))


def test_a_scale_that_nobody_learnt_predicts_nothing():
    model = i3d_mlp.build(facts_for(i3d_mlp), **i3d_mlp.tiny)
    assert model.predict(batch_for(i3d_mlp)).isnan().all()


def test_options_that_are_none_are_named():
    with pytest.raises(InputError, match=r"i3d_mlp.pooling: found 'feature', did you mean 'features'"):
        i3d_mlp.build(facts_for(i3d_mlp), pooling="feature")
    with pytest.raises(InputError, match=r"i3d_mlp.head: found 'trees', did you mean 'tree'"):
        i3d_mlp.build(facts_for(i3d_mlp), head="trees")


def test_the_tree_says_how_far_a_score_lies_from_the_mean_of_the_training_part():
    model = built(i3d_mlp, head="tree", tree_hidden=4, depth=3).eval()
    model.learn_labels(replace(make_clips(5), target=torch.tensor([10.0, 14, 16, 17, 23]), inputs={}))  # mean 16
    assert model.edges.tolist() == [-7, -2, 0, 2, 7]  # distances 0, 1, 2, 6, 7
    leaf, place = torch.zeros(3, 4), torch.tensor([[0.5, 0.5, 0.25, 0.2]] * 3)
    leaf[0, 2], leaf[1, 3], leaf[2, 0] = 5, 5, 5
    leaf = leaf.log_softmax(dim=1)
    model.forward = lambda clips: (leaf, place)
    clips = replace(make_clips(3), target=torch.tensor([17.0, 18, 9]))
    assert model.predict(clips).tolist() == pytest.approx([16.5, 19, 11.5])
    terms = model.loss(clips)
    assert terms["leaf"].item() == pytest.approx(-leaf[0, 2].item(), rel=1e-5)
    assert terms["place"].item() == pytest.approx((0.25**2 + 0.2**2 + 0.5**2) / 3, rel=1e-5)


def test_every_weight_of_the_tree_learns():
    model = built(i3d_mlp, head="tree", tree_hidden=4, depth=3)
    sum(model.loss(batch_for(i3d_mlp)).values()).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_pictures_are_looked_at_end_to_end():
    model = built(i3d_mlp, facts=Facts(dims={}, lengths={}, pictures=(26, 32, 32)), starts=[0, 10], width=0.05)
    clips = replace(make_clips(B), inputs={"frames": torch.randint(0, 256, (B, 26, 3, 32, 32), dtype=torch.uint8)})
    model.loss(clips)["score"].backward()
    assert (model.encoder.backbone.conv3d_1a_7x7.conv3d.weight.grad != 0).any()
    assert torch.isfinite(model.eval().predict(clips)).all()


def test_released_parameters_fill_the_network():
    model = built(i3d_mlp, hidden=[4, 3])
    theirs = {
        f"evaluator.layer{1 + int(n) // 2}.{kind}": torch.randn_like(value)
        for name, value in model.head.state_dict().items()
        for _, n, kind in [name.split(".")]
    }
    ours = i3d_mlp.from_official({"i3d": {"Conv3d_1a_7x7.bn.bias": torch.ones(64)}, "evaluator": theirs})
    assert ours.pop("encoder.backbone.conv3d_1a_7x7.batch3d.bias").tolist() == [1] * 64
    assert ours.keys() == {f"head.{name}" for name in model.head.state_dict()}
