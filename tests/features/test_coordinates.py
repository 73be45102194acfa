import numpy as np
import pytest

from aqa_pipeline.errors import InputError
from aqa_pipeline.features import coordinates


def test_x_and_y_over_the_frame_size_and_zero_without_an_athlete():
    keypoints = np.array(
        [[[32.0, 9.0, 0.7], [64.0, 18.0, 0.1]], [[np.nan] * 3] * 2, [[0.0, 90.0, 1.0], [160.0, 45.0, 1.0]]]
    )
    features = coordinates.build()(keypoints, width=320, height=90, fps=25.0, keypoint_set="coco_17")  # (3, 2, 3)
    expected = [[0.1, 0.1, 0.2, 0.2], [0, 0, 0, 0], [0, 1, 0.5, 0.5]]
    assert features == pytest.approx(np.array(expected))
    assert coordinates.build(points=1)(keypoints, width=320, height=90).shape == (3, 2)


def test_the_frame_size_must_be_known():
    with pytest.raises(InputError, match="frame of 0 x 0"):
        coordinates.build()(np.zeros((2, 17, 3)))
    with pytest.raises(InputError, match="4 channels of kimore_18"):
        coordinates.build()(np.zeros((2, 18, 4)), width=10, height=10, keypoint_set="kimore_18")
