import numpy as np
import pytest

from aqa_pipeline import keypoint_sets
from aqa_pipeline.errors import InputError
from aqa_pipeline.features import positions


def test_pixels_from_the_nose():
    keypoints = np.zeros((3, 17, 3))
    keypoints[:, 0] = [[10, 20, 0.9], [12, 20, 0.9], [14, 20, 0.9]]
    keypoints[:, 16] = [[13, 25, 0.9], [np.nan, np.nan, np.nan], [19, 20, 0.9]]  # seen at 13, 25 and 19, 20: between
    found = positions.build()(keypoints, keypoint_set="coco_17", fps=25.0, width=64, height=48)
    assert found.dtype == np.float32
    assert found.shape == (3, 34)
    assert (found[:, :2] == 0).all()
    assert found[:, 32:].tolist() == [[3, 5], [4, 2.5], [5, 0]]
    assert found[0, 2:4].tolist() == [-10, -20]


def test_three_coordinates_in_another_unit():
    neck = keypoint_sets.get("kimore_18").index("neck")
    keypoints = np.ones((2, 18, 4))
    keypoints[:, neck, :3] = [0.5, 1.0, 3.0]
    found = positions.build(origin="neck", scale=100)(keypoints, keypoint_set="kimore_18", fps=30.0)
    assert found.shape == (2, 54)
    assert found[1, :3].tolist() == [50, 0, -200]


def test_uncertain_points_are_interpolated():
    keypoints = np.ones((3, 17, 3))
    keypoints[1, 5] = [90, 90, 0.2]
    found = positions.build(min_confidence=0.3)(keypoints, keypoint_set="coco_17")
    assert (found == 0).all()


def test_mistakes_are_named():
    with pytest.raises(InputError, match="'kimore_18' has no 'nose'"):
        positions.build()(np.ones((2, 18, 4)), keypoint_set="kimore_18")
    with pytest.raises(InputError, match=r"positions.scale: found 0"):
        positions.build(scale=0)
