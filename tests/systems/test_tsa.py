from dataclasses import replace

import pytest
import torch

from aqa_pipeline.batches import Clips, Facts, Pairs
from aqa_pipeline.errors import InputError
from aqa_pipeline.layers import steps
from aqa_pipeline.systems import tsa

from .conftest import built

P = 2
STARTS = [0, 8]
PICTURES = Facts(dims={}, lengths={}, pictures=(24, 64, 96))  # maps of 2 x 3 places
NAN = float("nan")


def film(count: int, seed: int) -> Clips:
    generator = torch.Generator().manual_seed(seed)
    return Clips(
        inputs={"frames": torch.randint(0, 256, (count, 24, 3, 64, 96), dtype=torch.uint8, generator=generator)},
        video_ids=tuple(f"v{seed}{i}" for i in range(count)),
        target=torch.randn(count, generator=generator),
        difficulty=torch.ones(count),
        action_type=torch.zeros(count, dtype=torch.long),
        transitions=torch.tensor([[20.0, 60.0]]) + torch.arange(count)[:, None],
    )


@pytest.fixture
def films() -> Pairs:
    return Pairs(film(P, 1), film(P, 2), torch.arange(P))


def stub(model, maps_of):
    """Replace I3D's answer by one whose maps say where they come from."""
    model.encoder.forward = lambda clips: maps_of


@pytest.mark.parametrize("order", ["permuted", "released"])
def test_from_pictures_every_weight_learns_and_maps_have_places(films, order):
    model = built(tsa, facts=PICTURES, starts=STARTS, map_order=order, freeze_batch_norm=False)
    sum(model.loss(films).values()).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not (p.grad != 0).any()] == []
    encoded = model.eval().encode(films.query)
    channels = model.segmenter.dim
    assert encoded["tokens"].shape == (P, 3 * 2, channels)
    assert encoded["maps"].shape == (P, 3 * 2 * 6, channels)
    assert encoded["transitions"].shape == (P, 2)
    alone = model.encode(films.query.rows(torch.tensor([1])))
    assert all(torch.allclose(alone[name], encoded[name][1:], atol=1e-5) for name in encoded)


def test_permuted_places_stay_apart_and_released_ones_mix():
    torch.manual_seed(0)
    features, maps = torch.randn(P, 2, 32), torch.randn(P, 2, 32, 2, 3)
    changed = maps.clone()
    changed[1, :, :, 1, 2] += 1.0  # the last place of the second clip
    moved = {}
    for order in ("permuted", "released"):
        model = built(tsa, facts=PICTURES, starts=STARTS, map_order=order).eval()
        model.segmenter = tsa.PSNet(2, 32).eval()
        places = []
        for seen in (maps, changed):
            stub(model, (features, seen))
            places.append(model._positions(None)[1])
        assert places[0].shape == (P, 96, 6, 2)
        moved[order] = (places[0] != places[1]).any(dim=3).any(dim=1)  # (P, h w)
    assert moved["permuted"].tolist() == [[False] * 6, [False] * 5 + [True]]
    assert not moved["released"][0].any()
    assert moved["released"][1].sum() > 1


def test_a_place_of_the_maps_is_what_its_features_alone_would_give():
    torch.manual_seed(0)
    model = built(tsa, facts=PICTURES, starts=STARTS).eval()
    model.segmenter = tsa.PSNet(2, 32).eval()
    maps = torch.randn(P, 2, 32, 2, 3)
    stub(model, (maps[..., 1, 0], maps))
    tokens, places = model._positions(None)
    torch.testing.assert_close(places[:, :, 3], tokens)


def test_a_token_sees_its_own_step_alone():
    model = built(tsa).eval()
    query, exemplar = torch.randn(1, 3 * 2, 4), torch.randn(1, 3 * 2, 4)
    other = exemplar.clone()
    other[0, 2:4] = torch.randn(2, 4)  # the second step
    said = []
    model.head.register_forward_hook(lambda module, inputs, output: said.append(output))  # (3, 2)
    for maps in (exemplar, other):
        model.offset({"tokens": query}, {"maps": maps})
    assert (said[0] != said[1]).any(dim=1).tolist() == [False, True, False]


def test_true_transitions_cut_the_steps_for_a_quarter_of_the_training_and_never_in_evaluation(pairs):
    model = built(tsa)
    seen = []
    by_step = model._by_step
    model._by_step = lambda tokens, maps, transitions: seen.append(transitions) or by_step(tokens, maps, transitions)
    truth = torch.cat([pairs.queries().transitions, pairs.exemplar.transitions])
    for share, expected in ((0.0, True), (0.25, True), (0.26, False)):
        model.set_progress(share)
        model.loss(pairs)
        assert torch.equal(seen.pop(), truth) == expected
    model.set_progress(0.0)
    model.eval().loss(pairs)
    assert not torch.equal(seen.pop(), truth)


def test_clips_of_unknown_transitions_are_cut_as_predicted_and_not_scored(pairs):
    model = built(tsa)
    pairs.exemplar.transitions[1:] = NAN
    assert set(model.loss(pairs)) == {"offset", "transitions"}
    none = torch.full_like(pairs.query.transitions, NAN)
    unknown = Pairs(
        replace(pairs.query, transitions=none),
        replace(pairs.exemplar, transitions=none[[0, 0, 0, 0]]),
        pairs.query_of,
    )
    assert set(model.loss(unknown)) == {"offset"}


def test_the_offset_is_a_mean_over_tokens_and_added_to_what_the_exemplar_had(pairs):
    model = built(tsa).eval()
    last = model.head.maps[-1]
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.constant_(last.bias, 0.5)
    known = pairs.exemplar.target
    expected = torch.stack([known[0], known[1:3].mean(), known[3]]) + 0.5
    torch.testing.assert_close(model.predict(pairs), expected)
    difference = pairs.queries().target - known
    offset = model.loss(pairs)["offset"]
    assert offset.item() == pytest.approx(((0.5 - difference) ** 2 + (0.5 + difference) ** 2).mean().item())


def test_predicted_transitions_lie_in_their_halves(pairs):
    found = built(tsa).eval().encode(pairs.exemplar)["transitions"]
    assert ((found[:, 0] < 48) & (found[:, 1] >= 48)).all()
    assert steps.bounds(found, 96)[1].max() == 95


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(map_order="realesed"), "tsa.map_order: found 'realesed', did you mean 'released'"),
        (dict(dim=64, heads=8), "tsa.heads: found 8 for tokens of 4 channels, expected a divisor"),
    ],
)
def test_options_that_do_not_fit_are_named(facts, options, message):
    with pytest.raises(InputError, match=message):
        tsa.build(facts, **{**tsa.tiny, **options})


def test_pictures_shorter_than_the_snippets_are_refused():
    with pytest.raises(InputError, match=r"frames.n_frames: found 24, expected 96 for these snippets"):
        tsa.build(PICTURES, **{**tsa.tiny, "starts": list(range(0, 81, 10))})
