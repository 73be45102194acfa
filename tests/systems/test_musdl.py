from dataclasses import replace

import pytest
import torch

from aqa_pipeline.errors import InputError
from aqa_pipeline.simdive import judging
from aqa_pipeline.systems import musdl

from .conftest import J, batch_for, built, facts_for


def judged(model, bins: list[list[int]]) -> torch.nn.Module:
    """The same model, each of whose judges is sure of one mark for every clip."""
    logits = torch.nn.functional.one_hot(torch.tensor(bins), len(model.values)).float()
    model.forward = lambda clips: logits
    return model


def test_the_middle_three_of_seven_are_added_up_as_the_judges_of_simdive_do():
    model = judged(
        built(musdl, judges=7, bins=21, rule="middle_three"), [[15, 16, 13, 14, 15, 17, 20], [0, 5, 3, 20, 3, 4, 1]]
    )
    marks = [[7.5, 8, 6.5, 7, 7.5, 8.5, 10], [0, 2.5, 1.5, 10, 1.5, 2, 0.5]]
    clips = batch_for(musdl)
    assert model.predict(clips).tolist() == [23, 5]
    assert model.predict(clips).tolist() == [judging.middle_three(panel) for panel in marks]


def test_the_items_of_a_rating_scale_are_added_up():
    model = judged(built(musdl, judges=6, bottom=1.0, top=5.0), [[0, 1, 2, 3, 4, 4]])
    assert model.predict(batch_for(musdl)).tolist() == [1 + 2 + 3 + 4 + 5 + 5]


def test_the_loss_by_hand_is_summed_over_the_judges():
    model, clips = built(musdl, top=8.0), batch_for(musdl)  # bins are 2 marks apart
    expected = 0.0
    for logits, marks in zip(model(clips), clips.judge_scores, strict=True):
        for judge in range(J):
            label = torch.exp(-0.5 * ((marks[judge] - torch.arange(0.0, 9, 2)) / 2) ** 2)
            label = label / label.sum()
            expected += (label * (label.log() - logits[judge].softmax(dim=0).log())).sum() / len(clips)
    assert model.loss(clips)["marks"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_smaller_panel_teaches_as_many_as_it_has_judges():
    model, clips = built(musdl, judges=3), batch_for(musdl)
    clips.judge_scores[:, 1] = torch.nan
    loss = model.loss(clips)["marks"]
    loss.backward()
    assert torch.isfinite(loss)
    taught = [any((p.grad is not None and (p.grad != 0).any()) for p in head.parameters()) for head in model.heads]
    assert taught == [True, False, False]
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_unknown_judges_are_an_error_before_training():
    model, clips = built(musdl), batch_for(musdl)
    with pytest.raises(InputError, match=r"musdl.judges: found 0 judge_scores, expected 1 to 2"):
        model.learn_labels(replace(clips, judge_scores=None))
    with pytest.raises(InputError, match=r"musdl.judges: found 3 judge_scores, expected 1 to 2"):
        model.loss(replace(clips, judge_scores=torch.ones(len(clips), 3)))
    clips.judge_scores[2:] = torch.nan
    message = "musdl: 2 of 4 training clips have no judge_scores, the first 'v12', expected up to 2 each"
    with pytest.raises(InputError, match=message):
        model.learn_labels(clips)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(rule="middle"), "musdl.rule: found 'middle', did you mean 'middle_three'"),
        (dict(rule="middle_three", judges=5), "musdl.judges: found 5, expected 7 for the rule 'middle_three'"),
        (dict(top=0.0), "musdl.top: found 0.0 for bins from 0.0"),
        (dict(pooling="mean"), "musdl.pooling: found 'mean'"),
    ],
)
def test_options_that_are_none_are_named(options, message):
    with pytest.raises(InputError, match=message):
        musdl.build(facts_for(musdl), **{**musdl.tiny, **options})


def test_released_parameters_of_each_judge_are_found_under_our_names():
    theirs = {
        f"evaluator.{judge}.layer{layer}.{kind}": torch.full((1,), 10.0 * judge + layer)
        for judge in range(11)
        for layer in (1, 2, 3)
        for kind in ("weight", "bias")
    }
    ours = musdl.from_official({"i3d": {}, "evaluator": theirs})
    model = musdl.build(facts_for(musdl), **{**musdl.tiny, "judges": 11, "hidden": [4, 3]})
    of_heads = {name for name in model.state_dict() if name.startswith("heads.")}
    assert ours.keys() == of_heads
    assert (ours["heads.10.maps.4.bias"], ours["heads.1.maps.0.weight"]) == (103, 11)
