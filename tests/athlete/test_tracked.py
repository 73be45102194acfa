"""The athlete's track among bystanders, gaps and noise. Truth is made by hand: a diver who turns and falls."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aqa_pipeline.athlete import largest_box, tracked
from aqa_pipeline.errors import InputError
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
    frames = [np.array([box(100 + 2 * t, 60, 40, 50 + 2 * t, 0.9)]) for t in range(20)]
    for t in (7, 8, 9):
        frames[t] = np.zeros((0, 5))
    track = tracked.select(frames)
    assert track[8] == pytest.approx(np.array(box(116, 60, 40, 66, 0.0)), abs=1e-3)
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


def person(rng, confidence=0.95):
    """One who stands there, by a detector that shakes a little."""
    return noisy([box(240, 130, 45, 110, confidence)], rng)


def test_one_who_only_stands_is_no_athlete_however_sure():
    rng = np.random.default_rng(6)
    assert np.isnan(tracked.select([person(rng) for _ in range(T)])).all()
    assert np.isfinite(tracked.select([person(rng) for _ in range(T)], least_activity=0.0)).all()


def test_bystanders_who_stand_all_the_time_do_not_win_against_a_diver_often_missed():
    rng = np.random.default_rng(7)
    seen = rng.random(T) > 0.3
    frames = [np.concatenate([person(rng), *([noisy([diver(t, 0.6)], rng)] if seen[t] else [])]) for t in range(T)]
    assert (shared(tracked.select(frames), np.flatnonzero(seen)) > 0.7).all()


def test_the_diver_who_waits_on_the_board_is_kept():
    rng = np.random.default_rng(8)
    waiting = [noisy([box(245, 60, 35, 95, 0.8)], rng, sd=1.0) for _ in range(20)]
    track = tracked.select([*waiting, *(noisy([diver(t)], rng) for t in range(30))])
    assert np.isfinite(track[20:]).all()
    assert (shared(track[20:], np.arange(30)) > 0.7).all()
    joined = [*(noisy([box(150, 60, 50, 90, 0.8)], rng, sd=1.0) for _ in range(20)), *([diver(t)] for t in range(30))]
    assert np.isfinite(tracked.select(joined)).all()  # the flight begins where he stood


def test_no_track_crosses_a_cut():
    rng = np.random.default_rng(9)
    frames = [noisy([diver(t)], rng) for t in range(T)]
    track = tracked.select([*frames[:20], np.zeros((0, 5)), np.zeros((0, 5)), *frames[20:]], cuts=[21])
    assert np.isnan(track[20:22]).all()  # without the cut they would be filled
    assert np.isfinite(tracked.select([*frames[:20], np.zeros((0, 5)), np.zeros((0, 5)), *frames[20:]])).all()
    assert np.isfinite(track[[19, 22]]).all()


def test_a_portrait_before_the_cut_is_no_athlete_and_a_second_view_is():
    rng = np.random.default_rng(10)
    portrait = [noisy([box(160, 120, 150, 220, 0.99)], rng) for _ in range(25)]
    dive = [noisy([diver(t)], rng) for t in range(40)]
    track = tracked.select([*portrait, *dive, *dive], cuts=[25, 65])
    assert np.isnan(track[:25]).all()
    assert (shared(track[25:65], np.arange(40)) > 0.7).all()
    assert (shared(track[65:], np.arange(40)) > 0.7).all()


def test_a_splash_and_no_diver_is_no_athlete():
    rng = np.random.default_rng(11)
    splash = [noisy([box(150, 150, 30 + 2 * t, 40 + 2.4 * t, 0.4)] if t < 6 else [], rng) for t in range(30)]
    assert np.isnan(tracked.select(splash)).all()


def test_the_whole_picture_is_given_and_not_judged():
    frames = [np.array([[0, 0, 320, 180, 1.0]])] * 7
    assert (tracked.select(frames) == np.float32([0, 0, 320, 180, 1])).all()


def partner(time, confidence=0.8, apart=95):
    """Does as the diver does, beside, one frame later."""
    return (np.array(diver(time - 1, confidence)) + np.array([apart, 2, apart, 2, 0])).tolist()


def pair_truth(n_frames=T, apart=95):
    return np.array([[diver(t) for t in range(n_frames)], [partner(t, apart=apart) for t in range(n_frames)]])


def test_two_divers_side_by_side():
    rng = np.random.default_rng(12)
    frames = [noisy([partner(t), box(60, 150, 30, 80, 0.7), diver(t)], rng) for t in range(T)]
    both = tracked.select(frames, athletes=2)
    assert both.shape == (2, T, 5)
    for found, true in zip(both, pair_truth(), strict=True):
        assert (iou(found, true) > 0.7).all()
    assert tracked.select(frames).shape == (T, 5)


def test_divers_often_missed_do_not_change_places():
    rng = np.random.default_rng(13)
    frames = [noisy([d for d in (diver(t), partner(t)) if rng.random() > 0.3], rng) for t in range(T)]
    both = tracked.select(frames, athletes=2)
    for found, true in zip(both, pair_truth(), strict=True):
        seen = found[:, 4] > 0
        assert (iou(found, true)[seen] > 0.6).all()
        assert seen.mean() > 0.6


def test_one_box_over_both_is_parted():
    rng = np.random.default_rng(14)
    truth = pair_truth(apart=60)
    frames = [noisy([diver(t), partner(t, apart=60)], rng) for t in range(T)]
    for t in (12, 13, 25, 26, 27):
        one, other = truth[:, t]
        frames[t] = noisy([[*np.minimum(one[:2], other[:2]), *np.maximum(one[2:4], other[2:4]), 0.9]], rng)
    both = tracked.select(frames, athletes=2)
    for found, true in zip(both, truth, strict=True):
        assert (iou(found, true)[[12, 13, 25, 26, 27]] > 0.5).all()
        assert (iou(found, true) > 0.5).all()


def test_a_diver_alone_has_no_partner():
    rng = np.random.default_rng(15)
    alone = [noisy([diver(t), box(240, 130, 45, 110, 0.9)], rng) for t in range(T)]
    both = tracked.select(alone, athletes=2)
    assert (shared(both[0], np.arange(T)) > 0.7).all()
    assert np.isnan(both[1]).all()
    assert np.isnan(tracked.select([np.zeros((0, 5))] * 4, athletes=2)).all()


def test_one_or_two_athletes():
    with pytest.raises(InputError, match="athletes: 3, expected 1 or 2"):
        tracked.select([], athletes=3)


corners = arrays(np.float64, st.tuples(st.integers(0, 3), st.just(5)), elements=st.floats(0, 1))


@settings(max_examples=40, deadline=None)
@given(st.lists(corners, max_size=12), st.lists(st.integers(-2, 14), max_size=3), st.sampled_from([1, 2]))
def test_any_boxes_give_whole_tracks(boxes, cuts, athletes):
    frames = [np.concatenate([b[:, :2] * 90, b[:, :2] * 90 + 1 + b[:, 2:4] * 60, b[:, 4:]], axis=1) for b in boxes]
    found = tracked.select(frames, cuts, athletes=athletes)
    assert found.shape == ((2, len(boxes), 5) if athletes == 2 else (len(boxes), 5))
    assert found.dtype == np.float32
    given_box = np.isfinite(found)
    assert (given_box.all(axis=-1) == given_box.any(axis=-1)).all()
