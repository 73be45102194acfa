"""Whole clips through the smoother, alone and as a stage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from aqa_pipeline import stores
from aqa_pipeline.errors import InputError
from aqa_pipeline.pose import smoothed
from aqa_pipeline.stages.smooth_keypoints import smooth_keypoints

T, K = 23, 17
ABOUT = dict(keypoint_set="coco_17", fps=25.0)
EVERYTHING = dict(least=0.2, swaps="limbs", reject=6.0, speed=20.0, fill=3, filter="savgol", window=5)


def clip(n_frames=T):
    """A standing body that walks 3 pixels a frame, sure of itself."""
    keypoints = np.empty((n_frames, K, 3), np.float32)
    keypoints[..., 0] = 3 * np.arange(n_frames)[:, None] + 10 * (np.arange(K) % 2)
    keypoints[..., 1] = np.linspace(0, 90, K)
    keypoints[..., 2] = 0.8
    return keypoints


def test_nothing_is_done_unless_asked_for():
    keypoints = clip()
    keypoints[3, 4] = np.nan
    keypoints[5, 6, 0] += 500
    np.testing.assert_array_equal(smoothed.build()(keypoints, **ABOUT), keypoints)


def test_a_spike_is_taken_out_and_the_gap_closed_with_confidence_0():
    keypoints = clip()
    keypoints[8, 9, :2] += 60
    keypoints[15, 2, 2] = 0.1  # not sure enough
    answer = smoothed.build(reject=6.0, least=0.2, fill=2)(keypoints, **ABOUT)
    np.testing.assert_allclose(answer[..., :2], clip()[..., :2], atol=1e-4)
    assert (answer[8, 9, 2], answer[15, 2, 2]) == (0, 0)
    assert np.sum(answer[..., 2] == 0) == 2
    dropped = smoothed.build(reject=6.0)(keypoints, **ABOUT)
    assert np.isnan(dropped[8, 9]).all()
    assert np.isnan(dropped).any(axis=2).sum() == 1


@given(missing=hnp.arrays(bool, (T, K)), cuts=st.lists(st.integers(0, T), max_size=3))
@settings(max_examples=40, deadline=None)
def test_whatever_is_missing_shape_and_ends_are_kept(missing, cuts):
    keypoints = clip()
    keypoints[missing] = np.nan
    answer = smoothed.build(**EVERYTHING)(keypoints, **ABOUT, cuts=cuts)
    assert (answer.shape, answer.dtype) == (keypoints.shape, np.float32)
    found = np.isfinite(answer)
    assert (found.all(axis=2) == found.any(axis=2)).all()  # whole rows
    np.testing.assert_allclose(answer[found], np.where(answer[..., 2:] > 0, clip(), _certain(0))[found], atol=1e-3)
    for k in range(K):
        seen, given_ = np.flatnonzero(found[:, k, 0]), np.flatnonzero(~missing[:, k])
        assert not len(seen) or (given_[0] <= seen[0] and seen[-1] <= given_[-1])


def _certain(confidence):
    keypoints = clip()
    keypoints[..., 2] = confidence
    return keypoints


def test_three_dimensions_pass_too():
    keypoints = np.random.default_rng(0).normal(size=(T, 25, 4)).astype(np.float32)
    keypoints[..., 3] = 1
    answer = smoothed.build(filter="butterworth", cutoff=3)(keypoints, keypoint_set="kinect_25", fps=30.0)
    assert answer.shape == keypoints.shape
    assert np.diff(answer[..., :3], axis=0).std() < 0.5 * np.diff(keypoints[..., :3], axis=0).std()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filter": "savgoll"}, "unknown filter 'savgoll', did you mean 'savgol'"),
        ({"window": 6}, "window found 6, expected an odd number of frames"),
        ({"fill": -1}, "fill found -1, expected 0 or more"),
        ({"order": 7}, "order found 7, expected 1 to 6"),
        ({"swaps": "limb"}, "unknown swaps 'limb', did you mean 'limbs'"),
    ],
)
def test_a_wrong_option_is_named(options, message):
    with pytest.raises(InputError, match=message):
        smoothed.build(**options)


@pytest.fixture
def raw(tmp_path):
    """Two videos, the first with a partner; `b` has no frame rate. The boxes know of a cut in `a`."""
    wild = clip()
    wild[8, 9, :2] += 60
    wild[8:10, 3, 2] = 0.4
    with stores.write(tmp_path / "raw.h5", kind="keypoints", version=1, made_by={"estimator": "blaze"}) as store:
        store.put("a", {"keypoints": wild, "partner_keypoints": wild + 1}, **ABOUT, width=320)
        store.put("b", {"keypoints": clip()}, keypoint_set="coco_17")
        store.fail("c", "extract_frames", "empty")
    with stores.write(tmp_path / "boxes.h5", kind="boxes", version=1, made_by={}) as store:
        store.put("a", {"boxes": np.zeros((T, 5), np.float32), "cuts": np.array([9])})
    return tmp_path


def test_the_stage_smooths_both_athletes_and_carries_what_failed(raw):
    smooth_keypoints(raw / "raw.h5", raw / "smooth.h5", options={"reject": 6.0, "least": 0.5, "fill": 2})
    with stores.read(raw / "smooth.h5", kind="keypoints") as store:
        assert list(store) == ["a"]
        np.testing.assert_allclose(store.array("a", "keypoints")[..., :2], clip()[..., :2], atol=1e-4)
        np.testing.assert_allclose(store.array("a", "partner_keypoints")[..., :2], clip()[..., :2] + 1, atol=1e-4)
        assert store.facts("a")["width"] == 320
        assert store.failures["c"] == ("extract_frames", "empty")
        assert "no fact 'fps'" in store.failures["b"][1]
        assert store.made_by["inputs"] == {"keypoints": {"estimator": "blaze", "version": 1}}


def test_the_stage_closes_no_gap_at_a_cut(raw):
    options = {"speed": 20.0, "least": 0.5, "fill": 2}
    smooth_keypoints(raw / "raw.h5", raw / "smooth.h5", options=options)
    smooth_keypoints(raw / "raw.h5", raw / "cut.h5", options=options, boxes=raw / "boxes.h5")
    for name, unsure in (("smooth.h5", [0.0, 0.0]), ("cut.h5", [np.nan, np.nan])):
        with stores.read(raw / name, kind="keypoints") as store:
            np.testing.assert_array_equal(store.array("a", "keypoints")[8:10, 3, 2], unsure)
