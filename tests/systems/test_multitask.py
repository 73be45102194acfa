"""C3D-AVG and MSCADC: what is learnt beside the score, by hand; pictures; the released names."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from aqa_pipeline.batches import NO_LABEL, Facts
from aqa_pipeline.errors import InputError
from aqa_pipeline.systems import c3d_avg, mscadc
from aqa_pipeline.systems._multitask import CLASSES, DiveClasses, labels_of

from .conftest import P, batch_for, built, facts_for, make_clips

BOTH = pytest.mark.parametrize("module", [c3d_avg, mscadc], ids=["c3d_avg", "mscadc"])
SIZE = {c3d_avg: (33, 32, 32), mscadc: (16, 40, 40)}  # frames, height, width; 33: one frame more than two snippets
SMALL = {c3d_avg: dict(width=0.03, hidden=8), mscadc: dict(width=0.05, bottleneck=2)}


def of_pictures(module) -> tuple[Facts, object]:
    """Facts of pictures, and two clips of them."""
    frames, height, width = SIZE[module]
    facts = replace(facts_for(module), dims={}, lengths={}, pictures=SIZE[module])
    pictures = torch.randint(0, 256, (2, frames, 3, height, width), generator=torch.Generator().manual_seed(3))
    return facts, replace(make_clips(2), inputs={"frames": pictures.to(torch.uint8)})


def test_the_parts_of_dive_numbers():
    found = labels_of(["107b", "5253b", "6245d", "301a", "vault"])
    assert found.tolist() == [
        [1, 0, 1, 7, 0],  # pike, forward
        [1, 0, 0, 5, 3],  # back
        [0, 1, 0, 4, 5],  # free, armstand, back
        [NO_LABEL, 0, 3, 1, 0],  # straight, which MTL-AQA does not know; reverse
        [NO_LABEL] * 5,
    ]
    assert labels_of(["405c"])[0, :3].tolist() == [2, 0, 2]  # tuck, inward


@pytest.mark.parametrize(("types", "found"), [(("sync", "vault"), "such as 'sync'"), ((), "such as none")])
def test_action_types_that_are_no_dive_numbers_are_named(types, found):
    with pytest.raises(InputError, match=f"class_loss: found action types {found}, expected dive numbers"):
        labels_of(types)


def test_the_loss_of_the_classes_by_hand():
    torch.manual_seed(0)
    classes = DiveClasses(Facts(dims={}, lengths={}, action_types=("107b", "301a")), lambda n: nn.Linear(4, n))
    feature = torch.randn(3, 4)
    expected = 0.0
    for clip, labels in ((0, (1, 0, 1, 7, 0)), (1, (None, 0, 3, 1, 0))):  # the third is of a type nobody knows
        for name, label in zip(CLASSES, labels, strict=True):
            if label is not None:
                expected -= classes(feature)[name][clip].log_softmax(dim=0)[label].item()
    assert classes.loss(feature, torch.tensor([0, 1, -1])).item() == pytest.approx(expected / 3, rel=1e-5)
    assert {name: logits.shape[1] for name, logits in classes(feature).items()} == {
        "position": 3,
        "armstand": 2,
        "direction": 4,
        "half_somersaults": 10,
        "half_twists": 8,
    }


@BOTH
def test_the_loss_is_that_of_score_classes_and_caption_by_their_weights(module):
    model, clips = built(module, scale=4.0, class_loss=2.0, caption_loss=0.5, longest=4).eval(), batch_for(module)
    gap = model.predict(clips) / 4 - clips.target / 4
    seen = model.see(clips)
    terms = model.loss(clips)
    assert terms["score"].item() == pytest.approx((gap.square().mean() + gap.abs().mean()).item(), rel=1e-5)
    classes = model.classes.loss(model.for_classes(seen), clips.action_type)
    assert terms["classes"].item() == pytest.approx(2 * classes.item(), rel=1e-5)
    four = clips.caption[:, :4].clone()
    four[:, -1] = 0  # ends there
    caption = model.speaker.loss(model.for_caption(seen), four)
    assert terms["caption"].item() == pytest.approx(0.5 * caption.item(), rel=1e-5)


@BOTH
def test_a_task_that_counts_nothing_has_no_head(module):
    model = built(module, class_loss=0.0, caption_loss=0.0)
    assert list(model.loss(batch_for(module))) == ["score"]
    assert not [n for n, _ in model.named_parameters() if n.startswith(("classes", "speaker", "class_", "caption_"))]


@BOTH
def test_captions_that_are_missing_are_named(module):
    with pytest.raises(InputError, match="caption_loss: found no captions in the training part"):
        module.build(replace(facts_for(module), words=()), **module.tiny)


@BOTH
def test_pictures_are_looked_at_end_to_end(module):
    facts, clips = of_pictures(module)
    model = built(module, facts=facts, **SMALL[module])
    sum(model.loss(clips).values()).backward()
    learnt = dict(model.named_parameters())
    assert [name for name, weight in learnt.items() if weight.grad is None or not weight.grad.any()] == []
    assert torch.isfinite(model.eval().predict(clips)).all()


def test_c3d_avg_averages_the_features_of_its_snippets():
    facts, clips = of_pictures(c3d_avg)
    model = built(c3d_avg, facts=facts, **SMALL[c3d_avg]).eval()
    snippets = model.see(clips)
    dim = 15 * 1 * 2 * 2  # channels, and places of a map of 32 x 32
    assert snippets.shape == (2, 2, dim)
    second = replace(clips, inputs={"frames": clips.inputs["frames"][:, 16:].repeat(1, 2, 1, 1, 1)})
    torch.testing.assert_close(model.see(second)[:, 0], snippets[:, 1])
    hidden = (snippets.mean(dim=1) @ model.fc6.weight.T + model.fc6.bias).clamp(min=0)
    expected = hidden @ model.final_score.weight[0] + model.final_score.bias
    torch.testing.assert_close(model.predict(clips), expected)


def test_mscadc_has_the_released_sizes():
    """Of 16 frames of 180 pixels: 2 x 20 x 20 places, in a head half of 4 x 22 x 22, and 1200 numbers for a caption."""
    facts = replace(facts_for(mscadc), dims={}, lengths={}, pictures=(16, 180, 180))
    with torch.device("meta"):
        model = mscadc.build(facts, class_loss=1.0, caption_loss=0.01).eval()
        seen = model.encoder.body(torch.empty(1, 3, 16, 180, 180))
        assert seen.shape == (1, 256, 2, 20, 20)
        assert model.for_classes(seen).shape == (1, 12, 2, 11, 11)
        assert model.for_caption(seen).shape == (1, 1, 1200)
    assert model.speaker.seeing.input_size == 1200


def test_pictures_too_small_for_the_body_are_named():
    facts = replace(facts_for(mscadc), dims={}, lengths={}, pictures=(12, 40, 24))
    with pytest.raises(InputError, match=r"frames: found 12 x 40 x 24 .*, expected 16 x 32 x 32 or more for mscadc"):
        mscadc.build(facts)


def test_captions_of_sequences_of_any_length_are_refused():
    facts = facts_for(mscadc)
    with pytest.raises(InputError, match=r"clips.n_frames: found 0, expected 2 or more for the captions of mscadc"):
        mscadc.build(replace(facts, lengths=dict.fromkeys(facts.dims, 0)), **mscadc.tiny)


def test_without_space_a_head_looks_over_time_alone():
    model, clips = built(mscadc).eval(), batch_for(mscadc)
    seen = model.see(clips)
    assert seen.shape == (P, 5, 6, 1, 1)
    assert model.for_classes(seen).shape == (P, 2, 4, 1, 1)
    assert {p.shape[3:] for p in model.final_score.parameters() if p.ndim == 5} == {(1, 1)}


# Names and sizes of the released parameters, a convolution or map by its inputs, outputs and size.
HEAD = {"head_conv1": (10, 2, 1), "cntxt_conv1": (2, 4, 3), "cntxt_conv2": (4, 4, 3), "cntxt_conv3": (4, 8, 3)}
HEAD |= {"cntxt_conv4": (8, 16, 3), "cntxt_conv5": (16, 16, 3), "cntxt_conv6": (16, 2, 1), "head_conv2": (2, 2, 3)}
HEAD_NORMS = {f"cntxt_bn{n}": of for n, of in enumerate((4, 4, 8, 16, 16), 1)} | {"head_bn1": 2, "head_bn2": 2}
OF_CLASSES = {"position": 3, "armstand": 2, "rot_type": 4, "ss_no": 10, "tw_no": 8}


def tensors(layers, norms={}, linear={}) -> dict[str, torch.Tensor]:
    found = {}
    for name, (inputs, outputs, size) in layers.items():
        found |= {f"{name}.weight": torch.randn(outputs, inputs, *[size] * 3), f"{name}.bias": torch.randn(outputs)}
    for name, size in norms.items():
        found |= {f"{name}.{kind}": torch.rand(size) for kind in ("weight", "bias", "running_mean", "running_var")}
        found[f"{name}.num_batches_tracked"] = torch.tensor(3)
    for name, (inputs, outputs) in linear.items():
        found |= {f"{name}.weight": torch.randn(outputs, inputs), f"{name}.bias": torch.randn(outputs)}
    return found


def spoken(dim: int) -> dict[str, torch.Tensor]:
    """Parameters of the released S2VTModel for the words of the tests."""
    rnn1, rnn2 = (nn.GRU(inputs, 4, 2) for inputs in (dim, 8))
    named = {f"rnn1.{k}": v for k, v in rnn1.state_dict().items()} | {
        f"rnn2.{k}": v for k, v in rnn2.state_dict().items()
    }
    return named | {"embedding.weight": torch.randn(5, 4)} | tensors({}, linear={"out": (4, 5)})


def test_released_parameters_of_c3d_avg_fill_ours():
    facts, clips = of_pictures(c3d_avg)
    model = built(c3d_avg, facts=facts, **SMALL[c3d_avg])
    dim = model.fc6.in_features
    theirs = {
        "model_CNN": {f"module.{k}": torch.randn_like(v) for k, v in model.encoder.backbone.state_dict().items()},
        "model_my_fc6": tensors({}, linear={"fc": (dim, 8)}),
        "model_score_regressor": tensors({}, linear={"fc_final_score": (8, 1)}),
        "model_dive_classifier": tensors({}, linear={f"fc_{name}": (8, of) for name, of in OF_CLASSES.items()}),
        "model_caption": spoken(dim),
    }
    model.load_state_dict(c3d_avg.from_official(theirs))
    assert torch.equal(model.classes.heads["half_twists"].bias, theirs["model_dive_classifier"]["fc_tw_no.bias"])
    alone = built(c3d_avg, facts=facts, **SMALL[c3d_avg], class_loss=0.0, caption_loss=0.0)
    parts = ("model_CNN", "model_my_fc6", "model_score_regressor")
    alone.load_state_dict(c3d_avg.from_official({part: theirs[part] for part in parts}))
    assert torch.equal(alone.predict(clips), model.predict(clips))


def test_released_parameters_of_mscadc_fill_ours():
    facts, _ = of_pictures(mscadc)
    model = built(mscadc, facts=facts, **SMALL[mscadc])
    sizes = [3, 2, 3, 6, 6, 13, 13, 13, 13]
    names = ("1", "2", "3a", "3b", "4a", "4b", "5a", "5b")
    body = {f"conv{n}": (a, b, 3) for n, a, b in zip(names, sizes, sizes[1:], strict=False)}
    head = HEAD | {"head_conv1": (13, 2, 1)}
    last = {f"head_conv3_{name}": (2, of, 3) for name, of in OF_CLASSES.items()}
    theirs = {
        "model_CNN": tensors(body, {f"bn{n}": of for n, of in zip(names, sizes[1:], strict=True)}),
        "model_score_regressor": tensors(head | {"head_conv3": (2, 1, 3)}, HEAD_NORMS),
        "model_position_classifier": tensors(head | last, HEAD_NORMS),
        "model_caption": tensors(head | {"head_conv3": (2, 2, 3)}, HEAD_NORMS)
        | spoken(model.speaker.seeing.input_size),
    }
    model.load_state_dict(mscadc.from_official(theirs))
    assert torch.equal(model.encoder.body.unit5b[1].bias, theirs["model_CNN"]["bn5b.bias"])
    assert torch.equal(
        model.classes.heads["direction"][0].bias, theirs["model_position_classifier"]["head_conv3_rot_type.bias"]
    )
    assert torch.equal(model.caption_context[0][9][1].weight, theirs["model_caption"]["head_bn2.weight"])
