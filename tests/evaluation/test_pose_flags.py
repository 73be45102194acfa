"""Flags of a clip whose faults were put in by hand, and the stage that lists and shows them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

from aqa_pipeline import frames, keypoint_sets, stores
from aqa_pipeline.evaluation import pose_flags, worst_frames
from aqa_pipeline.stages.flag_keypoints import flag_keypoints

T, K = 26, 17
COCO = keypoint_sets.get("coco_17")


def clip():
    """A body 96 pixels high and 24 wide that walks 2 pixels a frame, sure of itself."""
    side = np.array([0.0 if name == "nose" else 12.0 if name.startswith("left") else -12.0 for name in COCO.names])
    keypoints = np.empty((T, K, 3), np.float32)
    keypoints[..., 0] = 60 + 2 * np.arange(T)[:, None] + side
    keypoints[..., 1] = 12 + 12 * (np.arange(K) // 2)
    keypoints[..., 2] = 0.8
    return keypoints


def raised(keypoints, **options):
    flags = pose_flags.flags_of_clip(keypoints, COCO, fps=25.0, **options)
    return {name: np.flatnonzero(value).tolist() for name, value in flags.items() if value.any()}


def test_an_even_walk_raises_nothing():
    assert raised(clip()) == {}


def test_a_frame_without_a_box_is_missed_only_between_others():
    keypoints = clip()
    keypoints[[0, 1, 9, 25]] = np.nan
    assert raised(keypoints) == {"no_box": [9]}


def test_unsure_frames():
    keypoints = clip()
    keypoints[4, :9, 2] = 0.1  # 8 of 17 points are left; the mean confidence is 0.43
    keypoints[7, :, 2] = 0.45
    assert raised(keypoints) == {"few_points": [4], "low_confidence": [4, 7]}


def test_a_leg_too_long_and_a_point_that_jumps():
    keypoints = clip()
    ankle = COCO.index("left_ankle")
    keypoints[12, ankle, 1] += 50  # 62 pixels from the knee, where 12 are usual
    assert raised(keypoints) == {"implausible_bones": [12], "jump": [12]}
    assert raised(keypoints, acceleration=5000.0, longest_bone=9.0) == {}
    short = clip()
    short[12, ankle, 1] -= 11  # a bone that points at the camera
    assert raised(short) == {}


def test_a_jump_at_a_cut_is_none():
    keypoints = clip()
    keypoints[13:, :, :2] += 90
    assert raised(keypoints)["jump"] == [12, 13]
    assert raised(keypoints, cuts=[13]) == {}


def test_exchanged_sides_are_suspected():
    keypoints = clip()
    keypoints[10:13] = keypoints[10:13, list(COCO.flipped)]
    assert raised(keypoints, acceleration=5000.0)["swap"] == [10, 11, 12]


@given(hnp.arrays(bool, (T, K)))
@settings(max_examples=30, deadline=None)
def test_flags_lie_between_0_and_1_whatever_is_missing(missing):
    keypoints = clip()
    keypoints[missing] = np.nan
    flags = pose_flags.flags_of_clip(keypoints, COCO, fps=25.0)
    assert tuple(flags) == pose_flags.FLAGS
    for value in flags.values():
        assert value.shape == (T,)
        assert ((value >= 0) & (value <= 1)).all()


def test_the_worst_frames_of_a_clip_lie_apart():
    severities = np.array([0, 3.0, 2.5, 0, 0, 0, 1.0])
    assert pose_flags.worst(severities, n=3) == [1, 6]
    assert pose_flags.worst(severities, n=2, apart=1) == [1, 2]


def test_the_worst_frames_of_several_clips_clip_by_clip():
    first = worst_frames.Clip("a", 0, {"jump": np.array([0, 0.9, 0.8, 0, 0, 0, 0.3])})
    second = worst_frames.Clip("b", 0, {"jump": np.array([0.2, 0.7])})
    chosen = worst_frames.worse([], first, n=3)
    chosen = worst_frames.worse(chosen, second, n=3)
    assert [(clip.video_id, frame) for clip, frame in chosen] == [("a", 1), ("b", 1), ("a", 6)]


@pytest.fixture
def made(tmp_path, video):
    """Stores of one video of 26 frames in which frame 12 is wrong."""
    keypoints = clip()
    keypoints[12, 15, 1] += 50
    keypoints[0] = np.nan
    arrays, facts = frames.extract(video(n_frames=T, width=160, height=128, fps=25.0))
    contents = {"frames": arrays, "keypoints": {"keypoints": keypoints}, "boxes": {"boxes": np.ones((T, 5))}}
    for kind, content in contents.items():
        with stores.write(tmp_path / f"{kind}.h5", kind=kind, version=1, made_by={}) as store:
            store.put("a/1", content, keypoint_set="coco_17", **facts)
    return {kind: [tmp_path / f"{kind}.h5"] for kind in contents}


def test_the_stage_lists_and_shows_them(made, tmp_path):
    import cv2

    out, worst, sheet = tmp_path / "flags.csv", tmp_path / "worst.csv", tmp_path / "worst.png"
    flag_keypoints(out, worst, sheet, **made)
    rows = pd.read_csv(out).to_dict("records")
    assert [(row["video_id"], row["frame"], row["flags"]) for row in rows] == [("a/1", 12, "implausible_bones jump")]
    assert 1 < rows[0]["severity"] < 2
    assert pd.read_csv(worst).to_dict("records") == rows
    picture = cv2.imread(str(sheet))
    assert picture.shape == (274, 6 * 240, 3)
    assert picture[34:, :240].std() > 10  # the skeleton on an even grey
    assert picture[:, 240:].std() == 0  # no other tile


def test_where_nothing_is_wrong_the_sheet_is_empty(made, tmp_path):
    options = {"longest_bone": 50.0, "acceleration": 1e6}
    out, worst, sheet = tmp_path / "flags.csv", tmp_path / "worst.csv", tmp_path / "worst.png"
    flag_keypoints(out, worst, sheet, **made, options=options)
    assert pd.read_csv(out).empty
    assert sheet.stat().st_size > 0
