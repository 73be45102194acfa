"""BlazePose from boxes, with its real weights."""

import json

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aqa_pipeline import keypoint_sets
from aqa_pipeline.errors import InputError
from aqa_pipeline.evaluation import pose_quality
from aqa_pipeline.layers import blazepose as layers
from aqa_pipeline.pose import blazepose
from aqa_pipeline.simdive.clips import simulate_clip
from aqa_pipeline.simdive.dives import draw_dive


def test_simulated_divers_have_their_points_and_a_frame_without_a_box_none():
    clip, numbers = simulate_clip(draw_dive(3, 1)), [16, 24, 32]
    boxes = np.column_stack([clip.boxes[numbers], np.ones(3)])
    boxes[1] = np.nan
    found = blazepose.build()(clip.frames[numbers], boxes)
    assert (found.shape, found.dtype) == ((3, 17, 3), np.float32)
    assert np.isnan(found[1]).all()
    sides = (boxes[:, 2:4] - boxes[:, :2]).max(axis=1)
    gaps = pose_quality.errors(found, clip.keypoints[numbers, :17, :2])
    assert pose_quality.pck(gaps[[0, 2]], sides[[0, 2]], threshold=0.2) > 0.85


def test_looking_ends_early_with_much_the_same_points():
    clip, numbers = simulate_clip(draw_dive(3, 1)), [16, 32]
    boxes = np.column_stack([clip.boxes[numbers], np.ones(2)])
    whole, early = (
        estimator(clip.frames[numbers], boxes) for estimator in (blazepose.build(sure=2, agree=0), blazepose.build())
    )
    side = (boxes[:, 2:4] - boxes[:, :2]).max()
    assert np.median(np.linalg.norm(whole[..., :2] - early[..., :2], axis=-1)) < 0.03 * side


def test_views_that_differ_are_asked_for_more():
    estimator = blazepose.build(agree=0.01)
    one, near, far = (layers.Body(np.full((33, 2), at), np.ones(33), np.zeros((2, 2)), 1.0) for at in (0.0, 1.0, 9.0))
    assert estimator._agreed([one, near], 100.0)  # 0.7 pixels off their middle
    assert not estimator._agreed([one, far], 100.0)
    assert not estimator._agreed([one], 100.0)


def test_turning_is_worth_much_on_real_divers(realdata):
    records = json.loads((realdata / "hpmcore_examples/annotations.json").read_text())[::9]
    folder = realdata / "hpmcore_examples/images"
    frames = [cv2.imread(str(folder / record["image"]), cv2.IMREAD_COLOR_RGB) for record in records]
    joints = np.array([record["joints"] for record in records])
    boxes = np.column_stack([joints.min(axis=1), joints.max(axis=1), np.ones(len(joints))])
    sides = (boxes[:, 2:4] - boxes[:, :2]).max(axis=1)
    to, of = keypoint_sets.shared("coco_17", "mpii_16")
    shares = [
        pose_quality.pck(
            pose_quality.errors(blazepose.build(turned=turned)(frames, boxes)[:, to], joints[:, of]),
            sides,
            threshold=0.2,
        )
        for turned in (True, False)
    ]
    assert shares[0] - shares[1] > 0.2


@pytest.mark.parametrize("threads", [1, 2])
def test_a_clip_that_cannot_be_read_gets_its_error_and_the_others_go_on(threads):
    class Torn(list):
        def __getitem__(self, number):
            raise InputError("spoilt.mp4: cannot be read")

    someone, nobody = np.array([[3, 4, 20, 30, 1]]), np.full((2, 5), np.nan)
    empty = [np.zeros((40, 50, 3), np.uint8)]
    estimator = blazepose.build(rotations=1, tilts=(0.0,), mirrored=False, keypoint_set="blazepose_33", threads=threads)
    answers = dict(estimator.many([("a", Torn(empty), someone), ("b", empty, someone), ("c", 2 * empty, nobody)]))
    assert isinstance(answers["a"], InputError)
    assert np.isfinite(answers["b"]).all()
    assert answers["b"].shape == (1, 33, 3)
    assert np.isnan(answers["c"]).all()
    assert answers["c"].shape == (2, 33, 3)
    with pytest.raises(InputError, match="spoilt"):
        estimator(Torn(empty), someone)


@given(st.floats(-3, 3), st.floats(8, 90))
def test_the_region_puts_the_axis_upright(angle, length):
    hips = np.array([31.0, 17.0])
    axis = np.stack([hips, hips + length * np.array([np.cos(angle), np.sin(angle)])])
    centre, side, turn = layers.region(axis, padding=1.5)
    matrix = layers.crops.matrices(centre[None], np.array([side]), size=100, angles=turn)
    low, high = layers.crops.apply(matrix, axis[None])[0]
    assert np.allclose(low, [49.5, 49.5])
    assert np.allclose(high, [49.5, 49.5 - 100 / 3])


def test_axes_that_agree_become_one_body():
    up, down, away = [[10, 50], [10, 10]], [[10, 50], [10, 90]], [[90, 50], [90, 10]]
    axes, scores = np.array([up, up, down, away], float), np.array([0.6, 0.8, 0.7, 0.5])
    bodies, best = layers.merged(axes, scores, limit=5)
    assert np.allclose(bodies, [up, away])
    assert best.tolist() == [0.8, 0.5]
    assert np.allclose(layers.merged(axes, scores, limit=5, one_a_place=False)[0], [up, down, away])


def test_the_anchors_are_those_of_the_detector():
    places = layers.anchors()
    assert places.shape == (2254, 2)
    assert places[[0, 1, 2, -1]].tolist() == [[0.5 / 28] * 2, [0.5 / 28] * 2, [1.5 / 28, 0.5 / 28], [6.5 / 7] * 2]


@pytest.mark.parametrize("wrong", [dict(smooth=4), dict(rotations=0), dict(tilts=()), dict(keypoint_set="coco17")])
def test_wrong_options_are_named(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        blazepose.build(**wrong)


def test_the_median_over_time_takes_out_a_leap_and_leaves_gaps():
    clip = np.zeros((5, 2, 3), np.float32)
    clip[1, :, :2], clip[3] = 50, np.nan
    steady = blazepose.smoothed(clip, 3)
    assert (steady[1] == 0).all()
    assert np.isnan(steady[3]).all()
