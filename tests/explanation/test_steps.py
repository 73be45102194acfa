import numpy as np

from aqa_pipeline.explanation import steps
from aqa_pipeline.training.variants import Rows

T, D = 40, 3


def rows(value, length=T, every=1):
    first = np.arange(0, length, every)
    return Rows(np.full((len(first), D), value) + first[:, None], first)


def test_bounds_are_those_of_the_transitions():
    # a clip of 96 frames is sampled frame by frame
    assert steps.bounds((20, 70), 96).tolist() == [0, 20, 70, 96]
    assert steps.bounds((20, 70), 96, pieces=2).tolist() == [0, 10, 20, 45, 70, 83, 96]
    assert steps.bounds((70, 20), 96).tolist() == [0, 70, 70, 96]  # a prediction may be turned around


def test_own_pieces_alone_are_the_clip_and_none_are_the_other():
    own, other = rows(100), rows(900, length=60)
    edges, of_other = np.array([0, 10, 30, T]), np.array([0, 20, 50, 60])
    whole = steps.spliced(own, edges, other, of_other, np.array([True] * 3))
    np.testing.assert_array_equal(whole.features, own.features)
    np.testing.assert_array_equal(whole.first_frames, own.first_frames)
    nothing = steps.spliced(own, edges, other, of_other, np.array([False] * 3))
    np.testing.assert_array_equal(nothing.features, other.features)
    np.testing.assert_array_equal(nothing.first_frames, other.first_frames)


def test_a_piece_of_the_other_is_as_long_as_it_is():
    own, other = rows(100, every=2), rows(900, length=60, every=4)
    edges, of_other = np.array([0, 10, 30, T]), np.array([0, 20, 50, 60])
    found = steps.spliced(own, edges, other, of_other, np.array([True, False, True]))
    assert found.features[:, 0].tolist() == [
        *range(100, 110, 2), *range(920, 950, 4), *range(130, 140, 2),
    ]  # fmt: skip
    assert found.first_frames.tolist() == [*range(0, 10, 2), *range(10, 40, 4), *range(40, 50, 2)]
