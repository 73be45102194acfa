"""mmpose's estimators against mmpose itself, with random weights.

The tests run in the environment that `make mmpose` makes: from any other this file runs itself there.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from aqa_pipeline import stores
from aqa_pipeline.errors import InputError

ROOT = Path(__file__).parents[2]
INSIDE = importlib.util.find_spec("mmpose") is not None
inside = pytest.mark.skipif(not INSIDE, reason="run by test_in_its_environment")


@pytest.mark.skipif(INSIDE, reason="here already")
def test_in_its_environment():
    python = ROOT / ".venv-mmpose/bin/python"
    if not python.is_file():
        pytest.skip("run `make mmpose`")
    command = [python, "-m", "pytest", "-p", "no:cacheprovider", "-W", "ignore", __file__]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": "."})
    assert answer.returncode == 0, answer.stdout[-4000:]
    assert " passed" in answer.stdout


@pytest.fixture(scope="module")
def mmpose():
    return pytest.importorskip("aqa_pipeline.pose.mmpose")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("weights")


@inside
@pytest.mark.parametrize(
    ("name", "runner"),
    [("hrnet_w32_dark_coco", "Exported"), ("hrnet_w32_coco", "_Forward"), ("rtmpose_m_coco", "Exported")],
)
def test_the_keypoints_are_those_of_inference_topdown(name, runner, folder, monkeypatch):
    pytest.importorskip("onnx")
    sys.path.insert(0, str(ROOT))
    from aqa_pipeline.layers import onnx
    from benchmarks import mmpose_throughput as benchmark

    if runner == "_Forward":  # as where the package onnx is not installed
        monkeypatch.setattr(onnx, "can_export", lambda: False)
    theirs, ours = benchmark.both(name, folder)
    frames, boxes = benchmark.clip(3)
    found, expected = ours(frames, boxes), theirs(frames, boxes)
    assert type(ours._look._forward).__name__ == runner
    gap = np.linalg.norm((found - expected)[..., :2], axis=-1)
    assert found.shape == (3, 17, 3)
    assert np.median(gap) < 0.001
    assert np.mean(gap > 0.01) < 0.05  # flat or twin peaks of an untrained network, which the last digit decides
    assert found[..., 2] == pytest.approx(expected[..., 2], abs=1e-3)


@inside
@pytest.mark.parametrize(
    ("name", "keypoint_set"),
    [("rtmpose_m_coco", "coco_17"), ("hrnet_w48_dark_coco_wholebody", "coco_wholebody_133")],
)
def test_each_model_goes_through_the_stage(mmpose, tmp_path, name, keypoint_set):
    import cv2

    from aqa_pipeline.stages.estimate_keypoints import estimate_keypoints

    boxes = np.array([[4, 5, 40, 50, 1], [np.nan] * 5], np.float32)
    picture = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    jpeg = cv2.imencode(".jpg", picture)[1].ravel()
    with stores.write(tmp_path / "f.h5", kind="frames", version=1, made_by={}) as store:
        arrays = {"jpeg": np.concatenate([jpeg, jpeg]), "offset": np.array([0, len(jpeg), 2 * len(jpeg)])}
        store.put("a", arrays, fps=25.0, width=80, height=60)
    with stores.write(tmp_path / "b.h5", kind="boxes", version=1, made_by={}) as store:
        store.put("a", {"boxes": boxes})
    options = dict(model=name, weights="random", seed=3, flip=False)
    estimate_keypoints(tmp_path / "f.h5", tmp_path / "b.h5", tmp_path / "k.h5", estimator="mmpose", options=options)
    with stores.read(tmp_path / "k.h5", kind="keypoints") as store:
        keypoints = store.array("a", "keypoints")
        assert store.made_by["sha256"] == "random:3"
        assert store.facts("a")["keypoint_set"] == keypoint_set
    assert keypoints.shape == (2, int(keypoint_set.rpartition("_")[2]), 3)
    assert np.isfinite(keypoints[0]).all()
    assert np.isnan(keypoints[1]).all()


@inside
def test_weights_that_do_not_fit_are_named(mmpose, tmp_path):
    import torch

    tensors = {"backbone.conv1.weight": torch.zeros(64, 3, 3, 3), "head.final_layer.weight": torch.zeros(5, 32, 1, 1)}
    torch.save({"state_dict": {**tensors, "head.more": torch.zeros(1)}}, tmp_path / "other.pth")
    found = "weights of another model: .* missing .*; 1 unexpected .head.more.; 1 of another shape .head.final_layer"
    with pytest.raises(InputError, match=found):
        mmpose.build(weights=str(tmp_path / "other.pth"), device="cpu")


@inside
def test_the_hash_is_looked_at_before_the_weights(mmpose, tmp_path):
    path = tmp_path / "td-hm_hrnet-w32_dark-8xb64-210e_coco-256x192-0e00bf12_20220914.pth"
    path.write_bytes(b"no checkpoint")
    with pytest.raises(InputError, match=r"SHA-256 .*, expected one that begins with 0e00bf12"):
        mmpose.build(weights=str(path))
    with pytest.raises(InputError, match="cannot be read as weights without running code"):
        mmpose.build(weights=str(path), sha256=hashlib.sha256(b"no checkpoint").hexdigest())


@inside
def test_no_weights_are_answered_with_the_published_file(mmpose):
    with pytest.raises(
        InputError, match=r"aqa weights fetch hrnet_w32_dark_coco`, or get https://.*-0e00bf12_20220914"
    ):
        mmpose.build()
    with pytest.raises(
        InputError, match=r"no weights for .*: download https://.*vgg16_bn_coco_256x192-7e7c58d6_20210517.pth and say"
    ):
        mmpose.build(config="td-hm_vgg16-bn_8xb64-210e_coco-256x192")
    with pytest.raises(InputError, match=r"no file 'w.pth' for td-hm_hrnet-w48_dark.*wholebody_384x288_dark-f5726563"):
        mmpose.build(model="hrnet_w48_dark_coco_wholebody", weights="w.pth")


@inside
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(model="hrnet_w32"), "model: no 'hrnet_w32', did you mean 'hrnet_w32_coco'"),
        (dict(config="td-hm_hrnet-w99"), "none of mmpose's [0-9]+ configurations 'td-hm_hrnet-w99', did you mean"),
        (dict(config="td-hm_hrnet-w32_udp-8xb64-210e_coco-256x192"), "decoded by UDPHeatmap, expected MSRAHeatmap"),
        (dict(config="td-hm_hrnet-w32_8xb64-210e_animalpose-256x256"), "20 keypoints of data set 'animalpose'"),
        (dict(config="dekr_hrnet-w32_8xb10-140e_coco-512x512"), "expected a TopdownPoseEstimator"),
        (dict(precision="half"), "precision: found 'half', expected float16, bfloat16, float32"),
        (dict(batch=0, precision="bfloat16"), "batch: found 0"),
    ],
)
def test_what_cannot_be_made_is_said_in_a_line(mmpose, options, message):
    with pytest.raises(InputError, match=message) as caught:
        mmpose.build(weights="random", device="cpu", **options)
    assert "\n" not in str(caught.value)


@inside
def test_mpii_is_one_of_our_sets(mmpose):
    name = "td-hm_hrnet-w32_dark-8xb64-210e_mpii-256x256"
    assert mmpose.build(config=name, weights="random", precision="bfloat16").keypoint_set == "mpii_16"


@inside
def test_placeholders_can_be_named_but_not_made():
    from aqa_pipeline.pose import _openmmlab

    [ops] = _openmmlab.modules("mmcv.ops")
    assert isinstance(ops.RoIAlign, type)
    with pytest.raises(InputError, match=r"mmcv.ops.RoIAlign is not installed"):
        ops.RoIAlign(7)
    assert "torchvision" not in sys.modules
