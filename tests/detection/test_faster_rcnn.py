"""Faster R-CNN runs from frames to people."""

import importlib.util
import sys

import numpy as np
import pytest
import torch

from aqa_pipeline import stores
from aqa_pipeline.detection import faster_rcnn
from aqa_pipeline.errors import InputError
from aqa_pipeline.frames import encode_jpeg
from aqa_pipeline.layers import torchvision
from aqa_pipeline.stages.detect_athlete import detect_athlete

SMALL = dict(short_side=96, long_side=160, proposals=15)


@pytest.fixture(scope="module")
def models():
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    return torchvision.detection()


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
