"""Centre maps: boxes survive the way there and back; the loss falls where it should."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aqa_pipeline.layers import centres

HEIGHT, WIDTH, STRIDE = 48, 80, 4


def as_answer(target):
    """What a perfect network would answer: the targets themselves, the centre map as logits."""
    sure = torch.where(target["centre"] == 1, 6.0, torch.logit((0.9 * target["centre"]).clamp(1e-4, 0.9)))
    return dict(centre=sure, offset=target["offset"].clone(), size=target["size"].clone())


@settings(max_examples=50, deadline=None)
@given(x=st.floats(3, 70), y=st.floats(3, 40), w=st.floats(4, 40), h=st.floats(4, 40))
def test_boxes_come_back(x, y, w, h):
    box = [x - w / 2, y - h / 2, x + w / 2, y + h / 2]
    truth = torch.tensor([box, [np.nan] * 4, [8.0, 4.0, 20.0, 36.0]])
    maps = as_answer(centres.encode(truth, height=HEIGHT, width=WIDTH, stride=STRIDE))
    found = centres.decode(maps, stride=STRIDE, limit=3, least=0.95)
    assert [len(boxes) for boxes in found] == [1, 0, 1]
    assert found[0][0, :4].numpy() == pytest.approx(box, abs=1e-3)
    assert found[2][0].numpy() == pytest.approx([8, 4, 20, 36, 0.9975], abs=1e-3)


def test_the_best_candidates_come_first_and_weak_ones_are_left_out():
    maps = dict(centre=torch.full((1, 6, 9), -9.0), offset=torch.zeros(1, 2, 6, 9), size=torch.zeros(1, 2, 6, 9))
    for (row, column), logit in {(1, 1): 0.0, (1, 5): 2.0, (4, 3): -2.5, (4, 4): -2.6}.items():
        maps["centre"][0, row, column] = logit
    found = centres.decode(maps, stride=4, limit=8, least=0.05)[0]
    assert found[:, 4].numpy() == pytest.approx([0.8808, 0.5, 0.0759], abs=1e-3)  # (4, 4) lies beside a higher cell
    assert found[0, :4].tolist() == [20, 4, 24, 8]  # column 5, row 1: centre (22, 6), one cell wide
    assert len(centres.decode(maps, stride=4, limit=2, least=0.05)[0]) == 2


def test_targets_by_hand():
    target = centres.encode(torch.tensor([[4.0, 8.0, 28.0, 32.0]]), height=HEIGHT, width=WIDTH, stride=STRIDE)
    assert target["centre"].shape == (1, 12, 20)
    # The centre (16, 20) is (4, 5) in cells, the corner of four: one sigma is 1 cell, the nearest middles 0.5 away.
    assert (target["centre"] == 1).nonzero().tolist() == [[0, 5, 4]]
    assert target["offset"][0, :, 5, 4].tolist() == [-0.5, -0.5]
    assert target["offset"][0, :, 4, 6].tolist() == [-2.5, 0.5]
    assert target["size"][0, :, 0, 0].exp().tolist() == pytest.approx([6, 6])
    assert target["near"][0, 5, 4] == pytest.approx(np.exp(-0.25))
    assert target["near"][0, 0, 0] == 0


def test_loss_is_small_for_the_truth_and_grows_away_from_it():
    truth = torch.tensor([[10.0, 8.0, 50.0, 30.0], [np.nan] * 4])
    target = centres.encode(truth, height=HEIGHT, width=WIDTH, stride=STRIDE)
    perfect = centres.loss(as_answer(target), target)
    assert perfect["box"] == pytest.approx(0, abs=1e-5)
    for key, by in {"offset": 1.0, "size": 0.4}.items():
        worse = as_answer(target)
        worse[key] += by
        assert centres.loss(worse, target)["box"] > 0.1
    blind = as_answer(target)
    blind["centre"] = torch.full_like(blind["centre"], -6.0)
    assert centres.loss(blind, target)["centre"] > perfect["centre"] + 1
    dreaming = as_answer(target)
    dreaming["centre"][1] = 3.0  # the second picture has no athlete
    assert centres.loss(dreaming, target)["centre"] > perfect["centre"] + 10


def test_batches_without_any_athlete_have_a_finite_loss():
    target = centres.encode(torch.full((2, 4), np.nan), height=HEIGHT, width=WIDTH, stride=STRIDE)
    losses = centres.loss(as_answer(target), target)
    assert all(torch.isfinite(value) for value in losses.values())
    assert losses["box"] == 0


@pytest.mark.parametrize("shape", [(180, 320), (240, 320), (256, 455), (30, 20), (96, 160)])
def test_letterbox_keeps_the_shape_of_things(shape):
    frame = np.full((*shape, 3), 77, np.uint8)
    fitted = centres.letterbox(frame, height=96, width=160)
    scale = centres.fit_scale(frame.shape, height=96, width=160)
    filled = (fitted[..., 0] == 77).nonzero()
    assert fitted.shape == (96, 160, 3)
    assert (filled[0].max() + 1, filled[1].max() + 1) == (round(shape[0] * scale), round(shape[1] * scale))
    assert max(shape[0] * scale / 96, shape[1] * scale / 160) == pytest.approx(1)
