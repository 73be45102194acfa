import numpy as np
import pytest

from aqa_pipeline.simdive.camera import Camera
from aqa_pipeline.simdive.scene import Scene, streak
from aqa_pipeline.simdive.venue import draw_outfit, draw_venue


def scene(*, board="platform", height=10.0, low=6.0, seed=1, yaw=0.1):
    camera = Camera(yaw=yaw, pitch=0.15, scale=40.0, width=96, height=54)
    rng = np.random.default_rng(seed)
    path = np.array([[-0.5, height + 1.0], [1.5, low]])
    return Scene(camera, draw_venue(rng), path, rng, board=board, height=height)


def still(place, centre):
    return place.background(np.asarray(centre), sweep=np.zeros(2), time=0.0)


def test_panning_by_whole_pixels_moves_the_picture():
    hall = scene()
    here, there = still(hall, [0.5, 8.0]), still(hall, [0.5 + 7 / 40, 8.0 - 4 / 40])  # 7 pixels right, 4 down
    assert here.std() > 10
    change = np.abs(here[4:, 7:].astype(int) - there[:-4, :-7])
    assert change.max() <= 2  # rounding of the interpolation


def test_panning_by_half_a_pixel_interpolates():
    hall = scene()
    one, half, other = (still(hall, [0.5 + share / 40, 8.0]).astype(float) for share in (0.0, 0.5, 1.0))
    between = (half >= np.minimum(one, other) - 2) & (half <= np.maximum(one, other) + 2)
    assert between.mean() > 0.98
    for end in (one, other):
        assert 0.3 < np.abs(half - end).mean() / np.abs(one - other).mean() < 0.8


def test_a_moving_camera_blurs_along_its_way():
    hall = scene()
    centre = np.array([0.5, 8.0])
    sharp = still(hall, centre).astype(float)
    swept = hall.background(centre, sweep=np.array([0.0, 0.25]), time=0.0).astype(float)
    rough = [np.abs(np.diff(picture, axis=0)).mean() for picture in (sharp, swept)]
    assert rough[1] < 0.5 * rough[0]


@pytest.mark.parametrize("sweep", [(4.0, 0.0), (0.0, 6.0), (3.0, 5.0), (-3.0, 5.0)])
def test_streak_by_hand(sweep):
    kernel = streak(np.array(sweep))
    assert kernel.sum() == pytest.approx(1.0)
    y, x = np.mgrid[: len(kernel), : len(kernel)]
    middle = (len(kernel) - 1) / 2
    assert (kernel * x).sum() == pytest.approx(middle, abs=0.05)
    assert (kernel * y).sum() == pytest.approx(middle, abs=0.05)
    spread = (kernel * (x - middle) ** 2).sum(), (kernel * (y - middle) ** 2).sum()
    np.testing.assert_allclose(spread, np.square(sweep) / 12, atol=0.25)  # of a line; bilinear drops widen it
    assert np.sign((kernel * (x - middle) * (y - middle)).sum().round(3)) == np.sign(np.prod(sweep))


def test_no_streak_without_motion():
    assert streak(np.array([0.3, 0.2])) is None


def test_the_springboard_bends_at_its_tip():
    pool = scene(board="springboard", height=3.0, low=1.0)
    plain = still(pool, [0.0, 3.0])
    frames = []
    for tip in (3.0, 2.7):
        frames.append(plain.copy())
        pool.draw_board(frames[-1], np.array([0.0, 3.0]), tip=tip)
    rows = [np.flatnonzero((frame != plain).any(axis=(1, 2))) for frame in frames]
    assert rows[1].max() - rows[0].max() == pytest.approx(0.3 * 40, abs=2)
    hall = scene()
    tower = still(hall, [0.5, 8.0])
    hall.draw_board(tower, np.array([0.5, 8.0]), tip=9.0)
    np.testing.assert_array_equal(tower, still(hall, [0.5, 8.0]))  # a platform does not


def test_light_plays_on_the_water_alone():
    pool = scene(board="springboard", height=3.0, low=0.0)
    centre = np.array(
        [0.5, pool.venue.pool_width * np.sin(0.15)]
    )  # the far edge in the middle of the picture
    one, other = (pool.background(centre, sweep=np.zeros(2), time=time) for time in (0.0, 0.4))
    shore = 27
    np.testing.assert_array_equal(one[:shore], other[:shore])
    assert (one[shore + 3 :] != other[shore + 3 :]).mean() > 0.3


def test_venues_and_outfits_differ_by_seed_alone():
    venues = [draw_venue(np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert venues[0] == venues[1] != venues[2]
    outfits = [draw_outfit(np.random.default_rng(seed)) for seed in range(40)]
    brightness = [np.mean(outfit.skin) for outfit in outfits]
    assert min(brightness) < 90
    assert max(brightness) > 180
