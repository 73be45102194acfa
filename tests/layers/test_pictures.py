"""Pixels as networks want them, by hand."""

import pytest
import torch

from aqa_pipeline.errors import InputError
from aqa_pipeline.layers.pictures import normalised


def test_by_hand():
    frames = torch.zeros(2, 5, 3, 4, 6, dtype=torch.uint8)
    frames[1, 2, 0, 3, 5], frames[1, 2, 2, 3, 5] = 255, 51
    symmetric = normalised(frames, pixels="symmetric")
    assert symmetric.dtype == torch.float32
    assert symmetric.shape == frames.shape
    torch.testing.assert_close(symmetric[1, 2, :, 3, 5], torch.tensor([1.0, -1.0, -0.6]))
    imagenet = normalised(frames, pixels="imagenet")
    expected = torch.tensor([(1 - 0.485) / 0.229, -0.456 / 0.224, (0.2 - 0.406) / 0.225])
    torch.testing.assert_close(imagenet[1, 2, :, 3, 5], expected)
    torch.testing.assert_close(imagenet[0, 0, 1], torch.full((4, 6), -0.456 / 0.224))
    c3d = normalised(frames, pixels="c3d")  # blue first, as bytes
    torch.testing.assert_close(c3d[1, 2, :, 3, 5], torch.tensor([51.0 - 90, -98, 255 - 102]), atol=1e-4, rtol=0)
    assert frames[1, 2, 0, 3, 5] == 255  # what was given is left alone


def test_another_word_is_named():
    with pytest.raises(InputError, match=r"pixels: found 'imagenets', did you mean 'imagenet'\?"):
        normalised(torch.zeros(1, 1, 3, 2, 2, dtype=torch.uint8), pixels="imagenets")
