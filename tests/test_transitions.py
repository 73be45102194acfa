"""Transitions worked by hand, and what the field's constant and restricted predictions come to."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aqa_pipeline.transitions import GRID, iou, labels_of, of_labels, of_steps, positions


def test_positions_of_a_clip_as_long_as_the_grid_are_its_frames():
    assert positions(GRID).tolist() == list(range(96))


def test_positions_are_spread_evenly_and_truncated():
    assert positions(191).tolist() == list(range(0, 192, 2))
    found = positions(104)  # steps of 103 / 95 = 1.0842
    assert found[:13].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13]
    assert found[-2:].tolist() == [101, 103]


def test_positions_of_a_short_clip_repeat():
    assert positions(1).tolist() == [0] * 96
    assert np.bincount(positions(2)).tolist() == [95, 1]  # only the last position reaches the second frame


def test_labels_before_the_first_step_are_unknown():
    steps = [{"sub_action": "entry", "first_frame": 5}, {"sub_action": "take_off", "first_frame": 2}]
    assert labels_of(steps, 7) == [None, None, "take_off", "take_off", "take_off", "entry", "entry"]
    assert labels_of(steps, 4) == [None, None, "take_off", "take_off"]


def test_three_steps_on_the_grid_itself():
    assert of_labels([2] * 29 + [25] * 39 + [36] * 28) == (29, 68)


def test_more_steps_fold_into_take_off_flight_and_entry():
    # forward, somersault, twist, somersault again, entry: the flight lasts from the second to the last distinct label
    labels = [1] * 20 + [15] * 10 + [30] * 10 + [15] * 16 + [36] * 40
    assert of_labels(labels) == (20, 56)


def test_a_clip_of_another_length():
    # 191 frames: every second one is looked at, so frame 57 is first seen at position 29
    assert of_labels([4] * 57 + [25] * 78 + [36] * 56) == (29, 68)


def test_a_last_label_that_returns_counts_where_it_first_appears():
    labels = [4] * 30 + [37] * 20 + [36] * 6 + [37] * 10 + [36] * 30
    assert of_labels(labels) == (30, 50)


@pytest.mark.parametrize("labels", [[1] * 96, [1] * 40 + [36] * 56, [1]])
def test_fewer_than_three_labels_have_no_transitions(labels):
    assert of_labels(labels) is None


def test_of_steps():
    steps = [{"sub_action": s, "first_frame": f} for s, f in (("Back", 0), ("2.5 Soms.Pike", 29), ("Entry", 68))]
    assert of_steps(steps, 96) == (29, 68)
    assert of_steps(np.array(steps, object), 96) == (29, 68)  # as a parquet file gives them back
    assert of_steps([], 96) is None


@pytest.mark.parametrize(
    ("steps", "n_frames"), [(None, 96), (float("nan"), 96), ([{"sub_action": "a", "first_frame": 0}], 0)]
)
def test_unknown_steps_have_no_transitions(steps, n_frames):
    assert of_steps(steps, n_frames) is None


@pytest.mark.parametrize(
    ("predicted", "true", "expected"),
    [
        ((29, 62), (29, 62), 1.0),
        ((20, 60), (30, 70), 30 / 50),
        ((30, 50), (20, 70), 20 / 50),
        ((0, 20), (50, 90), 0.0),
        ((20, 40), (40, 60), 0.0),
        ((60, 20), (20, 60), 0.0),  # turned around
        ((30, 30), (30, 30), 0.0),  # nothing to overlap
        ((np.nan, 60), (30, 70), np.nan),
        ((20, 60), (30, np.nan), np.nan),
    ],
)
def test_iou(predicted, true, expected):
    assert float(iou(np.array(predicted), np.array(true))) == pytest.approx(expected, nan_ok=True)


def test_iou_of_many_exemplars():
    predicted = np.array([[[29, 62], [20, 60]], [[30, 70], [0, 10]], [[29, 62], [30, 71]]])  # (3, 2, 2)
    found = iou(predicted, np.array([30, 70]))
    assert found.shape == (3, 2)
    np.testing.assert_allclose(found[0], [32 / 41, 30 / 50])
    np.testing.assert_allclose(found[1:, 1], [0, 40 / 41])


def test_the_constant_prediction_has_an_overlap():
    true = np.array([[29, 62], [25, 60], [40, 80], [10, 30]])
    np.testing.assert_allclose(iou(np.array([29, 62]), true), [1, 31 / 37, 22 / 51, 1 / 52])


def test_transitions_held_to_their_half_miss_little():
    true = np.array([[50, 80], [29, 62]])
    held = np.stack([np.minimum(true[:, 0], 47), np.maximum(true[:, 1], 48)], axis=1)
    np.testing.assert_allclose(iou(held, true), [30 / 33, 1])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=300))
def test_transitions_lie_on_the_grid_in_order(labels):
    found = of_labels(labels)
    distinct = len({labels[i] for i in positions(len(labels))})
    assert (found is None) == (distinct < 3)
    if found is not None:
        assert 0 < found[0] < found[1] < GRID


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 95), st.integers(0, 95)), min_size=2, max_size=2))
def test_iou_is_even_handed_and_a_share(pairs):
    one, other = (np.array(sorted(pair)) for pair in pairs)
    assert iou(one, other) == iou(other, one)
    assert 0 <= iou(one, other) <= 1


@pytest.fixture
def real(realdata):
    from aqa_pipeline.datasets import finediving

    root = realdata / "FineDiving"
    if not (root / "Annotations").is_dir():
        pytest.skip("AQA_REALDATA has no FineDiving")
    table = finediving.samples(root=root)
    lengths = table["last_frame"] - table["first_frame"] + 1
    found = [of_steps(steps, n) for steps, n in zip(table["steps"], lengths, strict=True)]
    return np.array([pair or (np.nan, np.nan) for pair in found]), (table["part"] == "test").to_numpy()


def test_real_transitions(real):
    true, test = real
    assert np.nanmean(true[~test], axis=0) == pytest.approx([28.61, 62.29], abs=0.005)
    assert (np.nanmin(true[:, 0]), np.nanmax(true[:, 0])) == (1, 58)
    assert (np.nanmin(true[:, 1]), np.nanmax(true[:, 1])) == (35, 88)
    constant = iou(np.array([29, 62]), true[test])
    assert np.nanmean(constant) == pytest.approx(0.6475, abs=0.00005)
    assert 100 * (constant >= 0.5).mean() == pytest.approx(78.50, abs=0.005)
    assert 100 * (constant >= 0.75).mean() == pytest.approx(32.44, abs=0.005)
    held = np.stack([np.minimum(true[:, 0], 47), np.maximum(true[:, 1], 48)], axis=1)
    assert ((held != true).any(axis=1)).sum() == 206
    assert np.nanmean(iou(held, true)[test]) == pytest.approx(0.9949, abs=0.0005)
