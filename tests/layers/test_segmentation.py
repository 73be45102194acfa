import math

import pytest
import torch

from aqa_pipeline.layers import segmentation

B, T, D = 3, 6, 4
STRIDE = 96 // T  # of the grid that transitions are given on
NAN = float("nan")


def test_evidence_of_a_position_rests_on_both_sides_of_it():
    torch.manual_seed(0)
    network = segmentation.GRUSegmenter(D, hidden=6)
    sequence = torch.randn(B, T, D, requires_grad=True)
    logits = network(sequence)
    assert logits.shape == (B, T, 2)
    logits[0, 2].sum().backward()
    assert bool((sequence.grad[0].abs().sum(dim=1) > 0).all())
    assert bool((sequence.grad[1:] == 0).all())


def loss(logits, transitions, **options) -> float:
    return segmentation.time_transition_loss(logits, transitions, **options)["transitions"].item()


def test_an_undecided_network_pays_the_logarithm_of_the_length():
    undecided = loss(torch.zeros(B, 96, 2), torch.tensor([[30.0, 60.0]]).expand(B, 2))
    assert undecided == pytest.approx((1 + 2) / 2 * math.log(96))
    assert undecided == pytest.approx(6.847, abs=5e-4)  # what the released code prints for it


def test_the_second_transition_weighs_twice_as_much():
    logits = torch.zeros(1, T, 2)
    logits[0, 1, 0] = math.log(4)  # probability 4 / 9 there, 1 / 9 elsewhere
    assert loss(logits, STRIDE * torch.tensor([[1.0, 3.0]])) == pytest.approx((math.log(9 / 4) + 2 * math.log(6)) / 2)
    assert loss(logits, STRIDE * torch.tensor([[2.0, 3.0]]), weights=(1, 0)) == pytest.approx(math.log(9) / 2)


def test_it_is_the_dense_cross_entropy_of_torch():
    torch.manual_seed(0)
    logits, places = torch.randn(B, T, 2), [(1, 3), (2, 4), (0, 1)]
    dense = torch.zeros(B, T, 2)
    for clip, (first, second) in enumerate(places):
        dense[clip, first, 0], dense[clip, second, 1] = 1, 2
    expected = torch.nn.functional.cross_entropy(logits, dense)
    assert loss(logits, STRIDE * torch.tensor(places) + 0.5) == pytest.approx(expected.item())


def test_clips_without_known_transitions_are_passed_over():
    torch.manual_seed(0)
    logits = torch.randn(B, T, 2)
    some = STRIDE * torch.tensor([[1.0, 3.0], [NAN, 2.0], [2.0, 4.0]])
    assert loss(logits, some) == pytest.approx(loss(logits[[0, 2]], some[[0, 2]]))
    assert segmentation.time_transition_loss(logits, torch.full((B, 2), NAN)) == {}
    assert segmentation.time_transition_loss(logits, None) == {}


def test_psnet_makes_positions_of_snippets():
    torch.manual_seed(0)
    network = segmentation.PSNet(9, 1024)
    assert sum(weight.numel() for weight in network.parameters()) == 128_846  # as released
    small = segmentation.PSNet(5, 48, positions=16)
    positions = small(torch.randn(B, 5, 48))
    assert positions.shape == (B, 16, 3)
    assert small.evidence(positions).shape == (B, 16, 2)


def test_psnet_slides_over_features_and_not_over_time():
    torch.manual_seed(0)
    network = segmentation.PSNet(5, 256, positions=16).eval()
    snippets = torch.randn(1, 5, 256)
    other = snippets.clone()
    other[:, 0, -1] += 1000.0  # the last feature, of the first snippet
    changed = (network(snippets) != network(other))[0]  # (16, C), C = 16
    assert not changed[:, :11].any()  # 2 (1 + 2 + 4 + 8 + 16) = 62 features away at most, and what pooling adds
    assert changed[:, -1].sum() > 8  # at most positions in time


def test_halving_shortens_the_signal_for_all_changes_but_the_first():
    signal = torch.randn(B, 3, 20)
    assert segmentation.DoubleConvolutions([3, 5, 7, 2], halve=True)(signal).shape == (B, 2, 5)
    assert segmentation.DoubleConvolutions([3, 5, 7], halve=False)(signal).shape == (B, 7, 20)


def test_every_position_is_asked_whether_a_transition_is_there():
    logits = torch.zeros(2, T, 2)
    logits[0, 1, 0] = math.log(4)  # probability 4 / 5 where it is
    logits[1] = 50.0  # a clip that does not know its second
    found = segmentation.binary_transition_loss(logits, torch.tensor([[1.0, 4.0], [2.0, NAN]]))["transitions"].item()
    assert found == pytest.approx((11 * math.log(2) + math.log(5 / 4)) / 12)
    logits[0, 4, 0] = math.log(4)  # where it is not
    found = segmentation.binary_transition_loss(logits, torch.tensor([[1.0, 4.0], [2.0, NAN]]))["transitions"].item()
    assert found == pytest.approx((10 * math.log(2) + math.log(5 / 4) + math.log(5)) / 12)
    assert segmentation.binary_transition_loss(logits, torch.full((2, 2), NAN)) == {}
    assert segmentation.binary_transition_loss(logits, None) == {}
