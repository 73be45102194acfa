"""Names, symmetry and skeletons of the keypoint sets."""

import numpy as np
import pytest

from aqa_pipeline import keypoint_sets
from aqa_pipeline.errors import InputError

SIZES = {
    **{"coco_17": 17, "coco_wholebody_133": 133, "mpii_16": 16, "body_25": 25, "openpose_18": 18, "blazepose_33": 33},
    **{"kimore_18": 18, "kinect_25": 25, "ui_prmd_22": 22, "plug_in_gait_39": 39},
}


def test_all_sets_are_listed():
    assert set(keypoint_sets.available()) == set(SIZES)


@pytest.mark.parametrize("name", SIZES)
def test_a_set_is_consistent(name):
    chosen = keypoint_sets.get(name)
    assert len(chosen) == len(set(chosen.names)) == SIZES[name]
    assert len(chosen.sigmas) in (0, len(chosen))
    assert (chosen.dimensions == 3) == (not chosen.sigmas)
    touched = {end for edge in chosen.edges for end in edge}
    assert touched == set(range(len(chosen))), "every keypoint is drawn"
    paired = [index for pair in chosen.flip_pairs for index in pair]
    assert len(paired) == len(set(paired)), "no keypoint in two pairs"


@pytest.mark.parametrize("name", SIZES)
def test_mirroring_twice_gives_the_original_and_swaps_sides(name):
    chosen = keypoint_sets.get(name)
    order = np.array(chosen.flipped)
    assert (order[order] == np.arange(len(chosen))).all()
    for index, label in enumerate(chosen.names):
        if label.startswith("left_"):
            assert chosen.names[order[index]] == label.replace("left_", "right_")


@pytest.mark.parametrize("name", SIZES)
def test_the_mirrored_skeleton_is_the_same_skeleton(name):
    chosen = keypoint_sets.get(name)
    edges = {frozenset(edge) for edge in chosen.edges}
    assert {frozenset(chosen.flipped[end] for end in edge) for edge in edges} == edges


def test_whole_body_begins_with_the_seventeen_and_keeps_the_published_places():
    body, whole = keypoint_sets.get("coco_17"), keypoint_sets.get("coco_wholebody_133")
    assert whole.names[:17] == body.names
    assert whole.sigmas[:17] == body.sigmas
    places = {
        "left_big_toe": 17,
        "right_heel": 22,
        "face_0": 23,
        "face_67": 90,
        "left_hand_0": 91,
        "right_hand_20": 132,
    }
    assert {label: whole.index(label) for label in places} == places
    assert (23, 39) in whole.flip_pairs
    assert whole.flipped[23 + 36] == 23 + 45
    assert whole.flipped[23 + 8] == 23 + 8  # the chin is its own mirror


def test_known_places_of_the_other_sets():
    assert keypoint_sets.get("mpii_16").names[9] == "head_top"
    kimore = keypoint_sets.get("kimore_18")
    assert (kimore.names[0], kimore.names[17], kimore.dimensions) == ("spine_base", "spine_shoulder", 3)
    kinect = keypoint_sets.get("kinect_25")  # JointType of the Kinect v2: Head 3, HipLeft 12, SpineShoulder 20
    assert (kinect.names[3], kinect.names[12], kinect.names[20]) == ("head", "left_hip", "spine_shoulder")
    assert keypoint_sets.get("ui_prmd_22").names[10] == "right_collar"
    assert keypoint_sets.get("plug_in_gait_39").names[23:25] == ("left_asis", "right_asis")


def test_shared_columns_hold_the_same_names():
    for one, other, count in (("blazepose_33", "coco_17", 17), ("mpii_16", "coco_17", 12), ("coco_17", "mpii_16", 12)):
        left, right = keypoint_sets.shared(one, other)
        names = [keypoint_sets.get(one).names[i] for i in left]
        assert names == [keypoint_sets.get(other).names[i] for i in right]
        assert len(names) == count
        assert right == sorted(right)
    assert keypoint_sets.shared("blazepose_33", "coco_17")[0][:7] == [0, 2, 5, 7, 8, 11, 12]
    assert keypoint_sets.shared("mpii_16", "ui_prmd_22") == ([], [])


def test_sigmas_of_blazepose_are_those_of_coco_where_it_has_the_point():
    ours, coco = keypoint_sets.get("blazepose_33"), keypoint_sets.get("coco_17")
    of, to = keypoint_sets.shared("blazepose_33", "coco_17")
    assert [ours.sigmas[i] for i in of] == [coco.sigmas[i] for i in to]
    whole = keypoint_sets.get("coco_wholebody_133")
    for own, known in (
        *(("left_eye_inner", "face_42"), ("left_eye_outer", "face_45"), ("right_eye_inner", "face_39")),
        *(("right_eye_outer", "face_36"), ("right_mouth", "face_48"), ("left_mouth", "face_54")),
        *(("left_pinky", "left_hand_17"), ("left_index", "left_hand_5"), ("right_thumb", "right_hand_2")),
        *(("left_heel", "left_heel"), ("right_heel", "right_heel"), ("right_foot_index", "right_big_toe")),
    ):
        assert ours.sigmas[ours.index(own)] == whole.sigmas[whole.index(known)], own


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'coco_17'"):
        keypoint_sets.get("coco17")
    with pytest.raises(InputError, match="did you mean 'left_wrist'"):
        keypoint_sets.get("coco_17").index("left_writs")
