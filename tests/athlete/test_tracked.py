"""The athlete's track among bystanders, gaps and noise. Truth is made by hand: a diver who turns and falls."""

import numpy as np
import pytest

from aqa_pipeline.athlete import largest_box, tracked
from aqa_pipeline.evaluation.pose_quality import iou

T = 48


def box(x, y, w, h, confidence):
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2, confidence]


def diver(time, confidence=0.8):
    """Turns twice a second at 25 frames/s while the camera follows loosely: the box folds and stretches."""
    width = 60 + 35 * np.cos(2 * np.pi * time / 12)
    height = 60 - 35 * np.cos(2 * np.pi * time / 12)
    return box(150 + 0.8 * time, 60 + 0.04 * time**2, width, height, confidence)


def noisy(boxes, rng, sd=1.5):
    boxes = np.array(boxes, float).reshape(-1, 5)
    boxes[:, :4] += rng.normal(0, sd, (len(boxes), 4))
    return boxes


def shared(track, seen):
    truth = np.array([diver(t) for t in seen])
    return iou(track[seen], truth)


def test_follows_the_diver_alone():
    rng = np.random.default_rng(0)
    track = tracked.select([noisy([diver(t)], rng) for t in range(T)])
    assert track.shape == (T, 5)
    assert track.dtype == np.float32
    assert (shared(track, np.arange(T)) > 0.8).all()


def test_a_still_bystander_who_is_surer_and_larger_does_not_win():
    rng = np.random.default_rng(1)
    frames = [noisy([box(240, 130, 45, 110, 0.9), diver(t, 0.8)], rng) for t in range(T)]
    assert (shared(tracked.select(frames), np.arange(T)) > 0.7).all()
    assert (shared(largest_box.select(frames), np.arange(T)) > 0.5).mean() < 0.7  # the crowd fools the simple rule


def test_bystanders_that_stream_past_the_camera_do_not_win():
    rng = np.random.default_rng(2)

    def scene(time):
        passing = [box(20 + 90 * k + 5 * time, 100, 30, 80, 0.75) for k in range(-2, 3)]
        return noisy([*passing, diver(time, 0.7)], rng)

    found = shared(tracked.select([scene(t) for t in range(T)]), np.arange(T))
    assert (found > 0.7).mean() > 0.9
    assert (found > 0.3).all()  # one of them crosses the diver


def test_one_sure_box_elsewhere_does_not_pull_the_track_away():
    rng = np.random.default_rng(3)
    frames = [noisy([diver(t, 0.6)], rng) for t in range(T)]
    for t in (10, 11, 30):
        frames[t] = np.concatenate([frames[t], [box(20, 20, 90, 90, 0.99)]])
    assert (shared(tracked.select(frames), np.arange(T)) > 0.7).all()


def test_short_gaps_are_interpolated_without_confidence():
    frames = [np.array([box(100 + 2 * t, 60, 40, 50 + t, 0.9)]) for t in range(20)]
    for t in (7, 8, 9):
        frames[t] = np.zeros((0, 5))
    track = tracked.select(frames)
    assert track[8] == pytest.approx(np.array(box(116, 60, 40, 58, 0.0)), abs=1e-3)
    assert (track[[7, 8, 9], 4] == 0).all()
    assert (track[[6, 10], 4] > 0.8).all()


def test_nothing_before_the_first_and_after_the_last_sight():
    frames = [np.array([diver(t, 0.9)]) if 6 <= t < 30 else np.array([box(30, 30, 20, 40, 0.06)]) for t in range(T)]
    track = tracked.select(frames)
    assert np.isnan(track[:6]).all()
    assert np.isnan(track[30:]).all()
    assert np.isfinite(track[6:30]).all()


def test_the_track_does_not_jump_to_a_bystander_when_the_diver_is_under_water():
    rng = np.random.default_rng(4)
    frames = [noisy([box(60, 120, 40, 90, 0.5), *([diver(t, 0.8)] if t < 30 else [])], rng) for t in range(T)]
    track = tracked.select(frames)
    assert (shared(track, np.arange(30)) > 0.8).all()
    assert np.isnan(track[30:]).all()


def test_no_athlete_at_all():
    assert np.isnan(tracked.select([np.zeros((0, 5))] * 4)).all()
    assert np.isnan(tracked.select([np.array([box(30, 30, 20, 40, 0.1)])] * 4)).all()
    assert tracked.select([]).shape == (0, 5)


def test_the_order_of_candidates_does_not_matter():
    rng = np.random.default_rng(5)
    frames = [noisy([box(240, 130, 45, 110, 0.6), diver(t, 0.8), box(30, 90, 30, 60, 0.3)], rng) for t in range(T)]
    turned = [boxes[::-1] for boxes in frames]
    assert (tracked.select(frames) == tracked.select(turned)).all()
