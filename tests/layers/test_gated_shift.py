"""The gated shift by hand: who moves where, how far a gate opens, what stays."""

import pytest
import torch

from aqa_pipeline.layers.gated_shift import GatedShift

B, T, C, H, W = 2, 5, 19, 3, 4  # of the 19 channels 4 move


@pytest.fixture
def frames():
    return torch.randn(B * T, C, H, W, generator=torch.Generator().manual_seed(0))


def opened(shift, first, second):
    """Gates that are the same everywhere, each half with its own."""
    with torch.no_grad():
        shift.gate.bias.copy_(torch.tensor([first, second]).atanh())
    return shift


@pytest.mark.parametrize(("channels", "moving"), [(24, 8), (32, 8), (56, 16), (152, 40), (368, 92), (8, 4), (7, 4)])
def test_how_many_channels_move(channels, moving):
    assert GatedShift(channels, n_frames=2).moving == moving  # the first five are those of RegNetY-200MF


def test_closed_gates_only_reorder():
    found = GatedShift(33, n_frames=2)(torch.arange(33.0)[None, :, None, None].expand(2, 33, 3, 3))
    assert found[1, :8, 2, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    assert found[1, 8:, 2, 0].tolist() == list(range(8, 33))


def test_open_gates_move_half_back_and_half_ahead(frames):
    found = opened(GatedShift(C, n_frames=T).eval(), 1 - 1e-7, 0.25)(frames)
    clips, found = (x.unflatten(0, (B, T)) for x in (frames, found))
    zero = torch.zeros(H, W)
    # Of the 4 channels that move, halves of 2, there is nothing to reorder.
    for channel in (0, 1):  # the whole of it comes from the frame after
        torch.testing.assert_close(found[1, :, channel], torch.stack([*clips[1, 1:, channel], zero]), atol=1e-5, rtol=0)
    for channel in (2, 3):  # a quarter comes from the frame before, three stay
        expected = 0.75 * clips[1, :, channel] + 0.25 * torch.stack([zero, *clips[1, :-1, channel]])
        torch.testing.assert_close(found[1, :, channel], expected)
    torch.testing.assert_close(found[:, :, 4:], clips[:, :, 4:])


def test_clips_do_not_mix(frames):
    shift = opened(GatedShift(C, n_frames=T).eval(), 0.5, -0.5)
    torch.testing.assert_close(shift(frames)[T:], shift(frames[T:]))


def test_every_weight_learns(frames):
    shift = opened(GatedShift(C, n_frames=T), 0.5, -0.5)
    torch.nn.init.normal_(shift.gate.weight)
    shift(frames).pow(2).sum().backward()
    assert [name for name, weight in shift.named_parameters() if not weight.grad.abs().sum() > 0] == []
