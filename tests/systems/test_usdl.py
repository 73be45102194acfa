from dataclasses import replace

import pytest
import torch

from aqa_pipeline.batches import Facts
from aqa_pipeline.errors import InputError
from aqa_pipeline.layers import distributions
from aqa_pipeline.systems import usdl

from .conftest import B, batch_for, built, facts_for, make_clips


def test_bins_end_at_the_largest_target_of_the_training_part_or_where_options_say():
    clips = replace(make_clips(3), target=torch.tensor([3.0, 12, 9]), inputs={})
    learnt, given = built(usdl), built(usdl, bottom=6.0, top=30.0)
    learnt.learn_labels(clips)
    given.learn_labels(clips)
    assert learnt.values.tolist() == [0, 2, 4, 6, 8, 10, 12]
    assert given.values.tolist() == [6, 10, 14, 18, 22, 26, 30]
    with pytest.raises(InputError, match=r"top: found 0.0 for bins from 0.0, expected more"):
        learnt.learn_labels(replace(clips, target=torch.zeros(3)))


def test_the_loss_by_hand():
    model, clips = built(usdl, bottom=6.0, top=30.0), batch_for(usdl)
    expected = 0.0
    for logits, target in zip(model(clips), clips.target, strict=True):
        label = torch.exp(-0.5 * ((target - torch.arange(6.0, 31, 4)) / 4) ** 2)  # sigma is one bin: 4
        label = label / label.sum()
        expected += (label * (label.log() - logits.softmax(dim=0).log())).sum() / len(clips)
    assert model.loss(clips)["score"].item() == pytest.approx(expected.item(), rel=1e-5)
    released = built(usdl, bottom=6.0, top=30.0, reduction="mean")
    assert released.loss(clips)["score"].item() == pytest.approx(expected.item() / 7, rel=1e-5)


def test_the_likeliest_bin_is_said_unless_the_mean_is_asked_for():
    model, clips = built(usdl, top=30.0).eval(), batch_for(usdl)
    likeliest = model(clips).argmax(dim=1)
    assert model.predict(clips).tolist() == [5.0 * bin for bin in likeliest.tolist()]
    mean = built(usdl, top=30.0, decode="expectation").eval()
    expected = (model(clips).softmax(dim=1) * torch.arange(0.0, 31, 5)).sum(dim=1)
    assert torch.allclose(mean.predict(clips), expected)


def test_bins_that_nobody_learnt_predict_nothing():
    model = usdl.build(facts_for(usdl), **usdl.tiny, decode="expectation")
    assert model.predict(batch_for(usdl)).isnan().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(pooling="score"), "usdl.pooling: found 'score', did you mean 'scores'"),
        (dict(decode="median"), "usdl.decode: found 'median', "),
        (dict(reduction="batchmean"), "usdl.reduction: found 'batchmean', did you mean 'mean'"),
        (dict(bins=1), "usdl.bins: found 1, expected 2 or more"),
        (dict(sigma=0.0), "usdl.sigma: found 0.0, expected more than 0"),
        (dict(top=-1.0), "top: found -1.0 for bins from 0.0"),
    ],
)
def test_options_that_are_none_are_named(options, message):
    with pytest.raises(InputError, match=message):
        usdl.build(facts_for(usdl), **{**usdl.tiny, **options})


def test_pictures_are_looked_at_end_to_end_one_snippet_of_all_clips_at_a_time():
    facts = Facts(dims={}, lengths={}, pictures=(26, 32, 32))
    model = built(usdl, facts=facts, starts=[0, 10], width=0.05)
    pictures = torch.randint(0, 256, (B, 26, 3, 32, 32), dtype=torch.uint8)
    clips = replace(make_clips(B), inputs={"frames": pictures})
    seen = []
    norm = model.encoder.backbone.conv3d_1a_7x7.batch3d
    norm.register_forward_hook(lambda module, given, made: seen.append(len(made)))
    model.loss(clips)["score"].backward()
    assert seen == [B, B]
    assert norm.num_batches_tracked == 2
    assert (norm.eps, norm.momentum) == (1e-3, 0.01)
    assert (norm.weight.grad != 0).any()
    assert torch.isfinite(model.eval().predict(clips)).all()


def test_released_parameters_are_found_under_our_names():
    torch.manual_seed(0)
    sizes = [4, 3, 2, 5]
    theirs = {}
    for layer in (1, 2, 3):
        theirs[f"module.evaluator.layer{layer}.weight"] = torch.randn(sizes[layer], sizes[layer - 1])
        theirs[f"module.evaluator.layer{layer}.bias"] = torch.randn(sizes[layer])
    i3d = {"Conv3d_1a_7x7.bn.bias": torch.ones(64), "logits.conv3d.bias": torch.zeros(157)}
    ours = usdl.from_official({"i3d": i3d, "evaluator": theirs})
    assert ours.pop("encoder.backbone.conv3d_1a_7x7.batch3d.bias").tolist() == [1] * 64
    head = distributions.Head(4, 5, hidden=[3, 2], pooling="features")
    head.load_state_dict({name.removeprefix("head."): value for name, value in ours.items()})
    features = torch.randn(2, 3, 4)
    x = features.mean(dim=1)
    for layer in (1, 2, 3):
        x = x @ theirs[f"module.evaluator.layer{layer}.weight"].T + theirs[f"module.evaluator.layer{layer}.bias"]
        x = x.relu() if layer < 3 else x
    assert torch.allclose(head(features), x)
