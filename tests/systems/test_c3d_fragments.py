from dataclasses import replace

import pytest
import torch
from torch import nn

from aqa_pipeline.backbones import c3d
from aqa_pipeline.batches import Clips, Facts
from aqa_pipeline.errors import InputError
from aqa_pipeline.layers import pictures, ranking
from aqa_pipeline.systems import c3d_fragments

from .conftest import DIMS, B, batch_for, built, make_clips

T, SIDE = 48, 32  # three fragments
PICTURES = Facts(dims={}, lengths={}, pictures=(T, SIDE, SIDE))
D = DIMS["dynamic"]


def stored(rows: int) -> Facts:
    return Facts(dims={"motion": D}, lengths={"motion": rows})


def of_features(rows: torch.Tensor) -> Clips:
    return replace(make_clips(len(rows)), inputs={"motion": rows})


def of_pictures(count: int = B) -> Clips:
    generator = torch.Generator().manual_seed(3)
    frames = torch.randint(0, 256, (count, T, 3, SIDE, SIDE), generator=generator, dtype=torch.uint8)
    return replace(make_clips(count), inputs={"frames": frames})


def network(facts: Facts = PICTURES, **options) -> c3d_fragments.C3DFragments:
    return built(c3d_fragments, facts=facts, **options).eval()


def test_fragments_are_equal_parts_in_their_order():
    clips = of_pictures()
    parts = network(fragments="all", pixels="symmetric").parts(clips)
    assert [tuple(part.shape) for part in parts] == [(B, 3, 16, SIDE, SIDE)] * 3
    third = pictures.normalised(clips.inputs["frames"][:, 32:], pixels="symmetric")
    torch.testing.assert_close(parts[2], third.transpose(1, 2))


def test_a_fragment_of_features_by_hand():
    rows = torch.tensor([[3.0, 1], [5, -1], [2, 2], [4, 6], [9, 9], [7, 7]])[None]  # two rows a fragment
    facts = Facts(dims={"motion": 2}, lengths={"motion": 6})
    first, last = network(facts, fragments=[0, 2]).parts(of_features(rows))
    assert first.tolist() == [[4, 0, 3, -1, 5, 1]]  # mean, smallest, largest
    assert last.tolist() == [[8, 8, 7, 7, 9, 9]]


def test_single_rows_are_taken_as_they_are():
    rows = torch.randn(B, 1, D)
    model = network(stored(1), n_fragments=1, fragments="last")
    assert torch.equal(model.parts(of_features(rows))[0], rows[:, 0])
    assert model.predict(of_features(rows)).shape == (B,)


@pytest.mark.parametrize(("fragments", "used"), [("last", (2,)), ("all", (0, 1, 2)), ([1], (1,)), ([2, 0, 2], (0, 2))])
def test_which_fragments_are_used(fragments, used):
    model = network(fragments=fragments)
    assert model.parts.used == used
    assert len(model.extractors) == len(used)
    assert all(isinstance(extractor, c3d.C3D) for extractor in model.extractors)


@pytest.mark.parametrize("left_out", c3d_fragments.LEFT_OUT)
@pytest.mark.parametrize("join", c3d_fragments.JOINS)
@pytest.mark.parametrize("shared", [False, True])
def test_a_score_depends_on_the_fragments_that_are_used_alone(left_out, join, shared):
    options = dict(fragments=[1], left_out=left_out, join=join, shared=shared)
    model, clips = network(**options, hidden=[16, 8], width=0.1), of_pictures()
    assert len(model.extractors) == (1 if shared or left_out == "dropped" else 3)
    frames = clips.inputs["frames"]
    others, own = frames.clone(), frames.clone()
    others[:, :16] = others[:, 32:] = 7
    own[:, 16:32] = 255 - own[:, 16:32]
    score = model.predict(clips)
    assert score.shape == (B,)
    assert torch.equal(model.predict(replace(clips, inputs={"frames": others})), score)
    assert (model.predict(replace(clips, inputs={"frames": own})) != score).all()


def test_fragments_are_joined_in_time_or_as_channels():
    seen = {}
    for join in c3d_fragments.JOINS:
        model = network(fragments="all", join=join)
        model.regressor.register_forward_pre_hook(lambda _, given, join=join: seen.update({join: given[0]}))
        model(of_pictures())
    channels = model.extractors[0].dim
    assert seen["time"].shape == (B, channels, 3, 2, 2)
    assert seen["channels"].shape == (B, 3 * channels, 1, 2, 2)


def test_the_sizes_of_the_paper():
    """Nine fragments of 112 x 112 pixels: 512 x 9 x 4 x 4, then 256 x 5 x 2 x 2 and 256 x 3 x 1 x 1."""
    with torch.device("meta"):
        model = c3d_fragments.build(replace(PICTURES, pictures=(144, 112, 112)), fragments="all")
    assert model.regressor.layers[0].in_features == 256 * 3
    assert sum(p.numel() for p in model.extractors.parameters()) == 9 * 27_655_936
    maps = torch.zeros(B, 512, 9, 4, 4)
    small = c3d_fragments.Regressor(512, (9, 4, 4), channels=[4, 3], hidden=[2], dropout=0.0, bias=True)
    sizes = []
    for layer in small.convolutions:
        maps = layer(maps)
        sizes.append(tuple(maps.shape[1:]))
    assert sizes[2::3] == [(4, 5, 2, 2), (3, 3, 1, 1)]
    assert small.layers[0].in_features == 9


def test_every_weight_learns_from_pictures_also_where_maps_are_made_twice():
    clips, gradients = of_pictures(), []
    for recompute in (False, True):
        model = network(fragments="all", recompute=recompute, loss="mse")
        model.loss(clips)["squared"].backward()
        gradients.append({name: weight.grad for name, weight in model.named_parameters()})
    assert [name for name, grad in gradients[0].items() if not grad.any()] == []
    assert all(torch.equal(gradients[0][name], gradients[1][name]) for name in gradients[0])


def test_all_fragments_begin_with_the_same_published_weights(tmp_path):
    source = c3d.build(width=0.05, fc6=True, side=SIDE)
    torch.save(source.state_dict(), tmp_path / "c3d.pth")
    model = network(fragments="all", weights=str(tmp_path / "c3d.pth"))
    for extractor in model.extractors:
        torch.testing.assert_close(extractor.conv5b.weight, source.conv5b.weight)
    assert model.extractors[0].conv1.weight is not model.extractors[1].conv1.weight


@pytest.mark.parametrize("loss", c3d_fragments.LOSSES)
def test_each_loss_is_learnt_by_all_weights(loss):
    model, clips = built(c3d_fragments, loss=loss), batch_for(c3d_fragments)
    sum(model.loss(clips).values()).backward()
    assert [name for name, weight in model.named_parameters() if not (weight.grad != 0).any()] == []


def test_the_terms_of_the_losses():
    clips = batch_for(c3d_fragments)
    score = built(c3d_fragments).eval().predict(clips)
    squared, order = ranking.squared(score, clips.target), ranking.ranking(score, clips.target, margin=2.0)
    alpha = ranking.balance(score, clips.target, margin=2.0)

    def terms(**options):
        return {name: term.item() for name, term in built(c3d_fragments, **options).eval().loss(clips).items()}

    assert terms(loss="mse") == pytest.approx({"squared": squared.item()})
    assert terms() == pytest.approx({"squared": squared.item(), "ranking": (alpha * order).item()})
    assert terms(balance=0.5) == pytest.approx({"squared": squared.item(), "ranking": 0.5 * order.item()})
    alone = built(c3d_fragments, loss="ranking").eval()
    expected = ranking.ranking(alone.predict(clips), clips.target, margin=2.0)
    assert {name: term.item() for name, term in alone.loss(clips).items()} == {"ranking": expected.item()}
    assert alone.regressor.layers[-1].bias is None  # an order has no zero


def test_the_balance_of_the_first_batch_is_kept():
    model, clips = built(c3d_fragments, balance="first").eval(), batch_for(c3d_fragments)
    assert model.alpha.isnan()
    model.loss(clips)
    first = ranking.balance(model.predict(clips), clips.target, margin=2.0)
    assert model.alpha == first
    with torch.no_grad():
        model.regressor.layers[-1].bias += 5
    term = model.loss(clips)["ranking"]
    assert term == first * ranking.ranking(model.predict(clips), clips.target, margin=2.0)


def test_dropout_is_the_chance_to_drop():
    drops = [module.p for module in network(dropout=0.8).modules() if isinstance(module, nn.Dropout)]
    assert drops == [0.8, 0.8]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(fragments="lst"), "c3d_fragments.fragments: found 'lst', did you mean 'last'"),
        (dict(fragments=[3]), r"c3d_fragments.fragments: found \[3\], expected numbers from 0 to 2"),
        (dict(fragments=[]), r"c3d_fragments.fragments: found \[\], expected numbers"),
        (dict(n_fragments=0), "c3d_fragments.n_fragments: found 0, expected 1 or more"),
        (dict(n_fragments=4), "frames.n_frames: found 48, expected 4 times the same, 16 or more"),
        (dict(left_out="zeros"), "c3d_fragments.left_out: found 'zeros', did you mean 'zero'"),
        (dict(join="channel"), "c3d_fragments.join: found 'channel', did you mean 'channels'"),
        (dict(loss="rank"), "c3d_fragments.loss: found 'rank', did you mean 'ranking'"),
        (dict(balance="epoch"), "c3d_fragments.balance: found 'epoch', "),
        (dict(pixels="c4d"), "c3d_fragments.pixels: found 'c4d', did you mean 'c3d'"),
        (dict(layout="s2m"), "c3d.layout: found 's2m', did you mean 's1m'"),
    ],
)
def test_options_that_are_none_are_named(options, message):
    with pytest.raises(InputError, match=message):
        network(**options)


@pytest.mark.parametrize("rows", [0, 2, 4])
def test_too_few_rows_are_named(rows):
    with pytest.raises(InputError, match=f"clips.n_frames: found {rows}, expected a row for each of 3 fragments"):
        network(stored(rows))
