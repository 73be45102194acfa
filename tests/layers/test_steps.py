import pytest
import torch

from aqa_pipeline.layers import steps

B, T, C, H, W = 2, 8, 3, 2, 4


def test_each_transition_is_looked_for_in_its_own_half():
    evidence = torch.zeros(B, T, 2)
    evidence[0, 6, 0] = evidence[0, 1, 1] = 9.0  # in the wrong halves
    evidence[0, 2, 0] = evidence[0, 5, 1] = 1.0
    evidence[1, 3, 0] = evidence[1, 7, 1] = 1.0
    assert steps.decode(evidence).tolist() == [[2, 5], [3, 7]]


def test_steps_share_no_frame_unless_they_overlap():
    transitions = torch.tensor([[3.0, 6.0], [2.0, 5.0]])
    first, last = steps.bounds(transitions, T)
    assert (first.tolist(), last.tolist()) == ([[0, 3, 6], [0, 2, 5]], [[2, 5, 7], [1, 4, 7]])
    first, last = steps.bounds(transitions, T, overlap=True)
    assert (first.tolist(), last.tolist()) == ([[0, 3, 5], [0, 2, 4]], [[3, 6, 7], [2, 5, 7]])


def test_the_ends_of_steps_that_overlap_are_those_of_the_released_slices():
    first, last = steps.bounds(torch.tensor([[0.0, 9.0], [0.0, 8.0]]), T, overlap=True)
    assert (first.tolist(), last.tolist()) == ([[0, 0, 7], [0, 0, 7]], [[0, 7, 7], [0, 7, 7]])


def test_transitions_keep_their_place_whatever_the_length():
    transitions = torch.tensor([[30.0, 61.0], [float("nan"), 95.0]])
    assert torch.equal(steps.placed(transitions, 96)[0], transitions[0])
    assert steps.placed(transitions, 32).nan_to_num(-1).tolist() == [[10, 20], [-1, 31]]
    assert steps.on_grid(torch.tensor([10.0, 20.0]), 32).tolist() == [30, 60]


@pytest.mark.parametrize("transitions", [[0.0, 0.0], [7.0, 7.0], [5.0, 2.0], [-4.0, 99.0]])
@pytest.mark.parametrize("overlap", [False, True])
def test_no_step_is_empty_whatever_is_predicted(transitions, overlap):
    first, last = steps.bounds(torch.tensor([transitions]), T, overlap=overlap)
    assert ((first >= 0) & (first <= last) & (last < T)).all()


def test_steps_are_interpolated_from_their_first_to_their_last_position():
    sequence = torch.arange(T, dtype=torch.float32).square()[None, :, None].repeat(B, 1, C)
    first, last = torch.tensor([[0, 2], [1, 5]]), torch.tensor([[1, 6], [1, 7]])
    pooled = steps.pool(sequence, first, last, [3, 4])
    assert [part.shape for part in pooled] == [(B, 3, C), (B, 4, C)]
    assert pooled[0][:, :, 0].tolist() == [[0, 0.5, 1], [1, 1, 1]]  # of 0, 1 and of 1 alone
    assert pooled[1][0, :, 2].tolist() == pytest.approx([4, 9 + 7 / 3, 16 + 2 / 3 * 9, 36])  # at 2, 10/3, 14/3, 6
    maps = steps.pool(sequence[..., None, None].expand(B, T, C, H, W), first, last, 3)
    assert maps[0].shape == (B, 3, C, H, W)
    assert torch.equal(maps[0][..., 1, 3], pooled[0])


def test_pooling_agrees_with_torch():
    torch.manual_seed(0)
    sequence = torch.randn(1, T, C)
    [pooled] = steps.pool(sequence, torch.tensor([[2]]), torch.tensor([[6]]), 7)
    cut = sequence[:, 2:7].transpose(1, 2)
    expected = torch.nn.functional.interpolate(cut, size=7, mode="linear", align_corners=True).transpose(1, 2)
    assert torch.allclose(pooled, expected, atol=1e-6)
