from dataclasses import replace

import pytest
import torch

from aqa_pipeline.batches import Clips, Facts, Pairs
from aqa_pipeline.errors import InputError
from aqa_pipeline.layers.masks import focal_loss
from aqa_pipeline.systems import _encoders, fineparser

from .conftest import FACTS, built

P, T, H, W = 2, 24, 16, 32
STARTS = [0, 8]
PICTURES = Facts(dims={}, lengths={}, pictures=(T, H, W))
WIDE = dict(width=0.1, static="resnet18", freeze_batch_norm=False, static_dim=0)


def film(count: int, seed: int) -> Clips:
    generator = torch.Generator().manual_seed(seed)
    return Clips(
        inputs={"frames": torch.randint(0, 256, (count, T, 3, H, W), dtype=torch.uint8, generator=generator)},
        video_ids=tuple(f"v{seed}{i}" for i in range(count)),
        target=torch.randn(count, generator=generator),
        difficulty=torch.ones(count),
        action_type=torch.zeros(count, dtype=torch.long),
        transitions=torch.tensor([[20.0, 60.0]]) + torch.arange(count)[:, None],
        masks={
            "athlete": torch.rand(count, T, H, W, generator=generator) < 0.1,
            "athlete_known": torch.ones(count, dtype=torch.bool),
        },
    )


@pytest.fixture
def films() -> Pairs:
    return Pairs(film(P, 1), film(P, 2), torch.arange(P))


@pytest.mark.parametrize("fusion", ["mask_gate", "released"])
def test_from_pictures_and_masks_every_weight_learns(films, fusion):
    model = built(fineparser, facts=PICTURES, starts=STARTS, fusion=fusion, **WIDE)
    for weight in model.static.parameters():
        if weight.ndim == 1:
            torch.nn.init.ones_(weight)  # timm starts each block with a normalisation that lets nothing through
    terms = model.loss(films)
    assert set(terms) == {"offset", "transitions", "masks"}
    sum(terms.values()).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not (p.grad != 0).any()] == []
    model.eval()
    together = model.predict(films)
    alone = Pairs(films.query.rows(torch.tensor([1])), films.exemplar.rows(torch.tensor([1])), torch.tensor([0]))
    torch.testing.assert_close(model.predict(alone), together[1:], atol=1e-5, rtol=1e-5)


def test_there_is_one_backbone_where_masks_gate_and_two_as_released():
    ours = built(fineparser, facts=PICTURES, starts=STARTS, fusion="mask_gate", **WIDE)
    released = built(fineparser, facts=PICTURES, starts=STARTS, fusion="released", **WIDE)
    extra = {name for name, _ in released.named_parameters()} - {name for name, _ in ours.named_parameters()}
    assert extra
    assert all(name.startswith("dynamic.backbone.") for name in extra)


def gated(parser) -> torch.Tensor:
    """Features (1, S, 1) of a clip by a mask gate with this parser."""
    clips = replace(film(1, 3), masks={})
    return fineparser.MaskGate(parser, STARTS, pixels="imagenet")(clips)[0]


class Parser(torch.nn.Module):
    """Says 8 in one place of a map of 1 x 2 x 3, and that the athlete is in one place of the picture."""

    dim = 1

    def __init__(self, *, athlete: int) -> None:
        super().__init__()
        self.athlete = athlete

    def maps(self, pieces):
        maps = torch.zeros(len(pieces), 1, 1, 2, 3)
        maps[:, :, :, 1, 2] = 8.0
        masks = torch.full((5, len(pieces), 16, 32, 48), -100.0)
        masks[4, :, :, self.athlete :, 32:] = 100.0  # the right third, from this row down
        return maps, masks


def test_only_what_lies_under_the_fused_mask_is_seen():
    torch.testing.assert_close(gated(Parser(athlete=16)), torch.full((1, 2, 1), 8 / 6))  # all of the place
    torch.testing.assert_close(gated(Parser(athlete=24)), torch.full((1, 2, 1), 4 / 6))  # half of it
    torch.testing.assert_close(gated(Parser(athlete=32)), torch.zeros(1, 2, 1))


def test_the_mask_loss_is_the_sum_over_five_masks_of_the_clips_that_know_theirs(films):
    model = built(fineparser, facts=PICTURES, starts=STARTS, **WIDE).eval()
    films.exemplar.masks["athlete_known"][0] = False
    _, logits = model.dynamic(films.exemplar)
    assert logits.shape == (5, P, len(STARTS), 16, H, W)
    truth = torch.stack([films.exemplar.masks["athlete"][1:, start : start + 16] for start in STARTS], dim=1)
    expected = sum(focal_loss(logits[i, 1:], truth) for i in range(5))
    torch.testing.assert_close(model._mask_loss(logits, films.exemplar)["masks"], expected)
    films.exemplar.masks["athlete_known"][:] = False
    assert model._mask_loss(logits, films.exemplar) == {}
    assert model._mask_loss(logits, replace(films.exemplar, masks={})) == {}


def test_static_steps_reach_five_frames_into_their_neighbours():
    first, last = fineparser.static_bounds(torch.tensor([[30.0, 60.0], [3.0, 93.0]]), 96)
    assert (first.tolist(), last.tolist()) == ([[0, 25, 55], [0, 0, 88]], [[34, 64, 95], [7, 95, 95]])
    first, last = fineparser.static_bounds(torch.tensor([[30.0, 60.0], [0.0, 95.0]]), 24)  # a quarter of the frames
    assert (first.tolist(), last.tolist()) == ([[0, 6, 13], [0, 0, 22]], [[7, 15, 23], [0, 23, 23]])


def test_dynamic_steps_are_cut_where_both_clips_together_say():
    model = built(fineparser, starts=_encoders.STARTS)
    marks = torch.arange(9.0).reshape(1, 9, 1)
    model.reducers = torch.nn.ModuleList(torch.nn.Identity() for _ in range(3))
    query = {"snippets": marks, "transitions": torch.tensor([[20.0, 61.0]])}
    exemplar = {"snippets": -marks, "transitions": torch.tensor([[39.0, 70.0]])}
    one, two = model._with_dynamic(query, exemplar)  # means of 29.5 and 65.5: snippets 2 and 6
    expected = [[0, 2 / 3, 4 / 3, 2], [2, 10 / 3, 14 / 3, 6], [5, 6, 7, 8]]
    torch.testing.assert_close(one["dynamic"][0, ..., 0], torch.tensor(expected))
    torch.testing.assert_close(two["dynamic"], -one["dynamic"])


def weighed(branches: str, pairs: Pairs) -> torch.Tensor:
    """Predicted offsets (P,) where the dynamic steps say 1, 2, 4 and the static ones 10, 20, 40."""
    model = built(fineparser, branches=branches).eval()
    steps = torch.tensor([[1.0, 2.0, 4.0]])
    model.dynamic_branch.forward = lambda query, exemplar: steps.expand(len(query), 3)
    model.static_branch.forward = lambda query, exemplar: 10 * steps.expand(len(query), 3)
    return model.predict(replace(pairs, exemplar=replace(pairs.exemplar, target=torch.zeros(len(pairs)))))


def test_steps_are_weighed_and_branches_summed_or_averaged(pairs):
    expected = 11 * (0.3 * 1 + 0.5 * 2 + 0.2 * 4)
    torch.testing.assert_close(weighed("sum", pairs), torch.full((3,), expected))
    torch.testing.assert_close(weighed("mean", pairs), torch.full((3,), expected / 2))


def test_the_first_two_steps_share_a_decoder():
    torch.manual_seed(0)
    branch = fineparser.Branch(4, heads=1, layers=1, hidden=[6])
    tokens, context = torch.randn(1, 1, 5, 4).expand(1, 3, 5, 4), torch.randn(1, 1, 5, 4).expand(1, 3, 5, 4)
    said = branch(tokens, context)[0]
    assert said[0] == said[1]
    assert said[0] != said[2]


def test_true_transitions_cut_the_steps_in_training_alone(pairs):
    model = built(fineparser)
    seen = []
    static = model._static
    model._static = lambda clips, transitions: seen.append(transitions) or static(clips, transitions)
    model.loss(pairs)
    assert torch.equal(torch.cat(seen), torch.cat([pairs.queries().transitions, pairs.exemplar.transitions]))
    seen.clear()
    model.eval().loss(pairs)
    assert not torch.equal(torch.cat(seen), torch.cat([pairs.queries().transitions, pairs.exemplar.transitions]))


def test_one_set_of_features_serves_both_roles(pairs):
    facts = replace(FACTS, dims={"pose": FACTS.dims["pose"]})
    model = built(fineparser, facts=facts).eval()
    assert (model.dynamic.stored.modality, model.static.modality) == ("pose", "pose")
    assert torch.isfinite(model.predict(pairs)).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(fusion="mask"), "fineparser.fusion: found 'mask', did you mean 'mask_gate'"),
        (dict(branches="summ"), "fineparser.branches: found 'summ', did you mean 'sum'"),
        (dict(step_weights=[0.5, 0.5]), "fineparser.step_weights: found 2, expected 3"),
        (dict(static_dim=8, heads=2), "fineparser.heads: found 2 for static tokens of 1 channels"),
    ],
)
def test_options_that_do_not_fit_are_named(facts, options, message):
    with pytest.raises(InputError, match=message):
        fineparser.build(facts, **{**fineparser.tiny, **options})


def test_pictures_that_masks_cannot_be_made_of_are_named():
    with pytest.raises(InputError, match=r"frames\.crop: found 24, expected a multiple of 16 for the masks"):
        fineparser.build(replace(PICTURES, pictures=(T, 24, 24)), **{**fineparser.tiny, **WIDE})
