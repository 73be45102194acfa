import numpy as np
import pytest

from aqa_pipeline.simdive.camera import Camera
from aqa_pipeline.simdive.splash import Splash

CAMERA = Camera(yaw=0.1, pitch=0.15, scale=30.0, width=120, height=70)
CENTRE = np.array([1.5, 0.3])


def splash(size, seed=0):
    return Splash(
        np.random.default_rng(seed),
        times=np.array([2.0, 2.1, 2.2]),
        places=np.array([[1.4, 0.0], [1.5, 0.0], [1.6, 0.1]]),
        size=size,
        speed=np.array([1.5, -13.0, 0.0]),
    )


def test_nothing_before_the_entry():
    assert splash(0.9).cover(CAMERA, CENTRE, np.array([1.97, 1.98])) is None
    assert len(splash(0.9).positions(1.99)[0]) == 0


def test_drops_rise_and_fall_back_by_gravity():
    heights = [splash(0.7).positions(time)[0][:, 1] for time in (2.1, 2.5, 3.2)]
    tops = [float(h.max()) for h in heights]
    assert tops[1] > tops[0]
    assert tops[1] > tops[2]
    assert len(splash(0.7).positions(4.5)[0]) == 0  # all back in the water


def test_one_drop_by_hand():
    thrown = splash(0.4)
    thrown._from, thrown._born, thrown._mass = np.zeros((1, 3)), np.array([2.0]), np.ones(1)
    thrown._speed = np.array([[0.5, 4.0, 0.0]])
    place, _ = thrown.positions(2.3)
    slowed = (1 - np.exp(-1.1 * 0.3)) / 1.1  # drag of 1.1 / s
    height = 4.0 * slowed - 9.81 / 1.1 * (0.3 - slowed)
    np.testing.assert_allclose(place, [[0.5 * slowed, height, 0.0]])


def test_a_worse_entry_throws_up_more_and_higher():
    times = np.array([2.45])
    covers = [splash(size).cover(CAMERA, CENTRE, times) for size in (0.0, 0.4, 0.9)]
    shares = [float(cover.mean()) for cover in covers]
    assert shares[0] * 1.5 < shares[1]
    assert shares[1] * 1.5 < shares[2]
    assert all(cover.shape == (70, 120) and cover.min() >= 0 and cover.max() <= 1 for cover in covers)
    rows = [np.flatnonzero(cover.max(axis=1) > 0.2)[0] for cover in covers]
    assert rows[0] > rows[1] > rows[2]


def test_it_stands_where_the_body_went_in():
    cover = splash(0.5).cover(CAMERA, CENTRE, np.array([2.3]))
    x, y, _ = CAMERA.pixels(CAMERA.view(np.array([1.55, 0.0, 0.0])), CENTRE)
    columns, rows = np.arange(120), np.arange(70)
    assert (cover.sum(axis=0) * columns).sum() / cover.sum() == pytest.approx(x, abs=4)
    assert (cover.sum(axis=1) * rows).sum() / cover.sum() == pytest.approx(y, abs=8)


def test_same_seed_same_drops():
    times = np.array([2.3, 2.31])
    np.testing.assert_array_equal(*(splash(0.5, seed=4).cover(CAMERA, CENTRE, times) for _ in range(2)))
