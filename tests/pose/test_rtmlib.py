"""The RTMPose back end gives what rtmlib's own class gives, and refuses networks that are something else."""

import networks
import numpy as np
import pytest

from aqa_pipeline.errors import InputError
from aqa_pipeline.layers import crops
from aqa_pipeline.pose import rtmlib

T, K, WIDTH, HEIGHT = 5, 17, 24, 32


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx")
    return str(networks.simcc(folder / "small.onnx", n_keypoints=K, width=WIDTH, height=HEIGHT))


@pytest.fixture(scope="module")
def theirs(path):
    from rtmlib import RTMPose

    return RTMPose(path, model_input_size=(WIDTH, HEIGHT), backend="onnxruntime")


@pytest.fixture
def clip():
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (T, 7, 11, 3), np.uint8)
    frames = coarse.repeat(10, axis=1).repeat(10, axis=2)
    boxes = np.array([[20, 10, 60, 50, 0.9]] * T, np.float32) + np.arange(T)[:, None] * [3, 1, 4, -1, 0]
    boxes[2] = np.nan
    return frames, boxes.astype(np.float32)


def test_identical_to_rtmlib_on_the_same_crops(path, theirs, clip):
    frames, _ = clip
    pictures = np.stack([frame[5 : 5 + HEIGHT, 9 : 9 + WIDTH] for frame in frames])
    found = rtmlib._Look(path, device="cpu")(pictures)
    for picture, mine in zip(pictures, found, strict=True):
        outputs = theirs.inference((picture - theirs.mean) / theirs.std)
        size = np.array([WIDTH, HEIGHT], np.float32)
        points, scores = theirs.postprocess(outputs, size / 2, size)
        np.testing.assert_allclose(mine[:, :2], points[0], atol=1e-4)
        np.testing.assert_allclose(mine[:, 2], scores[0], rtol=1e-4)


def test_identical_to_rtmlib_from_picture_to_picture(path, theirs, clip):
    frames, boxes = clip
    found = rtmlib.build(weights=path, batch=2)(frames, boxes)
    assert found.shape == (T, K, 3)
    assert found.dtype == np.float32
    assert np.isnan(found[2]).all()
    bin_size = 0.5 * 1.25 * 60 / WIDTH  # in the picture, of the largest box
    for t in (0, 1, 3, 4):
        points, scores = theirs(frames[t], [boxes[t, :4].tolist()])
        far = np.abs(found[t, :, :2] - points[0]).max(axis=1)
        assert np.mean(far < 1e-3) > 0.9  # a tie between two bins may fall the other way
        assert np.median(far) < bin_size
        np.testing.assert_allclose(found[t, :, 2], scores[0], rtol=0.02)


def test_a_network_for_one_picture_gets_one_at_a_time(path, clip, tmp_path):
    one = networks.simcc(tmp_path / "one.onnx", n_keypoints=K, width=WIDTH, height=HEIGHT, batch=1)
    frames, boxes = clip
    expected = rtmlib.build(weights=path)(frames, boxes)
    np.testing.assert_allclose(rtmlib.build(weights=str(one))(frames, boxes), expected, rtol=1e-4)


def test_where_an_axis_is_highest_is_the_keypoint(path, monkeypatch):
    """By hand: bins 7 and 20 of half a pixel are 3.5 and 10 pixels of the crop."""
    look = rtmlib._Look(path, device="cpu")
    along_x, along_y = np.zeros((1, K, 2 * WIDTH), np.float32), np.zeros((1, K, 2 * HEIGHT), np.float32)
    along_x[0, 4, 7], along_y[0, 4, 20] = 0.5, 0.75
    monkeypatch.setattr(look, "network", lambda pictures: [along_x, along_y])
    found = look(np.zeros((1, HEIGHT, WIDTH, 3), np.uint8))
    assert found[0, 4].tolist() == [3.5, 10, 0.625]


def test_crops_are_rtmlibs(clip):
    from rtmlib.tools.pose_estimation.pre_processings import bbox_xyxy2cs, get_warp_matrix

    _, boxes = clip
    box = boxes[:1, :4].astype(np.float64)
    centre, extent = bbox_xyxy2cs(box[0], padding=1.25)
    width = max(extent[0], extent[1] * WIDTH / HEIGHT)
    theirs = get_warp_matrix(centre, np.array([width, width * HEIGHT / WIDTH]), 0, (WIDTH, HEIGHT))
    middle, sides = crops.regions(box, aspect=WIDTH / HEIGHT, padding=1.25)
    mine = crops.matrices(middle, sides, size=(WIDTH, HEIGHT), corners=True)[0]
    np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_other_networks_are_refused(path, tmp_path):
    with pytest.raises(InputError, match="gives 17 keypoints, expected the 133 of coco_wholebody_133"):
        rtmlib.build(weights=path, keypoint_set="coco_wholebody_133")
    with pytest.raises(InputError, match=r"has SHA-256 .*, expected 00ff"):
        rtmlib.build(weights=path, sha256="00ff")
    other = networks.cells(tmp_path / "cells.onnx", n_classes=2, side=64)
    with pytest.raises(InputError, match="expected SimCC"):
        rtmlib.build(weights=str(other))
    (tmp_path / "broken.onnx").write_bytes(b"no network")
    with pytest.raises(InputError, match=r"broken\.onnx: cannot be read as an ONNX network"):
        rtmlib.build(weights=str(tmp_path / "broken.onnx"))
    open_sized = networks.cells(tmp_path / "open.onnx", n_classes=2)
    with pytest.raises(InputError, match="leaves the size of its pictures open"):
        rtmlib.build(weights=str(open_sized))


def test_weights_that_are_not_here_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("AQA_WEIGHTS", str(tmp_path))
    with pytest.raises(InputError, match=r"rtmpose_m_body7.*aqa weights fetch rtmpose_m_body7") as caught:
        rtmlib.build()
    assert len(str(caught.value).splitlines()) == 1
