import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aqa_pipeline.simdive import postures
from aqa_pipeline.simdive.body import CHANNELS, COLUMN, HAIR, SKIN, SUIT, Body, draw_body, turn
from aqa_pipeline.simdive.landmarks import INDEX

BODY = Body(height=1.60, mass=55.0)
L_SHOULDER, R_SHOULDER, L_ELBOW, R_ELBOW, L_WRIST, R_WRIST = range(5, 11)
L_HIP, R_HIP, L_KNEE, R_KNEE, L_ANKLE, R_ANKLE = range(11, 17)


def points(**degrees):
    """Keypoints (133, 3) of one posture in the pelvis frame."""
    angles = np.zeros((1, len(CHANNELS)))
    for name, value in degrees.items():
        angles[0, COLUMN[name]] = np.radians(value)
    frames = BODY.segments(angles)
    return BODY.figure(frames[0][0], frames[1][0]).keypoints


def test_standing():
    p, n = points(), BODY.lengths
    assert p[R_ANKLE] == pytest.approx((0, -n["thigh"] - n["shank"], n["hip"]))
    assert p[L_SHOULDER, 2] == pytest.approx(-n["shoulder"])  # z is the diver's right
    assert p[R_WRIST, 1] == pytest.approx(p[R_SHOULDER, 1] - n["arm"] - n["forearm"])
    assert p[0, 0] > p[4, 0] > -0.05  # nose in front of the ear
    assert p[17, 0] > p[19, 0]  # toe in front of the heel
    assert p[0, 1] - p[L_ANKLE, 1] + n["ankle"] == pytest.approx(0.93 * 1.60, abs=0.04)  # nose at 93 % of height


def test_flexion_goes_to_the_front_and_knees_to_the_back():
    n = BODY.lengths
    seated = points(hip=90)
    assert seated[R_KNEE] == pytest.approx((n["thigh"], 0, n["hip"]), abs=1e-9)
    kneeling = points(knee=90)
    assert kneeling[L_ANKLE] == pytest.approx((-n["shank"], -n["thigh"], -n["hip"]), abs=1e-9)
    assert points(spine=90)[R_SHOULDER, 0] == pytest.approx(n["chest"], abs=1e-9)
    forward = points(shoulder_r=90)
    assert forward[R_WRIST, 0] - forward[R_SHOULDER, 0] == pytest.approx(n["arm"] + n["forearm"])
    assert forward[L_WRIST, 0] == pytest.approx(forward[L_SHOULDER, 0])
    assert points(elbow_l=90)[L_WRIST, 0] == pytest.approx(n["forearm"])


def test_sides():
    apart = points(spread=20, lift_r=30)
    assert apart[R_ANKLE, 2] > 0.2
    assert apart[L_ANKLE, 2] < -0.2
    assert apart[R_ELBOW, 2] == pytest.approx(BODY.lengths["shoulder"] + BODY.lengths["arm"] / 2)
    strides = points(split=30)
    assert strides[R_KNEE, 0] > 0 > strides[L_KNEE, 0]
    pointed = points(ankle=90)
    assert pointed[17, 1] < pointed[L_ANKLE, 1] - 0.1  # toes below the ankle
    assert points(wrist=80)[103, 1] > points()[103, 1] + 0.1  # the fingers leave the forearm's line


@given(st.lists(st.floats(-2.5, 2.5), min_size=len(CHANNELS), max_size=len(CHANNELS)), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_bones_keep_their_lengths(angles, grip):
    row = np.array([angles])
    row[0, COLUMN["grip"]], row[0, COLUMN["grip_at"]] = grip, 0.6
    rotations, origins = BODY.segments(row)
    assert np.allclose(rotations @ np.swapaxes(rotations, -1, -2), np.eye(3), atol=1e-8)
    assert np.allclose(np.linalg.det(rotations), 1)
    for side in "rl":
        for name, child in (("arm", "forearm"), ("forearm", "hand"), ("thigh", "shank"), ("shank", "foot")):
            bone = origins[0, INDEX[f"{side}_{child}"]] - origins[0, INDEX[f"{side}_{name}"]]
            assert np.linalg.norm(bone) == pytest.approx(BODY.lengths[name])


@pytest.mark.parametrize("row", [postures.TUCK, postures.PIKE], ids=["tuck", "pike"])
def test_hands_hold_the_shanks(row):
    rotations, origins = BODY.segments(row[None, :-1])
    for side in "rl":
        shank, hand = INDEX[f"{side}_shank"], INDEX[f"{side}_hand"]
        palm = origins[0, hand] + rotations[0, hand] @ (0, -0.35 * BODY.lengths["hand"], 0)
        along = rotations[0, shank].T @ (palm - origins[0, shank])
        assert np.hypot(along[0], along[2]) < 0.08
        assert -along[1] / BODY.lengths["shank"] == pytest.approx(row[COLUMN["grip_at"]], abs=0.02)


def test_capsules_have_volume_and_materials():
    rotations, origins = BODY.segments(postures.STAND[None, :-1])
    figure = BODY.figure(rotations[0], origins[0])
    count = len(figure.radii)
    assert figure.ends.shape == (count, 2, 3)
    assert figure.radii.shape == (count, 2)
    assert figure.material.shape == (count,)
    assert figure.keypoints.shape == (133, 3)
    assert figure.radii.min() > 0.015
    assert set(figure.material) == {SKIN, SUIT, HAIR}
    outer = (np.abs(figure.ends[:, :, 2]) + figure.radii).max()
    deep = (np.abs(figure.ends[:3, :, 0]) + figure.radii[:3]).max()
    assert 0.20 < outer < 0.32
    assert 0.08 < deep < 0.14
    assert (Body(one_piece=True).material == SUIT).sum() > (Body().material == SUIT).sum()


def test_mass_and_moments_of_inertia():
    points_, kg = BODY.masses
    assert kg.sum() == pytest.approx(55.0)

    def about_lateral(row):
        place = points_.place(*BODY.segments(row[None, :-1]))[0]
        r = place - kg @ place / kg.sum()
        return kg @ (r[:, 0] ** 2 + r[:, 1] ** 2)

    reach, pike, tuck = (about_lateral(row) for row in (postures.STRETCHED, postures.PIKE, postures.TUCK))
    assert reach > 2.2 * pike > 2.2 * 1.2 * tuck > 4


def test_turn_is_right_handed():
    for axis in range(3):
        u, v = np.eye(3)[(axis + 1) % 3], np.eye(3)[(axis + 2) % 3]
        assert np.allclose(turn(np.pi / 2, axis)[0] @ u, v)


def test_bodies_differ_within_bounds():
    rng = np.random.default_rng(5)
    bodies = [draw_body(rng) for _ in range(60)]
    heights = np.array([b.height for b in bodies])
    assert heights.min() >= 1.55
    assert heights.max() <= 1.75
    assert heights.std() > 0.02
    assert 0.2 < np.mean([b.one_piece for b in bodies]) < 0.8
