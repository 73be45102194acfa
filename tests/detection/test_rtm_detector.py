"""Detectors in ONNX give what rtmlib's own classes give, with confidences, a batch at a time."""

import networks
import numpy as np
import pytest

from aqa_pipeline.detection import rtm_detector
from aqa_pipeline.errors import InputError

SIDE = 64


@pytest.fixture
def frames():
    coarse = np.random.default_rng(0).integers(0, 255, (5, 5, 9, 3), np.uint8)
    return coarse.repeat(20, axis=1).repeat(20, axis=2)  # (5, 100, 180, 3)


@pytest.mark.parametrize("side", [SIDE, "side"])
@pytest.mark.parametrize("network", ["yolox", "rtmdet"])
def test_the_people_rtmlib_finds(tmp_path, frames, network, side):
    from rtmlib import YOLOX, RTMDet

    kind, scale = (YOLOX, 1 / 100) if network == "yolox" else (RTMDet, 1.0)
    path = str(networks.cells(tmp_path / "net.onnx", n_classes=2, side=side, scale=scale))
    theirs = kind(path, model_input_size=(SIDE, SIDE), det_mode="multiclass", nms_thr=0.45, score_thr=0.3)
    mine = rtm_detector.build(weights=path, network=network, size=SIDE, least=0.3, batch=2, limit=1000)
    found_some = 0
    for frame, people in zip(frames, mine(iter(frames)), strict=True):
        boxes, classes = theirs(np.ascontiguousarray(frame[:, :, ::-1]))
        expected = boxes[classes == 0].clip(0, [180, 100, 180, 100])
        expected = expected[(expected[:, 2:] > expected[:, :2]).all(axis=1)]
        assert (np.diff(people[:, 4]) <= 0).all()
        assert (people[:, 4] > 0.3).all()
        np.testing.assert_allclose(in_order(people[:, :4]), in_order(expected), atol=1e-2)
        found_some += len(people)
    assert found_some > 10


def in_order(boxes):
    return boxes[np.lexsort(np.round(boxes, 1).T)]


def test_suppressed_inside_by_hand(tmp_path, frames):
    boxes = np.array(
        [[0, 8, 32, 16, 0.5], [16, 0, 60, 32, 0.9], [4, 4, 8, 8, 0.05], [4, 4, 8, 8, 0.8], [0, 0, 0, 0, 0]]
    )
    path = networks.suppressed(tmp_path / "net.onnx", boxes, labels=np.array([0, 0, 0, 1, 0]))
    found = list(rtm_detector.build(weights=str(path))(frames))
    assert len(found) == 5
    assert found[0].dtype == np.float32
    # 180 pixels in 64; the lower edge is cut at 100 only beyond 35.5.
    expected = np.array([[45, 0, 168.75, 90, 0.9], [0, 22.5, 90, 45, 0.5]])
    np.testing.assert_allclose(found[4], expected, rtol=1e-6)
    unlabelled = networks.suppressed(tmp_path / "b.onnx", boxes)
    assert len(next(rtm_detector.build(weights=str(unlabelled))(frames))) == 3
    assert len(next(rtm_detector.build(weights=str(unlabelled), limit=1)(frames))) == 1


def test_streams_one_batch_at_a_time(tmp_path, frames):
    read = []

    def stream():
        for i, frame in enumerate(frames):
            read.append(i)
            yield frame

    path = networks.suppressed(tmp_path / "net.onnx", np.array([[0, 8, 32, 16, 0.5]]))
    found = rtm_detector.build(weights=str(path), batch=3)(stream())
    next(found)
    assert read == [0, 1, 2]
    assert len(list(found)) == 4


def test_mistakes_are_named(tmp_path, frames, monkeypatch):
    path = networks.cells(tmp_path / "net.onnx", n_classes=1)
    with pytest.raises(InputError, match="network: found 'yolo', did you mean 'yolox'"):
        rtm_detector.build(weights=str(path), network="yolo")
    with pytest.raises(InputError, match="leaves the size of its pictures open, expected option 'size'"):
        rtm_detector.build(weights=str(path))
    pose = networks.simcc(tmp_path / "pose.onnx", n_keypoints=3, width=64, height=64)
    with pytest.raises(InputError, match=r"shape \(4, 3, 128\), expected \(B, N, 5\) or \(B, 84, 5 \+ classes\)"):
        next(rtm_detector.build(weights=str(pose))(frames))
    with pytest.raises(InputError, match="GPU"):
        rtm_detector.build(weights=str(pose), device="cuda")
    monkeypatch.setenv("AQA_WEIGHTS", str(tmp_path))
    with pytest.raises(InputError, match="aqa weights fetch yolox_m_humanart"):
        rtm_detector.build()
