"""Faster R-CNN runs from frames to people, with torchvision's operators or with those that stand in for them."""

import importlib.util
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aqa_pipeline import stores
from aqa_pipeline.detection import _torchvision, faster_rcnn
from aqa_pipeline.errors import InputError
from aqa_pipeline.frames import encode_jpeg
from aqa_pipeline.stages.detect_athlete import detect_athlete

SMALL = dict(short_side=96, long_side=160, proposals=15)


@pytest.fixture(scope="module")
def models():
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    return _torchvision.models()


@pytest.fixture(scope="module")
def path(models, tmp_path_factory):
    """Random weights that take everything for a person."""
    tensors = faster_rcnn.build(weights="random", seed=3, **SMALL)._model.state_dict()
    tensors["roi_heads.box_predictor.cls_score.bias"][faster_rcnn.PERSON] += 6
    path = tmp_path_factory.mktemp("weights") / "people.pth"
    torch.save(tensors, path)
    return str(path)


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).integers(0, 255, (3, 48, 80, 3), np.uint8)


def test_people_in_picture_pixels(path, frames):
    detect = faster_rcnn.build(weights=path, limit=4, batch=2, **SMALL)
    found = list(detect(iter(frames)))
    assert len(found) == 3
    assert (detect.weights, len(detect.sha256)) == (path, 64)
    for people in found:
        assert people.shape == (4, 5)
        assert people.dtype == np.float32
        assert (np.diff(people[:, 4]) <= 0).all()
        assert (people[:, 4] > 0.5).all()
        assert (people[:, :2] >= 0).all()
        assert (people[:, 2:4] <= [80, 48]).all()
        assert (people[:, 2:4] > people[:, :2]).all()
    assert found[0][:, 2:4].max() > 40  # the frame's pixels, not some smaller picture's


def test_batches_do_not_change_the_answer(path, frames):
    one, two = (list(faster_rcnn.build(weights=path, batch=batch, **SMALL)(frames)) for batch in (1, 2))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-2)


def test_the_second_version_runs(models, frames):
    detect = faster_rcnn.build(weights="random", model="faster_rcnn_r50_fpn_v2_coco", least=0.0, **SMALL)
    assert next(detect(frames[:1])).shape[1] == 5
    assert detect.sha256 is None


def test_from_frames_to_the_largest_box_through_the_stage(path, frames, tmp_path):
    jpegs = [encode_jpeg(frame).ravel() for frame in frames]
    arrays = dict(jpeg=np.concatenate(jpegs), offset=np.cumsum([0, *map(len, jpegs)]), frame_number=np.arange(3))
    with stores.write(tmp_path / "frames.h5", kind="frames", version=1, made_by={}) as store:
        store.put("a", arrays, fps=25.0, width=80, height=48)
    options = {"weights": path, **SMALL}
    out = tmp_path / "boxes.h5"
    detect_athlete(
        tmp_path / "frames.h5", out, detector="faster_rcnn", athlete="largest_box", options=options, device="cpu"
    )
    with stores.read(out, kind="boxes") as store:
        assert store.array("a", "boxes").shape == (3, 5)
        assert np.isfinite(store.array("a", "boxes")).all()


def test_weights_of_something_else_are_refused(models, path, tmp_path):
    tensors = torch.load(path, weights_only=True)
    key = "roi_heads.box_predictor.cls_score.bias"
    for change, message in (
        ({**tensors, "head.weight": torch.zeros(2)}, "weights of another model: 1 unexpected .head.weight."),
        ({k: v for k, v in tensors.items() if k != key}, f"weights of another model: 1 missing .{key}."),
        ({**tensors, key: torch.zeros(2)}, f"weights of another model: 1 of another shape .{key}."),
    ):
        torch.save(change, tmp_path / "other.pth")
        with pytest.raises(InputError, match=message):
            faster_rcnn.build(weights=str(tmp_path / "other.pth"))


def test_what_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("AQA_WEIGHTS", str(tmp_path))
    with pytest.raises(InputError, match="fasterrcnn_resnet50_fpn_coco-258fb6c6"):
        faster_rcnn.build()
    with pytest.raises(InputError, match=r"model: no 'v3', known: faster_rcnn_r50_fpn_coco"):
        faster_rcnn.build(model="v3")
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(InputError, match=r"needs torchvision, .* pip install --no-deps torchvision"):
        faster_rcnn.build(weights="random")


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
    found = _torchvision.nms(torch.tensor(boxes), torch.tensor(scores), threshold)
    assert found.dtype == torch.int64
    assert found.tolist() == slow_nms(boxes, scores, threshold)


def test_regions_of_a_slope_by_hand():
    """Features that grow by 1 a column and 10 a row have the value of each cell's middle there."""
    rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(9.0), indexing="ij")
    features = torch.stack([columns + 10 * rows, -columns])[None].repeat(2, 1, 1, 1)
    features[1] += 100
    boxes = torch.tensor([[1, 8.0, 4.0, 24.0, 16.0], [0, 4.0, 8.0, 12.0, 24.0]])
    found = _torchvision.roi_align(features, boxes, (3, 2), 0.25, 2)
    assert found.shape == (2, 2, 3, 2)
    # The first box is columns 2 to 6 and rows 1 to 4 of picture 1: middles 3, 5 and 1.5, 2.5, 3.5.
    assert found[0, 0].tolist() == [[118, 120], [128, 130], [138, 140]]
    assert found[0, 1].tolist() == [[97, 95]] * 3
    assert found[1, 1, 0].tolist() == [-1.5, -2.5]


def test_regions_are_torchvisions(models):
    from torchvision.ops.roi_align import _roi_align

    plain = getattr(_roi_align, "__wrapped__", _roi_align)  # without its compiler
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 5, 13, 17, generator=generator)
    corner, extent = (torch.rand(11, 2, generator=generator) * 30 for _ in range(2))
    boxes = torch.cat([torch.arange(11.0)[:, None] % 2, corner, corner + extent / 2 + 1], dim=1)
    expected = plain(features, boxes, 0.25, 7, 6, 2, False)
    torch.testing.assert_close(_torchvision.roi_align(features, boxes, (7, 6), 0.25, 2), expected, atol=1e-5, rtol=1e-5)
