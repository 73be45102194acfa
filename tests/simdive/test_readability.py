import numpy as np
import pytest

from aqa_pipeline.simdive import faults, readability
from aqa_pipeline.simdive.dives import draw_dive

FPS = 25.0


def side_view(dive, mirrored=False):
    """True keypoints (T, 133, 3) in a picture with y down and 40 pixels a metre."""
    p = dive.performance
    k = p.keypoints(np.arange(0, p.duration, 1 / FPS))
    picture = np.stack([40 * k[..., 0] * (-1 if mirrored else 1), -40 * k[..., 1], np.ones(k.shape[:2])], axis=2)
    return picture


def measured(dive, keypoints, travel=1):
    p = dive.performance
    return readability.measures(keypoints, p.steps, FPS, entry_time=p.entry_time, travel=travel)


@pytest.fixture(scope="module")
def dives():
    return [draw_dive(9, i) for i in range(110)]


def test_true_points_show_the_faults(dives):
    found = [measured(d, side_view(d)) for d in dives]
    latent = {name: np.array([d.performance.truth()[name] for d in dives]) for name in faults.NAMES}
    values = {name: np.array([f[name] for f in found]) for name in found[0]}
    rows = {row["fault"]: row for row in readability.readability(latent, values, [d.number.number for d in dives])}
    for name in ("lean", "knees", "legs_apart", "loose", "rotation", "arch", "line_knees", "arms", "toes"):
        assert rows[name]["rho"] > 0.7, rows[name]
    assert rows["opening"]["rho"] > 0.55
    assert rows["twist"]["rho"] > 0.4
    assert rows["knees"]["n"] == sum(d.number.position != "tuck" for d in dives)
    assert np.isnan(rows["splash"]["rho"])
    assert rows["splash"]["n"] == 0


def test_wrong_dives_show_nothing(dives):
    found = [measured(d, side_view(d)) for d in dives]
    latent = {name: np.array([d.performance.truth()[name] for d in dives]) for name in ("rotation", "arch")}
    values = {name: np.array([f[name] for f in found])[::-1] for name in latent}
    assert all(abs(row["rho"]) < 0.3 for row in readability.readability(latent, values))


def test_mirrored_pictures_measure_the_same(dives):
    for d in dives[:6]:
        plain, mirror = measured(d, side_view(d)), measured(d, side_view(d, mirrored=True), travel=-1)
        assert plain == pytest.approx(mirror, nan_ok=True, abs=1e-6)


def test_missing_points_are_left_out(dives):
    d = dives[0]
    keypoints = side_view(d)[:, :17]
    whole = measured(d, keypoints)
    assert "toes" not in whole
    keypoints[::4, 13] = np.nan  # a knee is lost in every fourth frame
    assert measured(d, keypoints)["line_knees"] == pytest.approx(whole["line_knees"], abs=5)
    nothing = measured(d, np.full_like(keypoints, np.nan))
    assert all(np.isnan(value) for value in nothing.values())


def test_angles_of_a_hand_made_stick_figure():
    """Upright body with knees at right angles, arms straight up, seen for 2 s."""
    points = np.zeros((50, 17, 3))
    for side in (0, 1):
        chain = {5: (0, -10), 7: (0, -13), 9: (0, -16), 11: (0, 0), 13: (0, 4), 15: (-4, 4)}  # y down
        for joint, (x, y) in chain.items():
            points[:, joint + side, :2] = x + 0.2 * side, y
    steps = [("take_off", 0.0), ("1.5_somersaults_pike", 0.4), ("entry", 1.4)]
    found = readability.measures(points, steps, FPS, entry_time=1.9)
    assert found["knees"] == pytest.approx(90)
    assert found["line_knees"] == pytest.approx(90)
    assert found["loose"] == pytest.approx(180)
    assert found["arms"] == pytest.approx(0, abs=1e-6)
    assert found["lean"] == pytest.approx(45)  # the ankles are 4 left of and 4 below the hips
    assert np.isnan(found["opening"])  # the hips were never bent
    assert found["twist"] == pytest.approx(0.4 / 10)


def test_group_medians_are_taken_off():
    latent = {"opening": np.array([0.0, 0.1, 0.2, 0.0, 0.1, 0.2])}
    values = {"opening": np.array([1.0, 1.1, 1.2, 0.0, 0.1, 0.2])}
    with_groups = readability.readability(latent, values, list("aaabbb"))[0]
    assert with_groups == {"fault": "opening", "n": 6, "rho": pytest.approx(1.0, abs=0.05)}
    assert readability.readability(latent, values)[0]["rho"] < 0.8
