from dataclasses import replace

import pytest
import torch
from torch import nn

from aqa_pipeline.errors import InputError
from aqa_pipeline.systems import nl_net, tsa_net

from .conftest import FACTS, batch_for, built, facts_for

B, S, C, T, H, W = 2, 3, 4, 5, 7, 6  # of maps


@pytest.fixture
def block():
    torch.manual_seed(0)
    block = tsa_net.SelfAttention(C)
    nn.init.uniform_(block.norm.weight)
    nn.init.uniform_(block.norm.running_mean)
    return block.eval()


@pytest.fixture
def maps():
    return torch.randn(B, S, C, T, H, W, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def mask():
    mask = torch.zeros(B, S, T, H, W, dtype=torch.bool)
    mask[0, 0, 1, 2, 3] = mask[0, 2, 4, 6, 5] = mask[0, 2, 0, 0, 0] = True
    mask[1, 1, 1, 1, 1] = True  # a position alone
    return mask


def test_the_positions_of_a_tube_attend_to_each_other_and_the_others_stay(block, maps, mask):
    found = block(maps, mask)
    places = [(0, 0, slice(None), 1, 2, 3), (0, 2, slice(None), 4, 6, 5), (0, 2, slice(None), 0, 0, 0)]
    tokens = [maps[place] for place in places]
    for place, token in zip(places, tokens, strict=True):
        weights = torch.stack([token @ other for other in tokens]).softmax(dim=0)
        seen = sum(weight * block.g(other) for weight, other in zip(weights, tokens, strict=True))
        normed = (block.out(seen) - block.norm.running_mean) / (1 + 1e-5) ** 0.5  # the running variance is 1
        assert torch.allclose(found[place], token + block.norm.weight * normed, atol=1e-5)
        found[place] = maps[place]
    assert torch.equal(found, maps)


def test_the_block_begins_as_the_identity(maps, mask):
    assert torch.equal(tsa_net.SelfAttention(C)(maps, mask | True), maps)


def test_released_a_snippet_gets_times_of_all(maps):
    S_T = torch.arange(S * T).reshape(S, T)  # the times of the snippets, counted on
    counted = S_T[None, :, None, :, None, None].expand(B, S, C, T, H, W)
    mixed = tsa_net.mixed_up(counted)
    assert mixed.shape == counted.shape
    for snippet in range(S):
        assert mixed[1, snippet, 2, :, 3, 4].tolist() == [snippet + S * i for i in range(T)]
    correct, released = built(tsa_net), built(tsa_net, split="released")  # of the same seed
    clips = batch_for(tsa_net)
    assert not torch.allclose(correct(clips), released(clips), atol=1e-6)


def test_a_time_of_the_map_has_the_boxes_of_the_frames_it_is_made_of():
    model, clips = built(tsa_net), batch_for(tsa_net)
    tube = torch.full((len(clips), 26, 4, 2), torch.nan)
    tube[1, 9] = torch.tensor([[9.0, 1], [15, 1], [15, 22], [9, 22]])  # columns 1, rows 0 to 2 of cells of 8 pixels
    clips = replace(clips, inputs={**clips.inputs, "tubes": tube})
    mask = model.encoder._mask(clips, torch.zeros(len(clips), 2, 1, 4, 5, 4))  # four frames a time
    # Frame 9 is the third time of the first snippet and, as this one begins at 8, the first of the second.
    assert mask.nonzero().tolist() == [[1, s, t, row, 1] for s, t in ((0, 2), (1, 0)) for row in range(3)]


def test_clips_without_an_athlete_and_with_one_differ_by_attention_alone():
    model, clips = built(tsa_net).eval(), batch_for(tsa_net)
    nn.init.ones_(model.encoder.attention.norm.weight)
    nobody = replace(clips, inputs={**clips.inputs, "tubes": clips.inputs["tubes"] * torch.nan})
    plain, tube = model.encoder(nobody)[0], model.encoder(clips)[0]
    assert not torch.allclose(plain, tube, atol=1e-6)
    nn.init.zeros_(model.encoder.attention.norm.weight)
    nn.init.zeros_(model.encoder.attention.norm.bias)
    assert torch.equal(model.encoder(clips)[0], plain)


def test_without_a_tube_all_positions_attend():
    clips = batch_for(tsa_net)
    everywhere = replace(clips, inputs={"frames": clips.inputs["frames"]})
    model, other = built(nl_net).eval(), built(tsa_net).eval()
    nn.init.ones_(model.encoder.attention.norm.weight)
    other.load_state_dict(model.state_dict())
    whole = torch.tensor([[0.0, 0], [32, 0], [32, 40], [0, 40]]).expand(len(clips), 26, 4, 2)
    assert torch.allclose(
        model(everywhere), other(replace(clips, inputs={**everywhere.inputs, "tubes": whole - 0.5})), atol=1e-6
    )


def test_a_regression_by_hand():
    model, clips = built(tsa_net, head="regression", bottom=None).eval(), batch_for(tsa_net)
    low, high = clips.target.min(), clips.target.max()
    assert model.ends.tolist() == [low, high]
    place = model(clips)
    assert torch.allclose(model.predict(clips), low + (high - low) * place)
    expected = ((place - (clips.target - low) / (high - low)) ** 2).mean()
    assert model.loss(clips)["score"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert built(tsa_net, head="regression", top=30.0).ends.tolist() == [0, 30]


def test_a_distribution_by_hand():
    model, clips = built(tsa_net, bottom=6.0, top=30.0).eval(), batch_for(tsa_net)
    logits, expected = model(clips), 0.0
    for of_clip, target in zip(logits, clips.target, strict=True):
        label = torch.softmax(-0.5 * ((target - torch.arange(6.0, 31, 4)) / 4) ** 2, dim=0)  # sigma is one bin: 4
        expected += (label * (label.log() - of_clip.log_softmax(dim=0))).sum() / len(clips)
    assert model.loss(clips)["score"].item() == pytest.approx(expected.item(), rel=1e-4)
    assert model.predict(clips).tolist() == [6.0 + 4 * likeliest for likeliest in logits.argmax(dim=1).tolist()]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(head="regress"), "tsa_net.head: found 'regress', did you mean 'regression'"),
        (dict(split="right"), "tsa_net.split: found 'right', known: correct, released"),
        (dict(position="mixed_5c"), "tsa_net.position: found 'mixed_5c', did you mean 'mixed_5b'"),
        (dict(pixels="imagnet"), "pixels: found 'imagnet', did you mean 'imagenet'"),
        (dict(decode="median"), "tsa_net.decode: found 'median'"),
        (dict(bottom=None), "tsa_net.bottom: found none, expected the value of the first bin"),
        (dict(starts=[0, 11]), "frames.n_frames: found 26, expected 27 for these snippets"),
    ],
)
def test_options_that_are_none_are_named(options, message):
    with pytest.raises(InputError, match=message):
        tsa_net.build(facts_for(tsa_net), **{**tsa_net.tiny, **options})


def test_it_needs_pictures_and_a_range():
    with pytest.raises(InputError, match=r"systems\.nl_net: found no pictures, expected `frames`"):
        nl_net.build(FACTS, **nl_net.tiny)
    with pytest.raises(InputError, match=r"top: found -1\.0 for bins from 0.0, expected more"):
        built(tsa_net, top=-1.0)


def test_released_parameters_are_found_under_our_names():
    torch.manual_seed(0)
    theirs = nn.ModuleDict(
        dict(
            g=nn.Conv1d(C, C, 1),
            W=nn.Sequential(nn.Conv1d(C, C, 1), nn.BatchNorm1d(C)),
        )
    ).eval()
    nn.init.uniform_(theirs["W"][1].weight)
    nn.init.uniform_(theirs["W"][1].running_mean)
    parts = {
        "TSA_module": {f"module.NL_1D.{name}": value for name, value in theirs.state_dict().items()},
        "i3d": {"Conv3d_1a_7x7.bn.bias": torch.ones(64), "logits.conv3d.bias": torch.zeros(157)},
        "evaluator": {"evaluator.layer1.bias": torch.ones(3)},
    }
    ours = tsa_net.from_official(parts)
    assert ours["encoder.backbone.conv3d_1a_7x7.batch3d.bias"].tolist() == [1] * 64
    assert ours["head.maps.0.bias"].tolist() == [1, 1, 1]
    block = tsa_net.SelfAttention(C).eval()
    prefix = "encoder.attention."
    block.load_state_dict({n.removeprefix(prefix): v for n, v in ours.items() if n.startswith(prefix)})
    x = torch.randn(1, C, 9)
    weights = (x[0].T @ x[0]).softmax(dim=1)
    expected = x + theirs["W"]((weights @ theirs["g"](x)[0].T).T[None])
    found = block(x[:, None, :, :, None, None], torch.ones(1, 1, 9, 1, 1, dtype=torch.bool))
    assert torch.allclose(found[:, 0, :, :, 0, 0], expected, atol=1e-6)
