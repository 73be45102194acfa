"""Boxes and keypoints against truth, by hand."""

import numpy as np
import pytest

from aqa_pipeline.evaluation import pose_quality

NAN5 = [np.nan] * 5


def test_iou_by_hand():
    boxes = np.array([[0, 0, 4, 2, 0.9], [0, 0, 4, 2, 0.9], [0, 0, 4, 2, 0.9], NAN5])
    truth = np.array([[0, 0, 4, 2], [2, 0, 6, 2], [9, 9, 10, 10], [0, 0, 1, 1]])
    assert pose_quality.iou(boxes, truth).tolist() == pytest.approx([1, 4 / 12, 0, 0])


def test_recall_asks_only_where_there_is_an_athlete_and_counts_missing_boxes_as_misses():
    truth = np.array([[0, 0, 4, 2.0], [0, 0, 4, 2], [np.nan] * 4, [0, 0, 4, 2], [0, 0, 4, 2]])
    boxes = np.array([[0, 0, 4, 2, 1.0], NAN5, [0, 0, 4, 2, 1], [0, 0, 2, 2, 1], [3, 0, 7, 2, 1]])
    assert pose_quality.recall(boxes, truth) == pytest.approx(2 / 4)  # the fourth meets it exactly
    assert pose_quality.recall(boxes, truth, at=0.6) == pytest.approx(1 / 4)
    assert pose_quality.recall(boxes, truth, chosen=[True, False, True, True, False]) == 1.0
    assert np.isnan(pose_quality.recall(boxes, truth, chosen=[False] * 5))


def test_errors_and_pck_by_hand():
    truth = np.array([[[0, 0], [10, 0], [np.nan, np.nan]], [[5, 5], [5, 5], [5, 5.0]]])
    found = np.array([[[3, 4, 0.9], [10, 1, 0.9], [0, 0, 0.9]], [[5, 5, 1], [np.nan] * 3, [5, 15, 1.0]]])
    gaps = pose_quality.errors(found, truth)
    assert gaps[0].tolist() == pytest.approx([5, 1, np.nan], nan_ok=True)
    assert gaps[1].tolist() == [0, np.inf, 10]
    # Sizes 20 and 60: thresholds of 0.2 are 4 and 12 pixels. Right: 1, 0 and 10 of five.
    assert pose_quality.pck(gaps, np.array([20, 60]), threshold=0.2) == pytest.approx(3 / 5)
    assert pose_quality.pck(gaps, np.array([20, 60]), threshold=0.1) == pytest.approx(2 / 5)


def test_oks_by_hand():
    # Area 100, sigma 0.05: k = 0.1, 2 s^2 k^2 = 2. An error of sqrt(2) gives exp(-1), of 0 gives 1, a miss 0.
    gaps = np.array([[np.sqrt(2), 0, np.inf], [np.nan, 0, np.nan], [np.nan] * 3])
    likeness = pose_quality.oks(gaps, np.array([100, 100, 100]), [0.05, 0.05, 0.05])
    assert likeness.tolist() == pytest.approx([(np.exp(-1) + 1) / 3, 1, np.nan], nan_ok=True)


NAMES = ("left_hip", "right_hip", "nose", "left_shoulder", "right_shoulder")


def body(shoulders, hips):
    return [[4, hips], [6, hips], [5, shoulders], [4, shoulders], [6, shoulders]]


def test_upside_down():
    assert pose_quality.upside_down(np.array([body(0, 10), body(10, 0)]), NAMES).tolist() == [False, True]


def test_detection_report():
    truth = np.array([[0, 0, 4, 2.0], [0, 0, 4, 2], [np.nan] * 4, [np.nan] * 4])
    boxes = np.array([[0, 0, 4, 2, 1.0], [0, 0, 2, 2, 1.0], NAN5, [0, 0, 1, 1, 1]])
    rows = pose_quality.detection_report(boxes, truth, {"in_flight": np.array([False, True, False, False])})
    table = {(row["metric"], row["group"]): (row["value"], row["n"]) for row in rows}
    assert table == {
        ("recall_iou_50", "all"): (1.0, 2),
        ("mean_iou", "all"): (0.75, 2),
        ("false_box_rate", "all"): (0.5, 2),
        ("recall_iou_50", "in_flight"): (1.0, 1),
        ("mean_iou", "in_flight"): (0.5, 1),
    }


def test_keypoint_report_tells_upside_down_frames_and_parts_apart():
    truth = np.array([body(0, 20), body(20, 0), body(0, 20)], float)
    found = np.concatenate([truth, np.ones((3, 5, 1))], axis=-1)
    found[1, 2, 0] += 3  # 3 pixels off in the inverted frame: beyond 0.1 of 20, within 0.2
    boxes = np.array([[0, 0, 10, 20]] * 3)
    rows = pose_quality.keypoint_report(
        found,
        truth,
        boxes,
        names=NAMES,
        sigmas=[0.1] * 5,
        groups={"last": np.array([False, False, True])},
        parts={"nose": [2]},
    )
    table = {(row["metric"], row["group"]): row["value"] for row in rows}
    assert table["pck_20", "all"] == 1
    assert table["pck_10", "all"] == pytest.approx(14 / 15)
    assert table["pck_10", "all_upside_down"] == pytest.approx(4 / 5)
    assert table["pck_10_nose", "all_upside_down"] == 0
    assert table["median_error_px_nose", "all_upside_down"] == 3
    assert table["median_error_of_box_nose", "all_upside_down"] == pytest.approx(3 / 20)
    assert table["pck_10", "last"] == 1
    assert np.isnan(table["pck_10", "last_upside_down"])
    # One of five points off by 3: area 0.53 x 200, k = 0.2.
    assert table["oks", "all_upside_down"] == pytest.approx((4 + np.exp(-9 / (2 * 106 * 0.04))) / 5)
