"""On an athlete made by hand, whose angles are known."""

import numpy as np
import pytest

from aqa_pipeline.errors import InputError
from aqa_pipeline.explanation import measured

T, FPS = 51, 25.0
BOUNDS = (0, 10, 35, T)
ABOUT = dict(keypoint_set="coco_17", fps=FPS, bounds=BOUNDS)


def test_angles_turns_and_tilt(athlete):
    found = measured.values(athlete(T, turns=1.5, arm=12, hip=40, knee=25), **ABOUT)
    assert found["knee_bend_flight"] == pytest.approx(25, abs=0.5)
    assert found["knee_bend_entry"] == pytest.approx(25, abs=0.5)
    assert found["knee_bend_take_off"] == pytest.approx(25, abs=0.5)
    assert found["hip_angle_flight"] == pytest.approx(140, abs=0.5)
    assert found["arms_from_line_entry"] == pytest.approx(12, abs=0.5)
    assert found["somersaults"] == pytest.approx(1.5, abs=0.01)
    assert found["half_twists"] == 0
    assert set(found) == set(measured.MEASURES)


def test_a_straight_body_that_turned_too_far_is_tilted_at_entry(athlete):
    for turns, degrees in ((1.5, 0.0), (1.55, 18.0), (1.45, -18.0)):
        found = measured.values(athlete(T, turns=turns, arm=0, hip=0, knee=0), **ABOUT)
        assert found["tilt_entry"] == pytest.approx(degrees, abs=1.5)


def test_half_twists_are_the_sides_that_the_camera_sees(athlete):
    points = athlete(T, turns=0.5)
    left, right = points[:, 5].copy(), points[:, 6].copy()
    middle = 0.5 * (left + right)
    across = (right - left) / np.linalg.norm(right - left, axis=1, keepdims=True)
    breadth = 8 * np.sin(np.clip((np.arange(T) - 12) / 20, 0, 1) * 3 * np.pi)[:, None]  # three half twists
    points[:, 5], points[:, 6] = middle - across * breadth, middle + across * breadth
    points[..., 2] = 1
    assert measured.values(points, **ABOUT)["half_twists"] == 3


def test_the_entry_is_where_the_elbows_are_last_seen(athlete):
    points = athlete(T)
    points[42:, :, 2] = 0.05
    assert measured.entry_of(points, BOUNDS) == 41
    assert measured.values(points, **ABOUT)["somersaults"] == pytest.approx(41 / 50, abs=0.01)


def test_nothing_seen_is_nothing_measured(athlete):
    points = np.full((T, 17, 3), np.nan)
    assert np.isnan([v for name, v in measured.values(points, **ABOUT).items() if name != "half_twists"]).all()
    assert measured.measured(points, **ABOUT, known_steps=True).keys() <= {"half_twists"}


def test_every_measure_is_given_with_its_error_or_not_at_all(athlete):
    known = measured.errors()
    assert {key: of.unit for key, of in known.items()} == {
        (name, steps): of.unit for name, of in measured.MEASURES.items() for steps in ("known", "constant")
    }
    for known_steps, steps in measured.STEPS.items():
        found = measured.measured(athlete(T, turns=1.5), **ABOUT, known_steps=known_steps)
        assert found
        for name, (value, error) in found.items():
            assert np.isfinite(value)
            assert 0 < error == known[name, steps].standard_error < known[name, steps].spread


def test_points_that_are_missing_are_named():
    with pytest.raises(InputError, match="keypoints of ui_prmd_22: expected both shoulders"):
        measured.measured(np.zeros((T, 22, 3)), keypoint_set="ui_prmd_22", fps=FPS, bounds=BOUNDS, known_steps=True)
