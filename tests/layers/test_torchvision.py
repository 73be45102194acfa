"""torchvision's operators and those that stand in for them answer alike; what is missing is named."""

import importlib.util
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aqa_pipeline.errors import InputError
from aqa_pipeline.layers import torchvision


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(InputError, match=r"the network abc needs torchvision, .* pip install --no-deps torchvision"):
        torchvision.ready("the network abc")


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is None, reason="torchvision is not installed")
def test_torchvision_is_importable_once_ready():
    assert torchvision.ready("this test").models.resnet18(weights=None).fc.out_features == 1000


def slow_nms(boxes, scores, threshold):
    """As it is defined: take the surest, drop what overlaps it, go on."""
    left, kept = np.argsort(-scores, kind="stable").tolist(), []
    while left:
        kept.append(left.pop(0))
        a = boxes[kept[-1]]
        low, high = np.maximum(a[:2], boxes[left][:, :2]), np.minimum(a[2:], boxes[left][:, 2:])
        shared = np.clip(high - low, 0, None).prod(axis=1)
        areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (a, *boxes[left])]
        left = [i for i, s, area in zip(left, shared, areas[1:], strict=True) if s / (areas[0] + area - s) <= threshold]
    return kept


@given(st.integers(0, 40), st.integers(0, 2**16), st.sampled_from([0.3, 0.5, 0.7]))
@settings(max_examples=60, deadline=None)
def test_suppression_is_what_its_definition_says(count, seed, threshold):
    rng = np.random.default_rng(seed)
    corner, extent = rng.uniform(0, 50, (count, 2)), rng.uniform(5, 40, (count, 2))
    boxes, scores = np.concatenate([corner, corner + extent], axis=1), rng.uniform(-2, 2, count)
    found = torchvision.nms(torch.tensor(boxes), torch.tensor(scores), threshold)
    assert found.dtype == torch.int64
    assert found.tolist() == slow_nms(boxes, scores, threshold)


def test_regions_of_a_slope_by_hand():
    """Features that grow by 1 a column and 10 a row have the value of each cell's middle there."""
    rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(9.0), indexing="ij")
    features = torch.stack([columns + 10 * rows, -columns])[None].repeat(2, 1, 1, 1)
    features[1] += 100
    boxes = torch.tensor([[1, 8.0, 4.0, 24.0, 16.0], [0, 4.0, 8.0, 12.0, 24.0]])
    found = torchvision.roi_align(features, boxes, (3, 2), 0.25, 2)
    assert found.shape == (2, 2, 3, 2)
    # The first box is columns 2 to 6 and rows 1 to 4 of picture 1: middles 3, 5 and 1.5, 2.5, 3.5.
    assert found[0, 0].tolist() == [[118, 120], [128, 130], [138, 140]]
    assert found[0, 1].tolist() == [[97, 95]] * 3
    assert found[1, 1, 0].tolist() == [-1.5, -2.5]


def test_regions_are_torchvisions():
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    torchvision.ready("this test")
    from torchvision.ops.roi_align import _roi_align

    plain = getattr(_roi_align, "__wrapped__", _roi_align)  # without its compiler
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 5, 13, 17, generator=generator)
    corner, extent = (torch.rand(11, 2, generator=generator) * 30 for _ in range(2))
    boxes = torch.cat([torch.arange(11.0)[:, None] % 2, corner, corner + extent / 2 + 1], dim=1)
    expected = plain(features, boxes, 0.25, 7, 6, 2, False)
    torch.testing.assert_close(torchvision.roi_align(features, boxes, (7, 6), 0.25, 2), expected, atol=1e-5, rtol=1e-5)
