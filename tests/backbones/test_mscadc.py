"""The body of MSCADC: sizes by hand, the dilated layers, published weights without their biases."""

import logging

import pytest
import torch
from torch import nn
from torch.nn import functional

from aqa_pipeline.backbones import mscadc
from aqa_pipeline.errors import InputError


@pytest.mark.parametrize(
    ("size", "expected"), [((16, 180, 180), (2, 20, 20)), ((16, 40, 56), (2, 3, 5)), ((21, 32, 33), (3, 2, 2))]
)
def test_the_size_of_the_map(size, expected):
    model = mscadc.build(**mscadc.tiny).eval()
    with torch.device("meta"):
        assert model.to("meta")(torch.empty(2, 3, *size)).shape == (2, model.dim, *expected)


def test_channels_and_dilation_at_full_width():
    with torch.device("meta"):
        units = [unit for unit in mscadc.build().children() if isinstance(unit, nn.Sequential)]
    assert [unit[0].out_channels for unit in units] == [32, 64, 128, 128, 256, 256, 256, 256]
    assert [unit[0].dilation[0] for unit in units] == [1] * 6 + [2, 2]
    assert [unit[0].padding[2] for unit in units] == [1] * 6 + [2, 1]


def published(model: nn.Module) -> dict[str, torch.Tensor]:
    """A state with biases and a layer that follows, in the released names."""
    found = {}
    for name, tensor in model.state_dict().items():
        unit, place, kind = name.split(".")
        found[f"{'conv' if place == '0' else 'bn'}{unit.removeprefix('unit')}.{kind}"] = torch.randn_like(
            tensor.float()
        )
    biases = {name.replace("weight", "bias"): torch.randn(len(of)) for name, of in found.items() if of.ndim == 5}
    return found | biases | {"fc6.bias": torch.randn(4)}


def test_published_weights_fill_it_and_their_biases_go_into_the_means(tmp_path, caplog):
    theirs = published(mscadc.build(**mscadc.tiny))
    torch.save(theirs, tmp_path / "small.pth")
    with caplog.at_level(logging.INFO):
        model = mscadc.build(**mscadc.tiny, weights=str(tmp_path / "small.pth")).eval()
    assert "left out the classification head (fc6.bias)" in caplog.text
    norm = model.unit1[1]
    norm.running_var.abs_()
    clip = torch.randn(1, 3, 4, 5, 6)
    biased = functional.conv3d(clip, theirs["conv1.weight"], theirs["conv1.bias"], padding=1)
    scale = theirs["bn1.weight"] / (theirs["bn1.running_var"].abs() + norm.eps).sqrt()
    shift = theirs["bn1.bias"] - theirs["bn1.running_mean"] * scale
    expected = (biased * scale[:, None, None, None] + shift[:, None, None, None]).relu()
    torch.testing.assert_close(model.unit1(clip), expected)


def test_what_does_not_fit_is_named(tmp_path):
    theirs = published(mscadc.build(**mscadc.tiny))
    torch.save({name: of for name, of in theirs.items() if name != "conv3b.weight"}, tmp_path / "small.pth")
    with pytest.raises(InputError, match=r"1 missing \(unit3b.0.weight\)"):
        mscadc.build(**mscadc.tiny, weights=str(tmp_path / "small.pth"))
    torch.save({"layer.weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match="weights of another model"):
        mscadc.build(**mscadc.tiny, weights=str(tmp_path / "other.pth"))
