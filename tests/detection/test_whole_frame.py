"""The whole picture as the box."""

import numpy as np

from aqa_pipeline.detection import whole_frame


def test_each_frame_is_its_own_box():
    frames = (np.zeros(shape, np.uint8) for shape in [(20, 30, 3), (7, 5, 3)])
    assert [boxes.tolist() for boxes in whole_frame.build()(frames)] == [[[0, 0, 30, 20, 1]], [[0, 0, 5, 7, 1]]]
