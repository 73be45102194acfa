"""C3D: sizes by hand, the published counts of weights, the last pooling at the edge, files of three kinds."""

import logging

import pytest
import torch
from torch import nn

from aqa_pipeline.backbones import c3d
from aqa_pipeline.errors import InputError

N, T, H, W = 2, 16, 48, 64  # clips


@pytest.fixture
def clips():
    return torch.randn(N, 3, T, H, W, generator=torch.Generator().manual_seed(1))


def tiny(**options) -> c3d.C3D:
    torch.manual_seed(0)
    return c3d.build(**{**c3d.tiny, **options})


@pytest.mark.parametrize(
    ("layout", "size", "expected"),
    [
        ("s1m", (16, 112, 112), (1, 4, 4)),
        ("ucf_small", (16, 112, 112), (1, 4, 4)),
        ("s1m", (100, 112, 96), (6, 4, 4)),  # 3: padded to 4, then 6 in front of 2 and 2
        ("s1m", (T, H, W), (1, 2, 3)),
        ("ucf_small", (T, H, W), (1, 2, 2)),
    ],
)
def test_the_size_of_the_map(layout, size, expected):
    model = tiny(layout=layout, width=0.01)
    assert model(torch.zeros(1, 3, *size)).shape == (1, model.dim, *expected)
    assert model.map_size(*size) == expected


def test_the_last_pooling_pads_in_front_as_the_port_or_rounds_up_as_caffe():
    row = torch.arange(1.0, 8)[None, None, None, None].expand(1, 1, 2, 2, 7)
    port, caffe = (tiny(layout=layout).pools[-1](row)[0, 0, 0, 0] for layout in ("s1m", "ucf_small"))
    assert port.tolist() == [1, 3, 5, 7]
    assert caffe.tolist() == [2, 4, 6, 7]


def test_names_channels_and_weights_at_full_width():
    with torch.device("meta"):
        large, small = c3d.C3D(fc6=True), c3d.C3D(layout="ucf_small", fc6=True)
    convolutions = ["conv1", "conv2", "conv3a", "conv3b", "conv4a", "conv4b", "conv5a", "conv5b"]
    assert [name for name, _ in large.named_children()] == [*convolutions, "pools", "fc6"]
    assert large.fc6.weight.shape == (4096, 8192)
    assert (large.dim, large.features) == (512, 4096)
    assert sum(p.numel() for p in large.parameters()) == 61_214_464  # C3D-LSTM's own copy of the port
    assert small.stages == [["conv1"], ["conv2"], ["conv3a"], ["conv4a"], ["conv5a"]]
    assert small.fc6.weight.shape == (2048, 4096)


def test_features_are_those_of_the_map(clips):
    model = tiny(fc6=True, side=48).eval()
    square = clips[..., :48]
    maps = model(square)
    expected = (maps.flatten(1) @ model.fc6.weight.T + model.fc6.bias).clamp(min=0)
    assert model.describe(square).shape == (N, model.features)
    torch.testing.assert_close(model.describe(square), expected)


def test_the_signal_of_a_network_from_nothing_does_not_fade(clips):
    assert 0.1 < tiny(width=0.25)(clips).std() < 10


@pytest.mark.parametrize("layout", c3d.LAYOUTS)
def test_every_weight_learns(layout, clips):
    model = tiny(layout=layout, fc6=True, side=48)
    (model.describe(clips[..., :48]) ** 2).sum().backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []


def published(model: nn.Module) -> dict[str, torch.Tensor]:
    """A state with the layers that follow, in the names of the port."""
    after = {f"fc{n}.{kind}": torch.zeros(3) for n in (7, 8) for kind in ("weight", "bias")}
    return {**model.state_dict(), **after}


def as_in_mmaction(name: str) -> str:
    layer, kind = name.split(".")
    if layer.startswith("fc"):
        return f"cls_head.fc_cls.{kind}" if layer == "fc8" else f"backbone.{name}"
    return f"backbone.{layer if layer[-1] in 'ab' else layer + 'a'}.conv.{kind}"


def as_in_sequentials(name: str) -> str:
    layer, kind = name.split(".")
    if layer.startswith("fc"):
        return f"classifier.{3 * (int(layer[2]) - 6)}.{kind}"
    places = dict(conv1=0, conv2=3, conv3a=6, conv3b=8, conv4a=11, conv4b=13, conv5a=16, conv5b=18)
    return f"features.{places[layer]}.{kind}"


@pytest.mark.parametrize("renamed", [str, as_in_mmaction, as_in_sequentials])
@pytest.mark.parametrize("fc6", [True, False])
def test_published_files_fill_what_the_model_has(renamed, fc6, tmp_path, clips, caplog):
    source = tiny(fc6=True, side=48).eval()
    torch.save({renamed(name): tensor for name, tensor in published(source).items()}, tmp_path / "c3d.pth")
    with caplog.at_level(logging.INFO):
        found = tiny(weights=str(tmp_path / "c3d.pth"), fc6=fc6, side=48).eval()
    assert ("fc6.bias" in caplog.text) is not fc6
    assert "fc7.bias, fc7.weight, fc8.bias, fc8.weight" in caplog.text
    torch.testing.assert_close(found(clips), source(clips))
    if fc6:
        torch.testing.assert_close(found.fc6.bias, source.fc6.bias)


def test_what_does_not_fit_is_named(tmp_path):
    torch.save({k: v for k, v in published(tiny()).items() if k != "conv3b.bias"}, tmp_path / "c3d.pth")
    with pytest.raises(InputError, match=r"1 missing \(conv3b.bias\)"):
        tiny(weights=str(tmp_path / "c3d.pth"))
    with pytest.raises(InputError, match=r"c3d.layout: found 's1n', did you mean 's1m'"):
        tiny(layout="s1n")
