"""The largest box above the threshold."""

import numpy as np

from aqa_pipeline.athlete import largest_box


def test_largest_above_the_threshold_wins():
    crowd = np.array([[0, 0, 100, 100, 0.4], [5, 5, 25, 45, 0.6], [50, 10, 60, 20, 0.99]])
    none = np.array([[0, 0, 9, 9, 0.49]])
    chosen = largest_box.select([crowd, none, np.zeros((0, 5))])
    assert chosen.shape == (3, 5)
    assert chosen.dtype == np.float32
    assert chosen[0].tolist() == np.array([5, 5, 25, 45, 0.6], np.float32).tolist()
    assert np.isnan(chosen[1:]).all()
    assert largest_box.select([crowd], threshold=0.3)[0, 2] == 100


def test_no_frames():
    assert largest_box.select([]).shape == (0, 5)


def test_cuts_do_not_matter():
    frames = [np.array([[0, 0, 20, 30, 0.9]])] * 4
    assert (largest_box.select(frames, [2]) == largest_box.select(frames)).all()
