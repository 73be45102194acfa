from dataclasses import replace

import numpy as np
import pytest
import torch

from aqa_pipeline.batches import Clips, Facts, Pairs
from aqa_pipeline.datasets import finediving, mtl_aqa
from aqa_pipeline.errors import InputError
from aqa_pipeline.systems import core

from .conftest import B, P, batch_for, built, facts_for, make_clips


def labels(target, action_type=None, difficulty=None) -> Clips:
    count = len(target)
    return Clips(
        inputs={},
        video_ids=tuple(map(str, range(count))),
        target=torch.tensor(target, dtype=torch.float32),
        difficulty=torch.full((count,), torch.nan) if difficulty is None else torch.tensor(difficulty),
        action_type=torch.tensor([0] * count if action_type is None else action_type),
    )


def of_table(table, target) -> Clips:
    """Labels of the training part of a sample table."""
    types = {name: number for number, name in enumerate(sorted(table["action_type"].unique()))}
    return labels(
        target.to_numpy(np.float64), [types[name] for name in table["action_type"]], table["difficulty"].to_numpy()
    )


def upper_edges(clips: Clips, ranges_of: str, theta: float) -> tuple[int, list[float]]:
    """Number of eligible pairs, and edges of the upper half, as CoRe with its options learns them."""
    model = core.build(Facts(dims={"dynamic": 2}, lengths={"dynamic": 10}), hidden=2, theta=theta, ranges_of=ranges_of)
    model.learn_labels(clips)
    edges = model.edges.tolist()
    assert edges == [-edge for edge in reversed(edges)]
    return len(core.differences(clips, ranges_of)), edges[8:]


def test_only_pairs_that_may_be_compared_count():
    clips = labels([1.0, 4, 9, 5, 25], action_type=[0, 1, 0, 1, 2], difficulty=[3.0, 3, 2, 3, 2])
    found = {how: sorted(core.differences(clips, how)) for how in ("same_type", "same_difficulty", "any")}
    assert found["same_type"] == [1, 8]
    assert found["same_difficulty"] == [1, 3, 4, 16]
    assert found["any"] == [1, 3, 4, 4, 5, 8, 16, 20, 21, 24]
    with pytest.raises(InputError, match="'same_type' pairs no two of 2 training clips, expected 'any'"):
        core.differences(labels([1.0, 2], action_type=[0, 1]), "same_type")


def test_clips_whose_difficulty_nobody_knows_are_of_one_difficulty():
    assert core.differences(labels([1.0, 4]), "same_difficulty").tolist() == [3]


@pytest.fixture
def mtl(realdata):
    if not (realdata / "MTL-AQA").is_dir():
        pytest.skip("AQA_REALDATA has no MTL-AQA")
    table = mtl_aqa.samples(root=realdata / "MTL-AQA")
    return table[table["part"] == "train"]


@pytest.mark.parametrize(
    ("ranges_of", "pairs", "edges"),
    [
        ("same_difficulty", 67_562, [0, 0.9118, 1.5, 2.5, 3, 4.5, 6, 8.5, 30]),
        ("same_type", 33_211, [0, 0.5, 1.5, 2.5, 3, 4.5, 6, 8.5, 30]),
    ],
)
def test_leaves_of_marks_on_mtl_aqa_are_those_of_the_released_code(mtl, ranges_of, pairs, edges):
    clips = of_table(mtl, mtl["score"] / mtl["difficulty"])
    assert upper_edges(clips, ranges_of, 30.0) == (pairs, pytest.approx(edges, abs=5e-5))


def test_leaves_of_scores_on_mtl_aqa_are_those_of_the_released_code(mtl):
    expected = [0, 3.6, 7.35, 11.2, 15.7, 20.8, 27.2, 36.3, 100]
    assert upper_edges(of_table(mtl, mtl["score"]), "any", 100.0) == (560_211, pytest.approx(expected, abs=1e-4))


def test_leaves_of_scores_on_finediving(realdata):
    if not (realdata / "FineDiving" / "Annotations").is_dir():
        pytest.skip("AQA_REALDATA has no FineDiving")
    table = finediving.samples(root=realdata / "FineDiving")
    table = table[table["part"] == "train"]
    expected = [0, 2.1, 4.5, 6.82, 9.75, 13.35, 17.88, 25.5, 100]
    assert upper_edges(of_table(table, table["score"]), "same_type", 100.0) == (
        146_949,
        pytest.approx(expected, abs=1e-4),
    )


def test_the_loss_by_hand():
    model, pairs = built(core, depth=2, theta=10.0), batch_for(core)
    model.edges.copy_(torch.tensor([-10.0, 0, 10]))
    target = pairs.queries().target - pairs.exemplar.target
    query = {"feature": model.encode(pairs.queries())["feature"]}
    exemplar = model.encode(pairs.exemplar)
    leaf_loss, place_loss = 0.0, 0.0
    for one, other, known, difference in (
        (query, exemplar, pairs.exemplar.target, target),
        (exemplar, query, pairs.queries().target, -target),
    ):
        log_probability, place = model.tree(torch.cat([other["feature"], one["feature"], known[:, None] / 10], dim=1))
        rows = {0: [p for p in range(P) if difference[p] < 0], 1: [p for p in range(P) if difference[p] >= 0]}
        leaf_loss -= sum(log_probability[p, leaf] for leaf in rows for p in rows[leaf]) / P
        for leaf, of_leaf in rows.items():
            true = (difference.clamp(-10, 10) / 10 + 1 - leaf)[of_leaf]
            place_loss += (place[of_leaf, leaf] - true).square().mean() if of_leaf else 0.0
    terms = model.loss(pairs)
    assert terms["leaf"].item() == pytest.approx(leaf_loss.item())
    assert terms["place"].item() == pytest.approx(place_loss.item())


def test_the_vote_is_the_place_in_the_likeliest_leaf_added_to_the_exemplar():
    model, pairs = built(core).eval(), batch_for(core)
    model.edges.copy_(torch.tensor([-9.0, -4, 0, 4, 9]))
    model.tree.forward = lambda pair: (torch.eye(4), torch.tensor([[0.2, 0.5, 0.25, 1.5]]).expand(P, 4))
    votes = pairs.exemplar.target + torch.tensor([-8.0, -2, 1, 11.5])
    expected = [votes[0], (votes[1] + votes[2]) / 2, votes[3]]  # query_of is 0, 1, 1, 2
    assert model.predict(pairs).tolist() == pytest.approx([value.item() for value in expected])


def one_pair(of_query: float, of_exemplar: float) -> Pairs:
    query, exemplar = make_clips(1), make_clips(1, seed=1)
    query, exemplar = (
        replace(clip, target=torch.tensor([known])) for clip, known in ((query, of_query), (exemplar, of_exemplar))
    )
    return Pairs(query, exemplar, torch.tensor([0]))


def test_a_difference_beyond_the_ranges_goes_to_the_outer_leaf_or_as_released_to_the_first():
    outer, first = built(core, theta=10.0, beyond="outer"), built(core, theta=10.0, beyond="first")
    beyond, within = one_pair(25.0, 13.0), one_pair(22.0, 13.0)
    assert torch.equal(outer.edges, first.edges)
    assert outer.loss(within) == first.loss(within)
    assert first.loss(beyond)["place"] == 0
    assert outer.loss(beyond)["place"] > 0

    def leaf_losses(model):
        query, exemplar = model.encode(beyond.query), model.encode(beyond.exemplar)
        up = model(query, exemplar, beyond.exemplar.target)[0][0]
        down = model(exemplar, query, beyond.query.target)[0][0]
        return up, down

    up, down = leaf_losses(first)
    assert first.loss(beyond)["leaf"].item() == pytest.approx(-(up[0] + down[0]).item())
    assert outer.loss(beyond)["leaf"].item() == pytest.approx(-(up[3] + down[0]).item())


def test_as_the_paper_is_reported_places_stay_within_and_every_leaf_is_right_or_wrong():
    model, pairs = built(core, place="sigmoid", leaf_loss="binary"), batch_for(core)
    query, exemplar = model.encode(pairs.queries()), model.encode(pairs.exemplar)
    log_probability, place = model(query, exemplar, pairs.exemplar.target)
    assert ((place > 0) & (place < 1)).all()
    right = torch.eye(4)[[1, 0, 3, 2]]
    expected = torch.nn.functional.binary_cross_entropy(log_probability.exp(), right, reduction="none").sum(1).mean()
    assert model._leaf_loss(log_probability, right).item() == pytest.approx(expected.item(), rel=1e-4)
    sum(model.loss(pairs).values()).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_leaves_that_nobody_learnt_predict_nothing():
    model = core.build(facts_for(core), **core.tiny)
    assert model.predict(batch_for(core)).isnan().all()
    assert model.theta == 16  # range of the training part


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(ranges_of="same_typ"), "core.ranges_of: found 'same_typ', did you mean 'same_type'"),
        (dict(leaf_loss="bce"), "core.leaf_loss: found 'bce', known: binary, nll"),
        (dict(place="sigmod"), "core.place: found 'sigmod', did you mean 'sigmoid'"),
        (dict(beyond="last"), "core.beyond: found 'last', did you mean 'first'"),
        (dict(theta=0.0), "core.theta: found 0.0, expected"),
    ],
)
def test_options_that_are_none_are_named(options, message):
    with pytest.raises(InputError, match=message):
        core.build(facts_for(core), **core.tiny, **options)


def test_pictures_are_looked_at_end_to_end():
    facts = Facts(dims={}, lengths={}, pictures=(26, 32, 32), target_range=(0.0, 30.0))
    model = built(core, facts=facts, starts=[0, 10], width=0.05)
    pictures = torch.randint(0, 256, (B + P, 26, 3, 32, 32), dtype=torch.uint8)
    pairs = batch_for(core)
    pairs = Pairs(
        replace(pairs.query, inputs={"frames": pictures[:B]}),
        replace(pairs.exemplar, inputs={"frames": pictures[B:]}),
        pairs.query_of,
    )
    sum(model.loss(pairs).values()).backward()
    first = model.encoder.backbone.conv3d_1a_7x7
    assert (first.conv3d.weight.grad != 0).any()
    assert (first.batch3d.weight.grad != 0).any()
    assert (first.batch3d.running_mean == 0).all()  # frozen, as CoRe has it
    assert torch.isfinite(model.eval().predict(pairs)).all()


def test_released_parameters_are_found_under_our_names():
    torch.manual_seed(0)
    hidden, nodes = 3, (1, 2)
    theirs = {"first_layer.0.weight": torch.randn(hidden, 5), "first_layer.0.bias": torch.randn(hidden)}
    for level, n in enumerate(nodes):
        for name, outputs in ((f"clf_layers.{level}", 2), (f"feature_layers.{level}.0", 2 * hidden)):
            theirs |= {f"{name}.weight": torch.randn(n * outputs, hidden, 1), f"{name}.bias": torch.randn(n * outputs)}
    theirs |= {"reg_layer.weight": torch.randn(4, hidden, 1), "reg_layer.bias": torch.randn(4)}
    theirs = {f"module.{name}": value for name, value in theirs.items()}
    backbone = {"module.backbone.conv3d_0c_1x1.conv3d.bias": torch.zeros(400)}
    ours = core.from_official({"base_model": backbone, "regressor": theirs})
    model = core.build(Facts(dims={"dynamic": 2}, lengths={"dynamic": 10}), hidden=hidden, depth=3, theta=30.0)
    assert ours.keys() == model.state_dict().keys() - {"edges"}
    model.load_state_dict(ours, strict=False)
    pair = torch.randn(2, 5)
    x = torch.relu(pair @ theirs["module.first_layer.0.weight"].T + theirs["module.first_layer.0.bias"])[..., None]
    for level, groups in enumerate(nodes):
        weight, bias = (theirs[f"module.feature_layers.{level}.0.{kind}"] for kind in ("weight", "bias"))
        x = torch.relu(torch.conv1d(x, weight, bias, groups=groups))
    place = torch.conv1d(x, theirs["module.reg_layer.weight"], theirs["module.reg_layer.bias"], groups=4)[..., 0]
    assert torch.allclose(model.tree(pair)[1], place, atol=1e-6)
