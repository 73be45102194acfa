import numpy as np
import pytest

from aqa_pipeline import keypoint_sets
from aqa_pipeline.errors import InputError
from aqa_pipeline.explanation import body_parts
from aqa_pipeline.explanation.body_parts import GROUPS, Body

COCO = keypoint_sets.get("coco_17")
EVERYBODY = np.array([True] * len(GROUPS))


def only(*names):
    return np.array([group in names for group in GROUPS])


def angle(points, a, b, c, d):
    """Degrees (T,) from the line a-b to the line c-d of the left side."""
    at = {name: points[:, COCO.index(f"left_{name}"), :2] for name in {a, b, c, d}}
    first, second = at[b] - at[a], at[d] - at[c]
    cross = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    return np.degrees(np.arctan2(cross, (first * second).sum(axis=1)))


def test_every_point_belongs_to_a_group():
    of = dict(zip(COCO.names, np.array(GROUPS)[body_parts.group_of(COCO)], strict=True))
    assert of["left_ear"] == of["nose"] == "head"
    assert of["right_wrist"] == "arms"
    assert of["left_hip"] == of["right_shoulder"] == "trunk"
    assert of["right_ankle"] == "legs"
    whole = keypoint_sets.get("coco_wholebody_133")
    assert (np.bincount(body_parts.group_of(whole)) > 0).all()


def test_a_set_without_hips_is_refused():
    with pytest.raises(InputError, match="keypoints of mpii_16"):
        body_parts.group_of(keypoint_sets.get("mpii_16"))
    with pytest.raises(InputError, match="keypoints of kimore_18"):
        body_parts.group_of(keypoint_sets.get("kimore_18"))


def test_parts_put_together_again_are_the_body(athlete):
    body = Body(athlete(turns=1.3), COCO)
    np.testing.assert_allclose(body.assembled(body.parts(body.positions)), body.positions, atol=1e-9)


def test_a_gap_is_filled(athlete):
    points = athlete()
    points[5, 9] = np.nan
    assert np.isfinite(Body(points, COCO).positions).all()


@pytest.fixture
def two(athlete):
    """A straight dive and a slower, larger one, elsewhere, with bent knees and arms out; and the bounds of both."""
    own = Body(athlete(31, turns=1.0, arm=10, hip=30, knee=20), COCO)
    other = Body(athlete(61, turns=0.5, arm=60, hip=50, knee=80, size=35.0, at=(10.0, 20.0)), COCO)
    return own, np.array([0, 10, 20, 31]), other, np.array([0, 20, 40, 61])


def test_all_groups_of_its_own_are_the_athlete(two):
    found = body_parts.exchanged(*two, EVERYBODY)
    np.testing.assert_allclose(found[..., :2], two[0].positions, atol=1e-9)
    assert (found[..., 2] == 1).all()


def test_legs_bend_like_the_others_and_nothing_else_does(two):
    found = body_parts.exchanged(*two, only("arms", "trunk", "head"))
    own = two[0].positions
    assert np.abs(angle(found, "hip", "knee", "knee", "ankle")) == pytest.approx(80, abs=4)
    assert angle(found, "hip", "shoulder", "shoulder", "elbow") == pytest.approx(
        angle(own, "hip", "shoulder", "shoulder", "elbow"), abs=1e-6
    )
    legs = GROUPS.index("legs")
    others = two[0].groups != legs
    np.testing.assert_allclose(found[:, others, :2], own[:, others], atol=1e-9)


def test_the_trunk_carries_arms_and_legs_with_it(two):
    found = body_parts.exchanged(*two, only("arms", "legs", "head"))
    own = two[0].positions
    for line in (("hip", "knee", "knee", "ankle"), ("hip", "shoulder", "shoulder", "elbow")):
        assert angle(found, *line) == pytest.approx(angle(own, *line), abs=0.01)
    trunk = found[:, COCO.index("left_shoulder"), :2] - found[:, COCO.index("left_hip"), :2]
    turned = np.degrees(np.unwrap(np.arctan2(trunk[:, 1], trunk[:, 0])))
    assert abs(turned[-1] - turned[0]) == pytest.approx(180, abs=8)  # the other's half turn


def test_nothing_of_its_own_is_the_other_in_its_time(two):
    found = body_parts.exchanged(*two, np.array([False] * len(GROUPS)))
    assert len(found) == 31
    own, _, other, _ = two
    expected = other.positions[::2]  # all steps are twice as long
    size = np.linalg.norm(found[:, 5, :2] - found[:, 11, :2], axis=1)
    assert size == pytest.approx(
        np.linalg.norm(expected[:, 5] - expected[:, 11], axis=1) * own.size / other.size, rel=0.02
    )
    for line in (("hip", "knee", "knee", "ankle"), ("hip", "shoulder", "shoulder", "elbow")):
        assert angle(found, *line) == pytest.approx(angle(expected, *line), abs=2)
