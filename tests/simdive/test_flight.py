import time

import numpy as np
import pytest

from aqa_pipeline.simdive import catalogue, faults, flight
from aqa_pipeline.simdive.body import Body
from aqa_pipeline.simdive.faults import Faults
from aqa_pipeline.simdive.flight import GRAVITY, RATE

NUMBERS = sorted(catalogue.DIVES)
PLANAR = [n for n in NUMBERS if catalogue.DIVES[n].half_twists == 0]
TWISTERS = [n for n in NUMBERS if catalogue.DIVES[n].half_twists]


def dive(number, **latent):
    return flight.perform(catalogue.get(number), Faults(**latent), np.random.default_rng(2), Body(1.62, 60.0))


def masses(performance, times):
    """Mass points (T, M, 3), their kg (M,) and their mean (T, 3)."""
    points, kg = performance.body.masses
    place = points.place(*performance._frames(times))
    return place, kg, np.einsum("m,tmi->ti", kg / kg.sum(), place)


def airborne(performance, margin=0.0):
    first, last = (
        np.ceil((performance.takeoff_time + margin) * RATE),
        np.floor((performance.entry_time - margin) * RATE),
    )
    return np.arange(first, last + 1) / RATE


def trunk_angle(performance, times):
    k = performance.keypoints(times)
    trunk = k[:, 5:7].mean(1) - k[:, 11:13].mean(1)
    return np.unwrap(np.arctan2(trunk[:, 1], trunk[:, 0]))


@pytest.mark.parametrize("number", NUMBERS)
def test_centre_of_mass_falls_freely(number):
    p = dive(number, lean=8.0, loose=20.0)
    com = masses(p, airborne(p))[2]
    assert np.diff(com[:, 1], 2) * RATE**2 == pytest.approx(-GRAVITY, abs=1e-6)
    assert np.diff(com[:, 0], 2) * RATE**2 == pytest.approx(0, abs=1e-6)
    assert com[-1, 0] > 0.5  # away from the board


@pytest.mark.parametrize("number", PLANAR)
def test_angular_momentum_is_conserved(number):
    p = dive(number, loose=15.0, knees=10.0, opening=0.05)
    place, kg, com = masses(p, airborne(p, 0.03))
    r = place - com[:, None]
    v = np.gradient(r, 1 / RATE, axis=0)
    momentum = ((r[..., 0] * v[..., 1] - r[..., 1] * v[..., 0]) @ kg)[3:-3]
    assert momentum.std() < 0.02 * abs(momentum.mean())
    assert 8 < abs(momentum.mean()) < 100  # kg m2 / s
    assert np.sign(momentum.mean()) == (-1 if p.number.direction in (1, 2) else 1)


@pytest.mark.parametrize("number", NUMBERS)
def test_somersaults_are_counted(number):
    p = dive(number)
    turned = np.degrees(np.diff(trunk_angle(p, np.arange(0, p.duration, 1 / RATE))[[0, -1]])[0])
    sense = -1 if p.number.direction in (1, 2) else 1
    assert sense * turned / 180 == pytest.approx(p.number.half_somersaults, abs=0.12)


@pytest.mark.parametrize("number", TWISTERS)
def test_half_twists_are_counted(number):
    p = dive(number)
    k = p.keypoints(airborne(p))
    right = k[:, 6, 2] - k[:, 5, 2]  # the right shoulder lies towards the camera or away from it
    changes = (np.diff(np.sign(right)) != 0).sum()
    assert changes == p.number.half_twists


def test_tuck_turns_faster_than_pike_and_both_faster_than_a_straight_body():
    rates = {}
    for number in ("205b", "205c"):
        p = dive(number)
        times = airborne(p, 0.02)
        rate = np.abs(np.gradient(trunk_angle(p, times), 1 / RATE))
        place, kg, com = masses(p, times)
        inertia = ((place - com[:, None])[..., :2] ** 2).sum(-1) @ kg
        middle, last = np.searchsorted(times, p.takeoff_time + 0.6), -1
        rates[number] = rate[middle] * inertia[-1] / inertia[middle] / rate[last], rate[middle] / rate[last]
        assert rates[number][0] == pytest.approx(inertia[-1] ** 2 / inertia[middle] ** 2, rel=0.1)  # rate = L / I
    assert rates["205c"][1] > 1.2 * rates["205b"][1] > 1.2 * 2


@pytest.mark.parametrize("number", NUMBERS)
def test_stands_on_the_board_and_enters_hands_first(number):
    p = dive(number)
    height = p.number.height_m
    for t in np.linspace(0, p.takeoff_time, 7):
        k = p.figure(t).keypoints
        touching = k[[91, 112]] if p.number.armstand else k[[17, 20]]
        assert touching[:, 1] == pytest.approx(height, abs=0.06)
        assert np.abs(touching[:, 0]).max() < 0.15
    k = p.figure(p.entry_time).keypoints
    assert k[:, 1].argmin() in (*range(91, 112), *range(112, 133))
    assert k[:, 1].min() == pytest.approx(0, abs=0.04)
    assert p.figure(p.entry_time - 0.05).keypoints[:, 1].min() > 0.2
    assert p.entry_time < p.submerged_time <= p.duration
    assert 1.25 < p.entry_time - p.takeoff_time < 2.0
    assert 50 <= p.duration * 25 <= 66


def test_clean_entry_is_upright_and_rotation_tilts_it():
    def tilt(p):
        k = p.figure(p.entry_time + 0.03).keypoints
        line = k[5:7].mean(0) - k[15:17].mean(0)
        return np.degrees(np.arctan2(line[0], -line[1]))

    assert abs(tilt(dive("107b"))) < 4
    for number, sense in (
        ("107b", -1),
        ("407c", 1),
    ):  # clockwise: head left of the feet's plumb line when over-rotated
        for fault in (25.0, -15.0):
            assert tilt(dive(number, rotation=fault)) - tilt(dive(number)) == pytest.approx(sense * fault, abs=3)


def test_faults_show_in_the_joints():
    def bend(p, t, a, b, c):
        k = p.figure(t).keypoints
        u, v = k[a] - k[b], k[c] - k[b]
        return 180 - np.degrees(np.arccos(u @ v / np.linalg.norm(u) / np.linalg.norm(v)))

    middle = 1.2
    assert bend(dive("107b", knees=30.0), middle, 12, 14, 16) == pytest.approx(30, abs=1)
    assert bend(dive("107b"), middle, 12, 14, 16) < 1
    closed, open_ = (bend(dive("107b", loose=x), middle, 6, 12, 14) for x in (0.0, 40.0))
    assert closed - open_ == pytest.approx(46, abs=8)  # hips 40, and 0.3 of it from the spine
    late = dive("107b", opening=0.2)
    assert bend(late, dive("107b").steps[-1][1] + 0.1, 6, 12, 14) > 80  # still piked when a clean dive is open
    last = late.entry_time - 0.01
    assert bend(dive("107b", line_knees=25.0), last, 11, 13, 15) == pytest.approx(25, abs=1)
    assert bend(dive("107b", arms=30.0), last, 12, 6, 8) == pytest.approx(40, abs=8)  # 10 are there without the fault
    nearer, farther = (dive("107b", distance=x).figure(2.0).keypoints[11, 0] for x in (-0.3, 0.3))
    assert farther > nearer + 0.4


@pytest.mark.parametrize("number", NUMBERS)
def test_motion_has_no_jumps(number):
    rng = np.random.default_rng(11)
    for _ in range(3):
        latent = faults.draw(rng, catalogue.get(number), -1.5)
        p = flight.perform(catalogue.get(number), latent, rng)
        times = np.arange(0, p.duration, 1 / RATE)
        k = p.keypoints(times)
        assert np.isfinite(k).all()
        assert np.linalg.norm(np.diff(k, axis=0), axis=2).max() * RATE < 46  # m/s: falling 14, turning 20, and the arms


def test_steps_and_sub_actions():
    p = dive("5253b")
    names = [name for name, _ in p.steps]
    starts = [start for _, start in p.steps]
    assert names == ["take_off", "1.5_twists", "2.5_somersaults_pike", "entry"]
    assert starts[0] == 0
    assert starts[1] == p.takeoff_time
    assert starts == sorted(starts)
    assert starts[-1] < p.entry_time
    assert [p.sub_action(t) for t in (-1.0, starts[1], starts[2] + 0.01, p.duration)] == names
    assert [name for name, _ in dive("107b").steps] == ["take_off", "3.5_somersaults_pike", "entry"]


def test_figure_agrees_with_keypoints_and_the_same_draw_gives_the_same_dive():
    p, again = dive("5337d", twist=20.0), dive("5337d", twist=20.0)
    times = np.array([0.1, 0.9137, 1.7])
    assert np.array_equal(p.keypoints(times), again.keypoints(times))
    for t, k in zip(times, p.keypoints(times), strict=True):
        assert np.allclose(p.figure(t).keypoints, k)
    assert p.truth()["twist"] == 20.0


def test_fast_enough():
    rng = np.random.default_rng(0)
    number = catalogue.get("107b")
    start = time.process_time()
    performances = [flight.perform(number, faults.draw(rng, number, 0.0), rng) for _ in range(20)]
    assert (time.process_time() - start) / 20 < 0.025  # measured 0.004 s; generous for a busy machine
    start = time.process_time()
    for i in range(200):
        performances[0].figure(0.01 * i)
    assert (time.process_time() - start) / 200 < 0.001  # measured 0.00003 s
