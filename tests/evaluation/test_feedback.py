import numpy as np
import pytest

from aqa_pipeline.errors import InputError
from aqa_pipeline.evaluation import feedback

T, K = 5, 3


def weights(*, to_coordinate: int) -> dict[str, np.ndarray]:
    """A score that is the mean of one coordinate of six, where it is positive."""
    slopes = np.zeros((1, 4, 2 * K))
    slopes[0, 0, to_coordinate] = T**-0.5
    return dict(slopes=slopes, intercept=np.zeros(1), transform=np.array([0]))


def test_the_slope_of_a_mean_is_the_same_in_every_frame():
    growth = feedback.slopes(weights(to_coordinate=3), np.ones((T, 2 * K), np.float32), joints=K)  # y of joint 1
    assert growth.shape == (T, K, 2)
    assert growth[:, 1, 1] == pytest.approx(1 / T)
    assert np.abs(growth).sum() == pytest.approx(1)
    turned = feedback.slopes(weights(to_coordinate=3), -np.ones((T, 2 * K)), joints=K, scale=10)
    assert turned[:, 1, 1] == pytest.approx(-10 / T)


def test_positions_are_those_of_the_run():
    with pytest.raises(InputError, match="positions of 8 columns and 4 joints, expected 6 columns"):
        feedback.slopes(weights(to_coordinate=0), np.ones((T, 8)), joints=4)
    with pytest.raises(InputError, match="6 columns and 4 joints"):
        feedback.slopes(weights(to_coordinate=0), np.ones((T, 6)), joints=4)


def test_only_the_strongest_joints_have_arrows():
    growth = np.zeros((2, K, 2))
    growth[0] = [[3, 4], [1, 0], [0, 2]]
    growth[1] = [[0, 0], [0, 1], [0, 0.5]]
    shown = feedback.arrows(growth, longest=10, strongest=2)
    assert shown[0, 0].tolist() == [6, 8]
    assert np.isnan(shown[0, 1]).all()
    assert shown[0, 2].tolist() == [0, 4]
    assert shown[1, 1].tolist() == [0, 2]


def test_it_is_said_in_words():
    growth = np.zeros((T, K, 2))
    growth[4, 2] = [-3, -4]
    growth[3, 2] = [1, 0]
    growth[1, 0] = [0.1, 2]
    names = ["left_knee", "nose", "right_wrist"]
    assert feedback.sentences(growth, names, count=2) == [
        "right wrist, frame 4: left and up (+5 a pixel)",
        "left knee, frame 1: down (+2 a pixel)",
    ]
