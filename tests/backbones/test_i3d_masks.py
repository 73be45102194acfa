"""The I3D with masks: sizes, the count of weights, interpolation at the start, weights of the I3D alone."""

import pytest
import torch
from torch import nn

from aqa_pipeline.backbones import i3d, i3d_masks

N, T, H, W = 3, 16, 64, 32


@pytest.fixture
def model():
    torch.manual_seed(0)
    return i3d_masks.build(**i3d_masks.tiny)


@pytest.mark.parametrize(("height", "width"), [(H, W), (112, 48)])
def test_masks_are_as_large_as_the_clip(model, height, width):
    features, masks = model(torch.randn(2, 3, T, height, width))
    assert features.shape == (2, model.dim)
    assert masks.shape == (5, 2, T, height, width)


def test_weights_at_full_width():
    model = i3d_masks.build()
    assert sum(weight.numel() for weight in model.parameters()) == 14_763_237  # as released


def test_features_are_those_of_the_i3d(model):
    clips = torch.randn(N, 3, T, H, W)
    torch.testing.assert_close(model.eval()(clips)[0], model.i3d(clips)[0])


def test_every_weight_learns(model):
    features, masks = model(torch.randn(N, 3, T, H, W))
    ((features**2).sum() + (masks**2).sum()).backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []


def test_enlarging_starts_as_interpolation():
    side = i3d_masks.Side(5, 3, 2, 4)
    row = torch.tensor([1.0, 3.0, 7.0])
    maps = torch.zeros(1, 3, 4, 3, 3)
    maps[0, 1] = row  # the same in every line and every frame
    with torch.inference_mode():
        found = side.enlarge(maps)[0]
    assert found.shape == (3, 8, 12, 12)
    # Between the middles of cells, an eighth of the way from pixel to pixel; twice, for two places in time meet.
    expected = 2 * torch.tensor([1.25, 1.75, 2.25, 2.75, 3.5, 4.5, 5.5, 6.5])
    torch.testing.assert_close(found[1, 3, 5, 2:10], expected)
    assert not found[[0, 2]].any()


def test_the_i3d_starts_from_its_own_weights(tmp_path):
    source = i3d.build(classes=5, **i3d.tiny)
    torch.save(source.state_dict(), tmp_path / "model_rgb.pth")
    model = i3d_masks.build(weights=str(tmp_path / "model_rgb.pth"), **i3d_masks.tiny)
    assert all(value.equal(source.state_dict()[key]) for key, value in model.i3d.state_dict().items())


@pytest.mark.parametrize("stage", i3d_masks.SIDES)
def test_an_enlarged_map_is_that_of_torch_s_transposed_convolution(stage):
    frames, pixels = i3d_masks.SIDES[stage]
    layer = i3d_masks.Side(5, 3, frames, pixels).enlarge.double()
    nn.init.normal_(layer.weight)
    maps = torch.randn(2, 3, 2, 3, 1, dtype=torch.float64)
    plain = nn.ConvTranspose3d.forward(layer, maps)
    assert plain.shape == (2, 3, 2 * frames, 3 * pixels, pixels)
    torch.testing.assert_close(layer(maps), plain)
