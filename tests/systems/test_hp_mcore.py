"""HP-MCoRe: snippets and frames, what poses do, how branches are joined, the losses beside the score."""

import math
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch

from aqa_pipeline.batches import Facts, Pairs
from aqa_pipeline.datasets import simdive
from aqa_pipeline.errors import InputError
from aqa_pipeline.layers import contrast
from aqa_pipeline.simdive.clips import simulate_shard
from aqa_pipeline.stages.extract_frames import extract_frames
from aqa_pipeline.systems import _encoders, _released, hp_mcore
from aqa_pipeline.training.data import Data
from aqa_pipeline.training.pictures import open_pictures

from .conftest import FACTS, B, P, T, batch_for, built

SPLASH = (T, 4, 5)  # frames, height, width


def full(**options) -> hp_mcore.HPMCoRe:
    """With the nine snippets of the paper, of 96 frames."""
    torch.manual_seed(0)
    facts = replace(FACTS, lengths=dict.fromkeys(FACTS.dims, 96))
    return hp_mcore.build(facts, **(hp_mcore.tiny | dict(starts=range(0, 81, 10)) | options)).eval()


def splashing(masks: torch.Tensor) -> Pairs:
    """The batch with masks of splashes: the same for every query, and for every exemplar."""
    batch = batch_for(hp_mcore)
    known = masks.flatten(1).any(dim=1)
    query, exemplar = (
        {"splash": masks.expand(count, *SPLASH), "splash_known": known.expand(count)} for count in (B, P)
    )
    return replace(batch, query=replace(batch.query, masks=query), exemplar=replace(batch.exemplar, masks=exemplar))


def test_between_the_middles_of_two_snippets_lies_a_mixture_of_both():
    middles = torch.arange(8.0, 89, 10)[None, :, None]  # (1, 9, 1) each snippet knows its middle
    frames = full()._at_frames(middles, 96)[0, :, 0]
    assert torch.allclose(frames, (torch.arange(96) + 0.5).clamp(8, 88), atol=1e-4)
    assert full()._at_frames(middles, 32)[0, 10, 0].item() == pytest.approx(31.5)


def test_transitions_fall_into_the_snippet_that_began_last():
    transitions = torch.tensor([[9.0, 60.0], [30.0, 69.0], [0.0, 95.0]])
    assert _encoders.snippet_of(transitions, full().dynamic.starts).tolist() == [[0, 6], [3, 6], [0, 9]]


def test_poses_lead_the_dynamic_branch_and_leave_the_static_one_alone():
    model, batch = full(), batch_for(hp_mcore)
    for block in model.fuse:
        torch.nn.init.constant_(block.weight, 1e6)  # it begins at a thousandth
    clips = replace(batch.exemplar, inputs={name: x.repeat(1, 16, 1) for name, x in batch.exemplar.inputs.items()})
    other = replace(clips, inputs={**clips.inputs, "skeleton": clips.inputs["skeleton"].flip(2)})
    one, two = model.encode(clips), model.encode(other)
    assert not torch.allclose(one["fused"], two["fused"], atol=1e-4)
    assert torch.equal(one["static"], two["static"])
    assert torch.equal(one["transitions"], two["transitions"])


def test_stored_features_of_each_role_have_a_length_of_their_own():
    torch.manual_seed(0)
    lengths = {"dynamic": 9, "static": 24, "skeleton": 12}
    facts = replace(FACTS, dims={role: FACTS.dims[role] for role in lengths}, lengths=lengths)
    model = hp_mcore.build(facts, **(hp_mcore.tiny | dict(starts=range(0, 81, 10)))).eval()
    assert model.dynamic.as_they_are
    inputs = {role: torch.randn(P, length, FACTS.dims[role]) for role, length in lengths.items()}
    clips = replace(batch_for(hp_mcore).exemplar, inputs=inputs)
    assert model.encode(clips)["fused"].shape == (P, 3, 2, 8)
    seen = model._see(clips)
    whole = torch.tensor([[24.0, 72.0]]).expand(P, 2)  # on the grid of 96: a quarter, a half, a quarter
    middle = model._poses(seen.skeleton, whole)[1]
    shorter = model._cut(seen.skeleton, torch.tensor([[3.0, 9.0]]).expand(P, 2))[1]
    assert torch.equal(middle, shorter)


def test_poses_have_a_feature_set_of_their_own_or_are_done_without():
    visual = Facts(dims={"motion": 7}, lengths={"motion": T})
    with pytest.raises(InputError, match=r"skeleton: found no numbers a frame, expected 32 or 48 of mpii_16; .* false"):
        hp_mcore.build(visual, **hp_mcore.tiny)
    with pytest.raises(InputError, match="found 32 numbers a frame, expected 34 or 51 of coco_17"):
        hp_mcore.build(FACTS, **hp_mcore.tiny, keypoint_set="coco_17")
    without = hp_mcore.build(visual, **hp_mcore.tiny, skeleton=False)
    assert without.skeleton is None
    assert without.dynamic.modality == without.static.modality == "motion"
    assert all(block.pose is None for block in without.fuse)


@pytest.mark.parametrize(("branches", "expected"), [("mean", (2 + 8) / 2), ("confidence", 2 + 0.25 * 8)])
def test_how_the_branches_are_joined(branches, expected):
    model, batch = built(hp_mcore, branches=branches).eval(), batch_for(hp_mcore)
    for branch, said in (("fused", 2.0), ("static", 8.0)):
        torch.nn.init.zeros_(model.heads[branch].maps[-1].weight)
        torch.nn.init.constant_(model.heads[branch].maps[-1].bias, said)
    if branches == "confidence":
        torch.nn.init.constant_(model.confidence, 0.25)
    known = batch.average(batch.exemplar.target)
    assert torch.allclose(model.predict(batch), known + expected, atol=1e-5)


def test_steps_count_by_their_learnt_weights():
    model = built(hp_mcore)
    assert model.step_weights.softmax(0).tolist() == pytest.approx([1 / 3] * 3)
    model.step_weights.data = torch.tensor([1.0, 2.0, 5.0]).log()
    model.decoders["static"] = torch.nn.Module()
    model.decoders["static"].forward = lambda query, exemplar: query
    model.heads["static"] = torch.nn.Module()
    model.heads["static"].forward = lambda tokens: tokens[..., 0]
    steps = torch.tensor([8.0, 16.0, 80.0])[None, :, None, None].expand(2, 3, 4, 1)
    assert model._branch("static", steps, steps).tolist() == pytest.approx([(8 + 32 + 400) / 8] * 2)


@pytest.mark.parametrize("segment_from", ["dynamic", "static"])
def test_what_the_transitions_are_read_from(segment_from):
    model, batch = full(segment_from=segment_from), batch_for(hp_mcore)
    inputs = {name: x.repeat(1, 16, 1).requires_grad_() for name, x in batch.query.inputs.items()}
    model._see(replace(batch.query, inputs=inputs)).evidence.square().sum().backward()
    assert {name for name, x in inputs.items() if x.grad is not None} == {segment_from}


def test_stages_are_contrasted_in_both_branches():
    model, batch = built(hp_mcore, contrast=10.0).eval(), batch_for(hp_mcore)
    encoded = [model._tokens(model._see(clips), clips.transitions) for clips in (batch.queries(), batch.exemplar)]
    terms = model.loss(batch)
    for branch in ("fused", "static"):
        expected = 10 * contrast.stages(*(of[branch].unbind(1) for of in encoded), temperature=0.1)
        assert terms[f"contrast_{branch}"].item() == pytest.approx(expected.item(), rel=1e-4, abs=1e-5)
    assert set(built(hp_mcore, contrast=0.0).loss(batch)) == {"offset", "transitions"}


def test_the_dive_number_is_learnt_from_the_poses_only_when_asked_for():
    batch = batch_for(hp_mcore)
    assert "action_type" not in built(hp_mcore).loss(batch)
    model = built(hp_mcore, action_type_loss=2.0).eval()
    torch.nn.init.zeros_(model.skeleton.classify.weight)
    model.skeleton.classify.bias.data = torch.tensor([0.0, math.log(3)])
    types = torch.cat([batch.queries().action_type, batch.exemplar.action_type])
    chance = torch.tensor([1 / 4, 3 / 4])[types]
    assert model.loss(batch)["action_type"].item() == pytest.approx(-2 * chance.log().mean().item(), rel=1e-5)
    with pytest.raises(InputError, match="action_type_loss: found no action types or no skeleton"):
        hp_mcore.build(FACTS, **hp_mcore.tiny, skeleton=False, action_type_loss=1.0)


def test_a_splash_is_the_mean_share_of_the_frames_that_show_one():
    masks = torch.zeros(3, *SPLASH, dtype=torch.bool)
    masks[0, 4, 1, :5] = masks[0, 5, :3, :5] = True  # 5 and 15 of 20 pixels
    masks[1, 2] = True
    assert hp_mcore.splash_cover(masks)[:2].tolist() == pytest.approx([0.5, 1.0])
    assert hp_mcore.splash_cover(masks)[2] == 0


def test_splashes_are_learnt_where_masks_show_them():
    model = built(hp_mcore, splash_loss=3.0).eval()
    torch.nn.init.zeros_(model.splash.maps[-1].weight)
    torch.nn.init.constant_(model.splash.maps[-1].bias, 0.75)
    masks = torch.zeros(1, *SPLASH, dtype=torch.bool)
    assert "splash" not in model.loss(splashing(masks))
    masks[0, 4, 1] = True
    assert model.loss(splashing(masks))["splash"].item() == pytest.approx(3 * (0.75 - 0.25))
    with pytest.raises(InputError, match="splash_loss: found no masks 'splash'"):
        model.loss(batch_for(hp_mcore))


def test_unknown_words_are_named():
    with pytest.raises(InputError, match=r"hp_mcore.branches: found 'means', did you mean 'mean'"):
        hp_mcore.build(FACTS, branches="means")
    with pytest.raises(InputError, match=r"hp_mcore.segment_from: found 'statics', did you mean 'static'"):
        hp_mcore.build(FACTS, segment_from="statics")
    with pytest.raises(InputError, match=r"hp_mcore.heads: found 3 for tokens of 256"):
        hp_mcore.build(FACTS, heads=3)


def test_names_of_the_released_pose_guided_block():
    block = built(hp_mcore).fuse[0]
    key, value = block.attention.to_key_value.weight.chunk(2)
    theirs = {
        "attn.q_map.weight": block.attention.to_query.weight,
        "attn.k_map.weight": key,
        "attn.v_map.weight": value,
    }
    theirs |= {f"attn.proj.{n}": t for n, t in block.attention.out.state_dict().items()}
    theirs |= {f"attn.pose_map.{n}": t for n, t in block.pose.state_dict().items()} | {"attn.pose_weight": block.weight}
    for old, layer in (("norm_q", block.attention_norm), ("norm2", block.norm), ("mlp.fc1", block.mlp[0])):
        theirs |= {f"{old}.{n}": t for n, t in layer.state_dict().items()}
    theirs |= {f"mlp.fc2.{n}": t for n, t in block.mlp[2].state_dict().items()}
    found = _released.pose_guided_block(theirs, "f")
    assert found.keys() == {f"f.{name}" for name in block.state_dict()}
    assert all(torch.equal(found[f"f.{name}"], tensor) for name, tensor in block.state_dict().items())


class Still:
    """Stored features of every video: two rows."""

    def __contains__(self, video_id):
        return True

    def read(self, video_id):
        return np.array([[0.0, 1, 2], [3, 4, int(video_id[-1])]], np.float32)

    def first_frames(self, video_id):
        return np.array([0, 1])


@pytest.fixture(scope="module")
def dives(tmp_path_factory):
    """Two simulated dives: samples, a frame store, a truth store."""
    folder = tmp_path_factory.mktemp("dives")
    size = dict(width=96, height=64, fps=10.0)
    simulate_shard(folder / "videos", folder / "truth.h5", seed=3, n_dives=2, **size)
    samples = simdive.samples(folders=[folder / "videos"])
    samples.to_parquet(folder / "samples.parquet")
    extract_frames(folder / "samples.parquet", folder / "frames.h5")
    return samples, folder / "frames.h5", folder / "truth.h5"


@contextmanager
def shown(dives, *, masks):
    """The dives as pictures, beside stored features for the static branch."""
    samples, frames, truth = dives
    view = dict(n_frames=24, resize=[48, 32], swap_resize=False, crop=32, flip=0.0, masks=True)
    with open_pictures([frames], options=view, masks=[truth] if masks else []) as pictures:
        inputs = {"static": Still(), **pictures}
        made = Data(samples, inputs, dict(zip(samples["video_id"], samples["score"], strict=True)), n_frames=4)
        yield made, made.fit(list(samples["video_id"]))


def test_splashes_are_learnt_from_the_truth_of_simulated_dives_and_no_prediction_reads_them(dives):
    ids = ["dive_00000", "dive_00001"]
    with shown(dives, masks=True) as (data, facts):
        torch.manual_seed(0)
        model = hp_mcore.build(facts, **hp_mcore.tiny, skeleton=False, splash_loss=10.0).eval()
        batch = data.pairs(ids, ids[::-1], draw=(0, 0))
        optimiser = torch.optim.Adam(model.parameters(), lr=3e-2)
        errors = []
        for _ in range(12):
            errors.append(model.loss(batch)["splash"])
            optimiser.zero_grad()
            errors[-1].backward()
            optimiser.step()
        shares = hp_mcore.splash_cover(torch.cat([batch.query.masks["splash"], batch.exemplar.masks["splash"]]))
        of_a_constant = 10 * (shares - shares.median()).abs().mean()
        assert errors[-1] < of_a_constant / 2  # the dives are told apart
        unseen = data.pairs(ids, ids[::-1], show_target=False)
        assert (unseen.query.masks, unseen.exemplar.masks) == ({}, {})
        predicted = model.predict(unseen)
    with shown(dives, masks=False) as (data, _):
        assert torch.equal(model.predict(data.pairs(ids, ids[::-1], show_target=False)), predicted)
        with pytest.raises(InputError, match="splash_loss: found no masks 'splash'"):
            model.loss(data.pairs(ids, ids[::-1], draw=(0, 0)))
