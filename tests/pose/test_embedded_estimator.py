"""The estimator: places come back in picture pixels whatever the box, and frames without a box stay empty."""

import numpy as np
import pytest
import torch

from aqa_pipeline import weights
from aqa_pipeline.backbones import heatmap_net
from aqa_pipeline.errors import InputError
from aqa_pipeline.pose import embedded

T, K, SIZE = 5, 17, 64


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Weights of an untrained small network."""
    torch.manual_seed(3)
    options = {**heatmap_net.tiny, "n_keypoints": K}
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    facts = dict(network="heatmap_net", options=options, keypoint_set="coco_17", input_size=SIZE)
    facts |= dict(sigma=2.0, dark_kernel=11)
    weights.save(path, heatmap_net.build(**options).state_dict(), **facts)
    return str(path)


@pytest.fixture
def clip():
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (T, 70, 110, 3), np.uint8)
    boxes = np.array([[20, 10, 60, 50, 0.9]] * T, np.float32) + np.arange(T)[:, None]
    boxes[2] = np.nan
    return frames, boxes


def bright_spots(estimator, monkeypatch):
    """Replace the network by one that takes how red a cell of the crop is for its chance, for every keypoint."""

    class Redness:
        stride = 4

        def __call__(self, crops):
            red = torch.nn.functional.avg_pool2d((crops[:, :1] + 1) / 2, 4)
            return red.clamp(min=1e-9).log().expand(-1, K, -1, -1), torch.full((len(crops), K), -30.0)

    monkeypatch.setattr(estimator._look, "network", Redness())
    return estimator


def test_shapes_missing_boxes_and_the_same_answer_twice(path, clip):
    frames, boxes = clip
    estimator = embedded.build(weights=path, batch=3)
    found = estimator(frames, boxes)
    assert estimator.keypoint_set == "coco_17"
    assert found.shape == (T, K, 3)
    assert found.dtype == np.float32
    assert np.isnan(found[2]).all()
    assert np.isfinite(np.delete(found, 2, axis=0)).all()
    assert np.array_equal(found, estimator(frames, boxes), equal_nan=True)


def test_batches_do_not_change_the_answer(path, clip):
    frames, boxes = clip
    answers = [embedded.build(weights=path, batch=batch)(frames, boxes) for batch in (1, 2, 4)]
    assert answers[1] == pytest.approx(answers[0], abs=1e-2, nan_ok=True)
    assert answers[2] == pytest.approx(answers[0], abs=1e-2, nan_ok=True)


@pytest.mark.parametrize(("rotations", "refine"), [(1, 0), (1, 2), (3, 0), (5, 1)])
def test_a_spot_is_found_in_picture_pixels(path, monkeypatch, rotations, refine):
    y, x = np.mgrid[:90, :140]
    frames, spots = [], [(50, 40), (62.5, 51), (71, 33.25)]
    for sx, sy in spots:
        frame = np.zeros((90, 140, 3), np.uint8)
        frame[..., 0] = 250 * np.exp(-((x - sx) ** 2 + (y - sy) ** 2) / (2 * 6**2))
        frames.append(frame)
    boxes = np.array([[30, 20, 80, 60, 1], [30, 20, 90, 60, 1], [40, 10, 90, 70, 1]])
    estimator = bright_spots(embedded.build(weights=path, rotations=rotations, refine=refine), monkeypatch)
    found = estimator(frames, boxes)
    assert found[:, 0, :2] == pytest.approx(np.array(spots), abs=0.4)
    assert (found[:, 7, 2] > 0.3).all()


def test_plain_decoding_is_coarser(path, monkeypatch):
    frame = np.zeros((90, 140, 3), np.uint8)
    y, x = np.mgrid[:90, :140]
    frame[..., 0] = 250 * np.exp(-((x - 61.6) ** 2 + (y - 43) ** 2) / (2 * 6**2))
    boxes = np.array([[30.0, 10, 94, 74, 1]])
    gaps = {}
    for dark in (True, False):
        estimator = bright_spots(embedded.build(weights=path, dark=dark), monkeypatch)
        gaps[dark] = abs(estimator([frame], boxes)[0, 0, 0] - 61.6)
    assert gaps[True] < 0.4 < gaps[False]


def test_weights_of_another_set_are_refused(path):
    with pytest.raises(InputError, match="expected keypoint_set 'coco_wholebody_133'"):
        embedded.build(weights=path, keypoint_set="coco_wholebody_133")
    with pytest.raises(InputError, match="no keypoint set"):
        embedded.build(keypoint_set="coco_18")
