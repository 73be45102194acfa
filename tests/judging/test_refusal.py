"""Who is turned away: as many of those that belong as is said, and those that do not."""

import numpy as np
import pandas as pd
import pytest

from aqa_pipeline.judging import refusal

N, T, D = 200, 7, 3


def clips(n, seed, shift=0.0):
    rng = np.random.default_rng(seed)
    return [rng.normal(rng.normal(shift, 1, D), 1, (T, D)) for _ in range(n)]


def familiar(n=N, poses=None):
    ids = [f"v{i}" for i in range(n)]
    poses = pd.DataFrame(columns=list(refusal.POSES)) if poses is None else poses
    return refusal.Familiar(poses, {"motion": (ids, refusal.Space(clips(n, 0)))})


def test_videos_like_those_of_training_are_declined_as_rarely_as_is_said():
    usual = familiar()
    passed = []
    for sequence in clips(1000, 1):
        (check,) = usual.checks({}, {"motion": usual.spaces["motion"].place(sequence)[0]})
        passed.append(check.passed)
    assert check.error_rate == pytest.approx(2 / 201)
    assert 1 - np.mean(passed) == pytest.approx(check.error_rate, abs=0.012)
    assert usual.error_rate <= 0.01


def test_a_video_unlike_any_is_declined_with_its_number():
    usual = familiar()
    (far,) = usual.checks({}, {"motion": usual.spaces["motion"].place(clips(1, 2, shift=9.0)[0])[0]})
    assert not far.passed
    assert far.beyond == 0
    assert far.value > far.limit
    assert far.reason.startswith("it moves like nothing in the training videos: features motion ")
    assert far.reason.endswith("; as far out: 0 of 200 training videos")


def test_sixteen_videos_decline_only_what_lies_beyond_all_of_them():
    usual = familiar(16)
    distances = usual.spaces["motion"].distances
    beside, beyond = (usual.checks({}, {"motion": distances.max() * by})[0] for by in (1.0, 1.001))
    assert beside.passed
    assert not beyond.passed
    assert beyond.error_rate == pytest.approx(1 / 17)


def test_features_that_are_no_numbers_lie_nowhere():
    usual = familiar()
    distance, near = usual.spaces["motion"].place(np.full((T, D), np.nan))
    assert distance == np.inf
    assert len(near) == 0
    assert not usual.checks({}, {"motion": distance})[0].passed


def test_the_nearest_are_found_and_a_training_video_is_not_its_own_neighbour():
    sequences = clips(N, 0)
    space = refusal.Space(sequences)
    assert space.place(sequences[5])[1][0] == 5
    assert (space.neighbours != np.arange(N)[:, None]).all()


def test_training_videos_in_one_place_are_each_others_neighbours():
    one, *others = clips(N, 0)
    n_alike = refusal.NEIGHBOURS + 3
    space = refusal.Space([one] * n_alike + others)
    assert space.neighbours.shape == (n_alike + N - 1, refusal.NEIGHBOURS)
    assert (space.neighbours != np.arange(n_alike + N - 1)[:, None]).all()
    assert (space.neighbours[:n_alike] < n_alike).all()
    assert (space.distances[:n_alike] == 0).all()


def test_poses_are_declined_from_below():
    rng = np.random.default_rng(3)
    table = pd.DataFrame({name: rng.uniform(0.8, 1.0, N) for name in refusal.POSES}, index=[f"v{i}" for i in range(N)])
    usual = familiar(poses=table)
    checks = {c.name: c for c in usual.checks(dict(found=0.2, confidence=0.99, plausible=0.9), {})}
    assert {name: check.passed for name, check in checks.items()} == dict(found=False, confidence=True, plausible=True)
    assert checks["found"].reason.startswith("the athlete was found in too few frames: found 0.2, limit 0.8;")
    assert checks["confidence"].limit == pytest.approx(np.sort(table["confidence"])[1])
    assert usual.error_rate <= 4 * 0.01


def body(n_frames=20):
    """A body that stands and drifts: nothing is against it."""
    rng = np.random.default_rng(4)
    points = np.stack([rng.uniform(40, 60, 17), np.linspace(20, 120, 17), np.full(17, 0.9)], axis=1)
    return np.repeat(points[None], n_frames, axis=0)


def test_statistics_of_a_steady_body_and_of_nobody():
    assert refusal.statistics(body(), keypoint_set="coco_17", fps=25.0) == pytest.approx(
        dict(found=1.0, confidence=0.9, plausible=1.0)
    )
    half = body()
    half[10:] = np.nan
    half[3, :, 2] = 0.1
    found = refusal.statistics(half, keypoint_set="coco_17", fps=25.0)
    assert found["found"] == 0.5
    assert found["plausible"] == pytest.approx(0.9)
    assert refusal.statistics(np.full((5, 17, 3), np.nan), keypoint_set="coco_17", fps=25.0) == dict.fromkeys(
        refusal.POSES, 0.0
    )
