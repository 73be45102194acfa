"""Paths whose outliers, gaps and swaps are known because they were made here."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from aqa_pipeline import keypoint_sets
from aqa_pipeline.errors import InputError
from aqa_pipeline.trajectories import body_size, filters, outliers, runs, shots, swaps

T, K, C = 19, 3, 2
COCO = keypoint_sets.get("coco_17")


def straight(n_frames=T):
    """Three points 40 pixels apart that move 2 and 3 pixels a frame."""
    at = np.arange(n_frames)[:, None, None] * np.array([2.0, 3.0])
    return at + np.arange(K)[:, None] * np.array([0.0, 40.0])


def noisy(seed=5, n_frames=200):
    rng = np.random.default_rng(seed)
    return straight(n_frames), straight(n_frames) + rng.normal(0, 1, (n_frames, K, C))


SMOOTH = {
    "savgol": lambda x, cuts=(): filters.savgol(x, window=5, cuts=cuts),
    "median": lambda x, cuts=(): filters.median(x, window=5, cuts=cuts),
    "butterworth": lambda x, cuts=(): filters.butterworth(x, cutoff=4.0, fps=25.0, cuts=cuts),
}


def test_shots_and_runs():
    assert shots(9, [4, 0, 4, 9, 7]) == [slice(0, 4), slice(4, 7), slice(7, 9)]
    assert list(runs(np.array([True, False, True, True]))) == [(0, 1), (2, 4)]
    assert list(runs(np.zeros(3, bool))) == []


def test_the_size_of_a_body_is_its_longest_side():
    assert body_size(straight()) == 80
    assert body_size(np.full((4, K, C), np.nan)) == 1


def test_hampel_rejects_a_spike_and_nothing_else():
    _, path = noisy()
    path[50, 1] += 40
    rejected = outliers.hampel(path, limit=6.0)
    assert rejected[50, 1]
    assert rejected.sum() == 1


def test_hampel_looks_at_each_shot_alone():
    path = np.where(np.arange(T)[:, None, None] == 9, 300.0, 0.0) + straight()  # one frame of another shot
    assert np.flatnonzero(outliers.hampel(path, limit=6.0).all(axis=1)).tolist() == [9]
    assert not outliers.hampel(path, limit=6.0, cuts=[9, 10]).any()


def test_a_spike_is_too_fast_both_ways_and_a_step_is_not():
    path = straight()
    path[6, 0, 0] += 30  # 30 pixels are 0.375 of the body, 9.4 body sizes a second
    path[11:, 2, 0] += 30
    rejected = outliers.spikes(path, speed=8.0, fps=25.0)
    assert np.argwhere(rejected).tolist() == [[6, 0]]
    assert not outliers.spikes(path, speed=8.0, fps=10.0).any()  # the same pixels in more time
    path[[5, 7], 0] = np.nan  # three frames for one are half the speed: seen from frame 4 and 8
    assert not outliers.spikes(path, speed=8.0, fps=25.0).any()


@pytest.mark.parametrize("how", ["linear", "pchip"])
def test_short_gaps_are_closed_on_the_line_and_long_ones_and_ends_are_not(how):
    path = straight()
    path[:2, 0] = path[5:8, 0] = path[17:, 0] = np.nan
    path[4:8, 1] = np.nan
    filled = filters.fill(path, longest=3, how=how)
    np.testing.assert_allclose(filled[2:17, 0], straight()[2:17, 0])
    assert np.isnan(filled[[0, 1, 17, 18], 0]).all()
    assert np.isnan(filled[4:8, 1]).all()
    assert np.isnan(filters.fill(path, longest=3, how=how, cuts=[6])[5:8, 0]).all()


@pytest.mark.parametrize("name", SMOOTH)
@given(
    missing=hnp.arrays(bool, (T, K)),
    speed=hnp.arrays(float, C, elements=st.floats(-50, 50)),
    cuts=st.lists(st.integers(1, T - 1), max_size=3),
)
@settings(max_examples=40, deadline=None)
def test_constant_motion_is_unchanged_whatever_is_missing(name, missing, speed, cuts):
    path = np.arange(T)[:, None, None] * speed + np.arange(K)[:, None] * 7.0
    path[missing] = np.nan
    before = path.copy()
    np.testing.assert_allclose(SMOOTH[name](path, cuts), before, atol=1e-6)
    np.testing.assert_array_equal(path, before)  # the input stays as it is


@pytest.mark.parametrize("name", SMOOTH)
def test_noise_gets_less_and_the_path_stays(name):
    true, path = noisy()
    noise = path - true  # of a body that rests: a median of fast paths is worth less
    assert np.abs(SMOOTH[name](noise)).mean() < 0.7 * np.abs(noise).mean()


@pytest.mark.parametrize("name", SMOOTH)
def test_no_filter_mixes_two_shots(name):
    _, path = noisy(n_frames=T)
    changed = path.copy()
    changed[9:] += 500
    kept = [SMOOTH[name](clip, cuts=[9])[:9] for clip in (path, changed)]
    np.testing.assert_array_equal(*kept)


def test_butterworth_halves_the_power_at_its_cut_off():
    time = np.arange(500) / 50.0
    wave = np.sin(2 * np.pi * 5 * time)[:, None, None]
    passed = filters.butterworth(wave, cutoff=5.0, fps=50.0)
    assert np.var(passed[100:400]) / np.var(wave) == pytest.approx(0.5, abs=0.01)
    with pytest.raises(InputError, match="found 13 Hz, expected less than half of the 25 frames a second"):
        filters.butterworth(wave, cutoff=13, fps=25)


def turning(n_frames=40, rate=1.5, fps=25.0):
    """A body of 17 points that twists at `rate` turns a second, so that its sides cross in the picture."""
    side = np.array([0.0 if n == "nose" else 12.0 if n.startswith("left") else -12.0 for n in COCO.names])
    height = np.linspace(0, 90, 17)
    angle = 2 * np.pi * rate * np.arange(n_frames) / fps
    return np.stack([200 + side * np.cos(angle)[:, None], np.broadcast_to(height, (n_frames, 17))], axis=2)


@pytest.mark.parametrize("of", ["limbs", "body"])
def test_sides_that_cross_in_a_twist_are_not_swapped(of):
    assert not swaps.swapped(turning(), COCO, of=of).any()


def test_swapped_legs_are_found_and_mended():
    path = turning(rate=0.3)
    wrong = path.copy()
    legs = [COCO.index(f"{side}_{joint}") for joint in ("hip", "knee", "ankle") for side in ("left", "right")]
    exchanged = [COCO.flipped[k] for k in legs]
    wrong[7:11, legs] = path[7:11, exchanged]
    wrong[[3, 30], 15] = np.nan
    which = swaps.swapped(wrong, COCO, of="limbs")
    assert np.flatnonzero(which.any(axis=1)).tolist() == [7, 8, 9, 10]
    assert np.flatnonzero(which[8]).tolist() == sorted(legs)
    path[[3, 30], 15] = np.nan
    np.testing.assert_array_equal(swaps.mended(wrong, which, COCO), path)


def test_a_swap_from_a_cut_to_the_end_is_no_swap_by_itself():
    path = turning(rate=0.0)
    path[30:] = path[30:, list(COCO.flipped)]
    assert swaps.swapped(path, COCO, of="body")[30:].any(axis=1).all()
    assert not swaps.swapped(path, COCO, of="body", cuts=[30]).any()  # filmed from the other side


@pytest.mark.parametrize("name", keypoint_sets.available())
def test_every_pair_belongs_to_one_group(name):
    points = keypoint_sets.get(name)
    grouped = np.concatenate([*swaps.groups(points, "limbs"), np.empty((0, 2), int)])
    assert sorted(map(tuple, grouped.tolist())) == sorted(points.flip_pairs)
