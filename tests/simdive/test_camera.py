import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aqa_pipeline.simdive.camera import Camera, draw_camera, follow

angles = st.floats(-3.1, 3.1)


def camera(yaw=0.0, pitch=0.0):
    return Camera(yaw=yaw, pitch=pitch, scale=50.0, width=64, height=36)


@given(angles, st.floats(-1.5, 1.5))
def test_axes_are_a_right_handed_rotation(yaw, pitch):
    axes = camera(yaw, pitch).axes
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1.0)


def test_points_by_hand():
    seen = camera().pixels(camera().view(np.array([[0.0, 0.0, 0.0], [0.2, 0.1, 2.0]])), np.zeros(2))
    np.testing.assert_allclose(seen, [[31.5, 17.5, 0.0], [41.5, 12.5, 100.0]])  # right, up, and nearer


def test_looking_down_raises_what_lies_behind():
    tilted = camera(pitch=np.pi / 6)
    np.testing.assert_allclose(tilted.view(np.array([0.0, 0.0, -4.0])), [0.0, 2.0, -4 * np.cos(np.pi / 6)])


def test_the_other_side_of_the_pool_mirrors_the_way_but_not_the_stage():
    other = camera(yaw=np.pi)
    assert other.mirrored
    assert other.view(np.array([1.0, 0.0, 0.0]))[0] == pytest.approx(-1.0)
    np.testing.assert_allclose(other.stage([1.0, 2.0, 3.0]), [-1.0, 2.0, 3.0], atol=1e-12)


def test_drawn_cameras_see_the_stated_height():
    cameras = [draw_camera(np.random.default_rng(seed), width=64, height=36) for seed in range(60)]
    scales = [c.scale / 36 for c in cameras]
    assert 0.29 <= min(scales) < 0.31
    assert 0.39 < max(scales) <= 0.41
    assert 15 < sum(c.mirrored for c in cameras) < 45


def test_the_path_follows_late_and_smoothly():
    run = np.concatenate([np.zeros(40), np.linspace(0, 8, 30), np.full(40, 8.0)])
    path = follow(np.stack([run, 0 * run], axis=1), np.random.default_rng(3), fps=25.0)
    assert path.shape == (110, 2)
    assert np.abs(path[:, 1]).max() < 0.5  # off-centre framing and a wandering hand, no more
    assert np.abs(path[:30, 0]).max() < 0.5
    assert np.abs(path[80:, 0] - 8).max() < 0.5
    assert np.abs(np.diff(path[:, 0], n=2)).max() < np.abs(np.diff(run, n=2)).max()


def test_a_path_is_its_seed():
    target = np.random.default_rng(0).normal(size=(7, 2))
    one, other = (follow(target, np.random.default_rng(5), fps=25.0) for _ in range(2))
    np.testing.assert_array_equal(one, other)
