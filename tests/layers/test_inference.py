"""Devices, batches and the picture's way into a network."""

import numpy as np
import pytest
import torch

from aqa_pipeline.errors import InputError
from aqa_pipeline.layers import inference


def test_devices():
    assert inference.choose_device("cpu") == torch.device("cpu")
    assert inference.choose_device("auto").type in ("cpu", "cuda")
    with pytest.raises(InputError, match="found 'gpu'"):
        inference.choose_device("gpu")


def test_pictures_become_channels_between_minus_one_and_one():
    pictures = np.zeros((2, 3, 5, 3), np.uint8)
    pictures[1, 2, 4] = [255, 0, 51]
    batch = inference.to_input(pictures, torch.device("cpu"))
    assert batch.shape == (2, 3, 3, 5)
    assert batch[1, :, 2, 4].tolist() == pytest.approx([1, -1, -0.6])
    assert batch.is_contiguous(memory_format=torch.channels_last)


def test_batches_do_not_run_ahead():
    asked = []

    def source():
        for item in range(7):
            asked.append(item)
            yield item

    batches = inference.batches(source(), 3)
    assert next(batches) == [0, 1, 2]
    assert asked == [0, 1, 2]
    assert list(batches) == [[3, 4, 5], [6]]
