"""Devices and the picture's way into a network."""

import numpy as np
import pytest
import torch
from torch import nn

from aqa_pipeline.backbones import i3d
from aqa_pipeline.errors import InputError
from aqa_pipeline.layers import inference
from aqa_pipeline.layers.convolutions import ConvBlock


def test_devices():
    assert inference.choose_device("cpu") == torch.device("cpu")
    assert inference.choose_device("auto").type in ("cpu", "cuda")
    with pytest.raises(InputError, match="found 'gpu'"):
        inference.choose_device("gpu")


def test_ready_is_a_frozen_copy_with_the_same_answer():
    """Of a network with convolutions of both kinds: those of the clip, and of each picture of its map."""

    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.clip, self.picture = i3d.build(**i3d.tiny), ConvBlock(3, 4)

        def forward(self, clips):
            return self.clip(clips)[0], self.picture(clips[:, :, 0])

    model = Both().eval()
    for norm in (module for module in model.clip.modules() if isinstance(module, nn.BatchNorm3d)):
        nn.init.constant_(norm.weight, 3.0)  # or next to nothing would be left after so many layers
    light = inference.ready(model, "cpu")
    clips = torch.randn(2, 3, 8, 32, 48)
    for found, expected in zip(light(clips), model(clips), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)
        assert expected.max() > 0.1
        assert expected.requires_grad
        assert not found.requires_grad
    assert light.clip.mixed_3b.branch_1[1].conv3d.weight.is_contiguous(memory_format=torch.channels_last_3d)
    assert light.picture.conv.weight.is_contiguous(memory_format=torch.channels_last)


def test_pictures_become_channels_between_minus_one_and_one():
    pictures = np.zeros((2, 3, 5, 3), np.uint8)
    pictures[1, 2, 4] = [255, 0, 51]
    batch = inference.to_input(pictures, torch.device("cpu"))
    assert batch.shape == (2, 3, 3, 5)
    assert batch[1, :, 2, 4].tolist() == pytest.approx([1, -1, -0.6])
    assert batch.is_contiguous(memory_format=torch.channels_last)
