"""MCoRe: which transitions cut the steps, its third loss, pictures, and the names of the released code."""

import importlib.util
from dataclasses import replace

import pytest
import torch

from aqa_pipeline.batches import Clips, Facts
from aqa_pipeline.errors import InputError
from aqa_pipeline.layers import contrast
from aqa_pipeline.systems import _released, mcore

from .conftest import batch_for, built, hidden

needs_timm = pytest.mark.skipif(
    None in (importlib.util.find_spec("timm"), importlib.util.find_spec("torchvision")), reason="timm is not installed"
)


def moved(clips: Clips, by: float) -> Clips:
    return replace(clips, transitions=clips.transitions + by)


def test_true_transitions_cut_the_steps_in_training_and_predicted_ones_where_they_are_unknown():
    model, batch = built(mcore).eval(), batch_for(mcore)
    known = model.loss(batch)
    unknown = model.loss(replace(hidden(batch), query=replace(batch.query, transitions=torch.full((3, 2), torch.nan))))
    assert known["offset"].item() != pytest.approx(unknown["offset"].item(), rel=1e-4)
    found = model.encode(batch.exemplar)["transitions"]
    assert ((found >= 0) & (found <= 95)).all()
    assert (found[:, 0] < found[:, 1]).all()
    told = replace(batch, query=replace(batch.query, transitions=model.encode(batch.query)["transitions"]))
    assert model.loss(told)["offset"].item() == pytest.approx(unknown["offset"].item(), rel=1e-5)


@pytest.mark.parametrize(("of", "loss"), [("frames", contrast.frames_in_steps), ("stages", contrast.stages)])
def test_the_third_loss_contrasts_frames_or_stages(of, loss):
    model, batch = built(mcore, contrast=10.0, contrast_of=of, temperature=0.3).eval(), batch_for(mcore)
    frames = [model.encoder(clips) for clips in (batch.queries(), batch.exemplar)]
    tokens = [
        model._tokens(*pair).unbind(1)
        for pair in zip(frames, (batch.queries().transitions, batch.exemplar.transitions), strict=True)
    ]
    expected = 10 * loss(*tokens, temperature=0.3)
    assert model.loss(batch)["contrast"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_without_weight_there_is_no_third_loss():
    assert set(built(mcore, contrast=0.0).loss(batch_for(mcore))) == {"offset", "transitions"}


def test_options_that_do_not_fit_are_named():
    facts = Facts(dims={"static": 9}, lengths={"static": 6})
    with pytest.raises(InputError, match=r"mcore.heads: found 2 for 9 channels"):
        mcore.build(facts, heads=2)
    with pytest.raises(InputError, match=r"mcore.contrast_of: found 'stage', did you mean 'stages'"):
        mcore.build(facts, heads=3, contrast_of="stage")


@needs_timm
def test_pictures_are_seen_frame_by_frame():
    torch.manual_seed(0)
    facts = Facts(dims={}, lengths={}, pictures=(6, 32, 24))
    model = mcore.build(facts, width=0.2, positions=2, heads=1, layers=1, hidden=[6])
    batch = batch_for(mcore)
    frames = [torch.randint(0, 256, (len(c), 6, 3, 32, 24), dtype=torch.uint8) for c in (batch.query, batch.exemplar)]
    batch = replace(
        batch,
        query=replace(batch.query, inputs={"frames": frames[0]}),
        exemplar=replace(batch.exemplar, inputs={"frames": frames[1]}),
    )
    sum(model.loss(batch).values()).backward()
    learnt = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert [name for name, p in learnt.items() if p.grad is None] == []
    assert model.eval().predict(batch).shape == (3,)


@needs_timm
def test_released_weights_fit_the_papers_network():
    """Sizes of the whole released model, and that every one of our parameters has a place in it."""
    model = mcore.build(Facts(dims={}, lengths={}, pictures=(96, 112, 112)))
    ours = model.state_dict()
    assert sum(p.numel() for p in model.parameters()) == 9_446_065 - 2  # a bias that a softmax over time takes away
    base = {_theirs(name): tensor for name, tensor in ours.items() if name.startswith("encoder.")}
    found = _released.regnet_gsm(base, "encoder.backbone.network")
    assert found.keys() == {name for name in ours if name.startswith("encoder.")}


def _theirs(name: str) -> str:
    name = name.replace("conv1.0.gate.", "conv1.gsm.conv3D.").replace("conv1.0.norm.", "conv1.gsm.bn.")
    return "module._features." + name.replace("conv1.1.", "conv1.net.").removeprefix("encoder.backbone.network.")


def test_names_of_the_released_segmenter():
    model = built(mcore).segmenter
    theirs = {f"_pred_fine._gru.{name}": tensor for name, tensor in model.gru.state_dict().items()}
    theirs |= {"_pred_fine._fc_out._fc_out.weight": model.out.weight, "_pred_fine._fc_out._fc_out.bias": torch.ones(2)}
    assert _released.gru_segmenter(theirs, "s").keys() == {f"s.{name}" for name in model.state_dict()}
