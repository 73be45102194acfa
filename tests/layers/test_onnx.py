"""Torch networks as ONNX Runtime runs them, against torch."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from aqa_pipeline.layers import onnx


class _TwoAnswers(nn.Module):
    """What HRNet is made of: convolutions, an upsampled sum, a rectifier."""

    def __init__(self) -> None:
        super().__init__()
        self.fine, self.coarse = nn.Conv2d(3, 5, 3, padding=1), nn.Conv2d(3, 5, 3, stride=2, padding=1)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        coarse = self.coarse(x)
        return torch.relu(self.fine(x) + self.up(coarse)), coarse.mean(dim=(2, 3))


@pytest.fixture(scope="module")
def pair():
    pytest.importorskip("onnx")
    torch.manual_seed(4)
    network = _TwoAnswers().eval()
    return network, onnx.Exported(network, size=(6, 10))


@pytest.mark.parametrize("count", [1, 2, 7])
def test_an_exported_network_answers_as_torch_does(pair, count):
    network, exported = pair
    x = torch.randn(count, 3, 6, 10)
    with torch.inference_mode():
        for given in (x, x.to(memory_format=torch.channels_last)):
            for found, expected in zip(exported(given), network(x), strict=True):
                assert found.shape == expected.shape
                torch.testing.assert_close(found, expected)


def test_pictures_of_another_size_are_refused(pair):
    with pytest.raises(Exception, match="Got: 8 Expected: 6"):
        pair[1](torch.zeros(1, 3, 8, 10))
