from dataclasses import replace

import cv2
import numpy as np
import pytest

from aqa_pipeline.simdive import catalogue, flight
from aqa_pipeline.simdive.camera import Camera
from aqa_pipeline.simdive.faults import Faults
from aqa_pipeline.simdive.rendering import HIDDEN, MOST_SUBFRAMES, UNSEEN, VISIBLE, Film, box_of
from aqa_pipeline.simdive.venue import Outfit, draw_venue

OUTFIT = Outfit(skin=(200, 150, 120), suit=(30, 60, 160), hair=(40, 30, 25))


def film(*, outfit=OUTFIT, splash=0.5, number="405b", fps=12.5, yaw=0.1):
    rng = np.random.default_rng(8)
    performance = flight.perform(catalogue.get(number), Faults(splash=splash), rng)
    venue = replace(draw_venue(rng), noise=0.0)
    camera = Camera(yaw=yaw, pitch=0.12, scale=36.0, width=144, height=104)
    return Film(performance, camera=camera, venue=venue, outfit=outfit, fps=fps, aftermath=0.2, rng=rng)


@pytest.fixture(scope="module")
def crew():
    return film()


@pytest.fixture(scope="module")
def shots(crew):
    return list(crew.shoot())


def flying(crew, shots):
    times = crew.performance.takeoff_time, crew.performance.entry_time
    return [shot for shot in shots if times[0] <= shot[1].time < times[1]]


def test_the_mask_is_where_the_body_changes_the_picture(crew, shots):
    """The same film with a body of other colours differs there and nowhere else."""
    another = film(outfit=Outfit(skin=(90, 240, 40), suit=(240, 230, 40), hair=(200, 40, 200)))
    for (frame, truth), (other, _) in zip(shots, another.shoot(), strict=True):
        change = np.abs(frame.astype(int) - other).max(axis=2)
        if truth.time >= crew.performance.entry_time:
            continue  # drops cover part of it, and it shows through the water
        assert (change > 60).sum() > 150
        around = cv2.dilate(truth.mask.astype(np.uint8), np.ones((3, 3))) > 0
        assert (change > 60)[~around].sum() < 0.02 * (change > 60).sum()
        assert (change > 12)[truth.mask].mean() > 0.97


def test_the_box_holds_the_mask_tightly(shots):
    for _, truth in shots:
        if np.isnan(truth.box).any():
            assert truth.mask.sum() < 10
            continue
        x1, y1, x2, y2 = truth.box.astype(int)
        assert truth.mask[y1:y2, x1:x2].sum() == truth.mask.sum()
        for edge in (truth.mask[y1], truth.mask[y2 - 1], truth.mask[:, x1], truth.mask[:, x2 - 1]):
            assert edge.any()


def test_keypoints_lie_on_the_body(crew, shots):
    for _, truth in flying(crew, shots):
        x, y = np.round(truth.keypoints[:17, :2]).astype(int).T
        around = cv2.dilate(truth.mask.astype(np.uint8), np.ones((5, 5))) > 0
        assert around[y, x].mean() > 0.95


def test_keypoints_are_where_the_camera_sees_the_joints(crew, shots):
    _, truth = shots[9]
    world = crew.performance.figure(truth.time).keypoints
    seen = crew.camera.pixels(crew.camera.view(world), crew.centre(truth.time))
    np.testing.assert_allclose(truth.keypoints[:, :2], seen[:, :2], atol=1e-4)


def test_the_far_side_is_hidden(crew, shots):
    """From the diver's right or left, the ear beyond the head is hidden and the near one is not."""
    state = shots[2][1].keypoints[:, 2]  # standing, seen from the side
    assert sorted([state[3], state[4]]) == [HIDDEN, VISIBLE]
    depth = crew.camera.view(crew.performance.figure(shots[2][1].time).keypoints)[:, 2]
    near = 3 if depth[3] > depth[4] else 4
    assert state[near] == VISIBLE


def test_water_hides_the_body(crew, shots):
    truth = shots[-1][1]
    assert np.isnan(truth.box).all()
    assert not truth.mask.any()
    assert (truth.keypoints[:, 2] == UNSEEN).all()
    halfway = [s for s in shots if crew.performance.entry_time + 0.03 < s[1].time < crew.performance.submerged_time]
    for _, truth in halfway:
        under = crew.performance.figure(truth.time).keypoints[:, 1] < 0
        assert (truth.keypoints[under, 2] == UNSEEN).all()
        assert (truth.keypoints[~under, 2] > UNSEEN).any()


def test_a_bad_entry_shows_in_the_picture():
    small, large = (list(film(splash=size).shoot()) for size in (0.0, 0.95))
    late = [abs(a[0].astype(int) - b[0]).mean() for a, b in zip(small, large, strict=True)]
    first = next(i for i, shot in enumerate(small) if shot[1].time > film().performance.entry_time + 0.05)
    assert max(late[: first - 2]) == 0.0
    assert late[first + 2] > 1.0
    covered = [sum(truth.splash.sum() for _, truth in shots) for shots in (small, large)]
    assert covered[1] > 2 * covered[0]


def test_the_splash_is_white_and_hides_the_body(crew, shots):
    entry = crew.performance.entry_time
    assert not any(truth.splash.any() for _, truth in shots if truth.time < entry - 0.02)
    after = [(frame, truth) for frame, truth in shots if entry + 0.1 < truth.time]
    assert all(truth.splash.sum() > 20 for _, truth in after)
    assert not any((truth.splash & truth.mask).any() for _, truth in shots)
    frame, truth = after[1]
    assert frame[truth.splash].mean() > frame[~truth.splash].mean() + 40


def test_faster_bodies_get_more_instants(crew):
    shutter = 0.22 / 12.5
    standing = crew._instants(0.02, shutter)
    counts = [len(crew._instants(time, shutter)) for time in crew.times]
    assert len(standing) == 1
    assert max(counts) > 2
    assert max(counts) <= MOST_SUBFRAMES
    spun = crew._instants(crew.performance.takeoff_time + 0.5, shutter)
    assert spun.mean() == pytest.approx(crew.performance.takeoff_time + 0.5)
    assert np.ptp(spun) < shutter


def test_the_diver_stays_in_the_picture(crew, shots):
    for _, truth in flying(crew, shots):
        assert (truth.keypoints[:17, 2] > UNSEEN).mean() > 0.8


def test_box_by_hand():
    mask = np.zeros((9, 13), bool)
    mask[2:5, 7:11] = True
    np.testing.assert_array_equal(box_of(mask, 12), [7, 2, 11, 5])
    assert np.isnan(box_of(mask, 12.5)).all()
    assert np.isnan(box_of(np.zeros((9, 13), bool), 0)).all()
