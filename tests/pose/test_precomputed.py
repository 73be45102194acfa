"""Keypoint files of other people: three formats that agree, and mistakes that are named."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aqa_pipeline import keypoint_sets
from aqa_pipeline.errors import InputError
from aqa_pipeline.pose import precomputed

T, K = 5, 17
NAMES = keypoint_sets.get("coco_17").names


@pytest.fixture
def keypoints():
    points = np.random.default_rng(3).uniform(0, 200, (T, K, 3)).round(3).astype(np.float32)
    points[..., 2] /= 200
    points[2, 4] = np.nan
    return points


def write_csv(path, points, name=str):
    rows = ["frame,keypoint,x,y,confidence"]
    for t in range(len(points)):
        for k in range(points.shape[1]):
            if np.isfinite(points[t, k]).all():
                rows.append(",".join(map(str, [t, name(k), *points[t, k].tolist()])))
    path.write_text("\n".join(rows) + "\n")


def test_npz(tmp_path, keypoints):
    np.savez(tmp_path / "a.npz", keypoints=keypoints, fps=50, keypoint_set="coco_17")
    found, facts = precomputed.read(tmp_path / "a.npz")
    np.testing.assert_array_equal(found, keypoints)
    assert facts == {"fps": 50.0, "keypoint_set": "coco_17"}
    assert found.dtype == np.float32


@pytest.mark.parametrize("name", [str, lambda k: NAMES[k]], ids=["numbers", "names"])
def test_csv(tmp_path, keypoints, name):
    write_csv(tmp_path / "a.csv", keypoints, name)
    found, facts = precomputed.read(tmp_path / "a.csv", keypoint_set="coco_17")
    np.testing.assert_array_equal(found, keypoints)
    assert facts == {"keypoint_set": "coco_17"}


def test_json(tmp_path, keypoints):
    points = [[p if np.isfinite(p).all() else [None, None, 0] for p in frame] for frame in keypoints.tolist()]
    (tmp_path / "a.json").write_text(json.dumps({"keypoints": points, "fps": 29.97}))
    found, facts = precomputed.read(tmp_path / "a.json")
    np.testing.assert_array_equal(found, keypoints)
    assert facts == {"fps": 29.97, "keypoint_set": "coco_17"}


def test_mmpose_json_takes_the_most_confident_person(tmp_path, keypoints):
    def person(points, confidence):
        return {"keypoints": points[:, :2].tolist(), "keypoint_scores": np.full(K, confidence).tolist(), "bbox": []}

    frames = [
        {"frame_id": 1, "instances": [person(keypoints[0], 0.4), person(keypoints[1], 0.75)]},
        {"frame_id": 2, "instances": []},
        {"frame_id": 3, "instances": [person(keypoints[3], 0.5), person(keypoints[4], 0.25)]},
    ]
    (tmp_path / "a.json").write_text(json.dumps({"meta_info": {}, "instance_info": frames}))
    found, _ = precomputed.read(tmp_path / "a.json")
    assert found.shape == (3, K, 3)
    np.testing.assert_array_equal(found[0, :, :2], keypoints[1, :, :2])
    assert (found[0, :, 2] == 0.75).all()
    assert np.isnan(found[1]).all()
    np.testing.assert_array_equal(found[2, :, :2], keypoints[3, :, :2])


def test_a_missing_confidence_is_one(tmp_path, keypoints):
    np.savez(tmp_path / "a.npz", keypoints=keypoints[..., :2])
    found, _ = precomputed.read(tmp_path / "a.npz")
    assert (found[0, :, 2] == 1).all()
    assert np.isnan(found[2, 4]).all()


def test_three_dimensions(tmp_path):
    points = np.random.default_rng(0).normal(size=(4, 18, 3))
    np.savez(tmp_path / "a.npz", keypoints=points)
    found, _ = precomputed.read(tmp_path / "a.npz", keypoint_set="kimore_18")
    assert found.shape == (4, 18, 4)
    np.testing.assert_array_equal(found[..., :3], points.astype(np.float32))
    assert (found[..., 3] == 1).all()


def sample(path, **columns):
    return pd.Series({"path": str(path), "fps": np.nan, "first_frame": pd.NA, "last_frame": pd.NA, **columns})


def test_a_sample_is_cut_to_its_frames(tmp_path, keypoints):
    np.savez(tmp_path / "a.npz", keypoints=keypoints)
    arrays, facts = precomputed.of_sample(sample(tmp_path / "a.npz", fps=25.0, first_frame=1, last_frame=3))
    np.testing.assert_array_equal(arrays["keypoints"], keypoints[1:4])
    assert facts == {"fps": 25.0, "keypoint_set": "coco_17"}
    whole, _ = precomputed.of_sample(sample(tmp_path / "a.npz", fps=25.0))
    assert len(whole["keypoints"]) == T
    with pytest.raises(InputError, match="has 5 frames, expected frames 1 to 5"):
        precomputed.of_sample(sample(tmp_path / "a.npz", fps=25.0, first_frame=1, last_frame=5))
    with pytest.raises(InputError, match="says no frames a second"):
        precomputed.of_sample(sample(tmp_path / "a.npz"))


ROWS = "frame,keypoint,x,y,confidence\n"
MISTAKES = {
    "a.txt": ("", r"found '.txt', expected a keypoint file: .npz, .csv, .json"),
    "a.csv": (ROWS, "holds no point"),
    "head.csv": ("frame,x,y\n0,1,2\n", "expected one column 'keypoint'"),
    "text.csv": (ROWS + "0,nose,1,left,1\n", "row 2, column y: found 'left', expected a number"),
    "name.csv": (ROWS + "0,left_foot,1,2,1\n", "row 2, column keypoint: found 'left_foot', did you mean 'left_"),
    "frame.csv": (ROWS + "-1,nose,1,2,1\n", "row 2, column frame: found '-1', expected a whole number"),
    "huge.csv": (ROWS + "99999999,nose,1,2,1\n", "row 2, column frame"),
    "twice.csv": (ROWS + "0,nose,1,2,1\n0,0,3,4,1\n", "row 3: keypoint '0' stands twice in frame 0"),
    "many.csv": (ROWS + "0,17,1,2,1\n", "keypoint 17, expected 0 to 16"),
    "cells.csv": (ROWS + "0,nose,1\n", "row 2: found 3 cells, expected 5"),
    "nobody.csv": (ROWS + "3,nose,,,\n", "no point was found in any frame"),
    "inf.csv": (ROWS + "0,nose,inf,2,1\n", "1 numbers are infinite"),
    "a.json": ("{", "cannot be read as JSON"),
    "deep.json": ("[" * 100_000, "cannot be read as JSON"),
    "other.json": ('{"points": []}', "found neither 'keypoints' nor 'instance_info'"),
    "uneven.json": ('{"keypoints": [[[1, 2]], [[1]]]}', "no even array of numbers"),
    "big.json": ('{"keypoints": [[[1' + "0" * 400 + ", 2]]]}", "no even array of numbers"),
    "fps.json": ('{"keypoints": [[[1, 2]]], "fps": "fast"}', "fps 'fast', expected a number above 0"),
    "people.json": ('{"instance_info": [{"instances": [{}]}]}', "frame 0: a person without keypoints"),
    "nobody.json": ('{"instance_info": [{"instances": null}]}', "frame 0: no list 'instances'"),
    "none.json": ('{"instance_info": [{"instances": []}]}', "people with keypoints of no shapes"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named(tmp_path, name):
    content, message = MISTAKES[name]
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        precomputed.read(tmp_path / name, keypoint_set="coco_17")
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_numbered_points_need_a_set_unless_their_count_tells(tmp_path, keypoints):
    write_csv(tmp_path / "a.csv", keypoints)
    assert precomputed.read(tmp_path / "a.csv")[1] == {"keypoint_set": "coco_17"}
    write_csv(tmp_path / "b.csv", keypoints[:, :16])
    with pytest.raises(InputError, match=r"b.csv: keypoints 0 to 15 and no keypoint_set"):
        precomputed.read(tmp_path / "b.csv")


def test_arrays_that_do_not_fit_are_named(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(InputError, match=r"a.npz: no such keypoint file"):
        precomputed.read(path)
    for arrays, message in (
        (dict(points=np.zeros((2, 17, 3))), "no array 'keypoints', did you mean 'points'"),
        (dict(keypoints=np.zeros((2, 18, 3))), r"shape \(2, 18, 3\) and no keypoint_set"),
        (dict(keypoints=np.zeros((2, 17, 5))), r"expected \(T, 17, 2 or 3\) for coco_17"),
        (dict(keypoints=np.zeros((0, 17, 3))), r"shape \(0, 17, 3\), expected"),
        (dict(keypoints=np.array([["a"]])), "no even array of numbers"),
        (dict(keypoints=np.array([{}], dtype=object)), "without pickles"),
        (dict(keypoints=np.zeros((2, 17, 3)), keypoint_set="coco"), "no keypoint set 'coco'"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(InputError, match=message):
            precomputed.read(path)


cell = st.one_of(st.sampled_from(["0", "1", "nose", "3.5", "nan", "", "1e999", "-2", "é"]), st.text(max_size=4))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["instances", "keypoints", "keypoint_scores", "fps"]), inner, max_size=3),
    ),
    max_leaves=12,
)


@given(st.lists(st.lists(cell, min_size=5, max_size=5), max_size=5))
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_csv_is_read_or_refused_in_one_line(tmp_path, rows):
    import csv

    with (tmp_path / "a.csv").open("w", newline="", encoding="utf-8", errors="surrogatepass") as file:
        csv.writer(file).writerows([["frame", "keypoint", "x", "y", "confidence"], *rows])
    _read_or_refuse(tmp_path / "a.csv")


@given(st.sampled_from(["keypoints", "instance_info", "other"]), values, values, values)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_is_read_or_refused_in_one_line(tmp_path, key, value, fps, keypoint_set):
    (tmp_path / "a.json").write_text(json.dumps({key: value, "fps": fps, "keypoint_set": keypoint_set}))
    _read_or_refuse(tmp_path / "a.json")


@given(st.binary(max_size=80), st.sampled_from(["a.npz", "a.csv", "a.json"]))
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_read_or_refused_in_one_line(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    _read_or_refuse(tmp_path / name)


def _read_or_refuse(path):
    try:
        found, _ = precomputed.read(path, keypoint_set="coco_17")
    except InputError as error:
        message = str(error)
    else:
        message = "read"
        assert found.shape[1:] == (17, 3)
        assert not np.isinf(found).any()
    assert len(message.splitlines()) == 1


def coco_person(image_id, points, **more):
    return {"image_id": image_id, "keypoints": points.ravel().tolist(), **more}


def test_coco_annotations_take_the_largest_person(tmp_path):
    points = np.full((K, 3), [30.0, 40, 2])
    points[3], points[5] = [0, 0, 0], [7, 8, 1]
    small, large = dict(bbox=[0, 0, 10, 20]), dict(bbox=[0, 0, 30, 20])
    people = [coco_person(90, points - 1, **small), coco_person(90, points, **large), coco_person(7, points)]
    value = {"images": [{"id": 90}, {"id": 7}, {"id": 8}], "annotations": people}
    (tmp_path / "a.json").write_text(json.dumps(value))
    found, facts = precomputed.read(tmp_path / "a.json")
    assert facts == {"keypoint_set": "coco_17"}
    assert found.shape == (3, K, 3)
    assert found[2, 0].tolist() == [30, 40, 1]
    assert np.isnan(found[2, 3]).all()
    assert found[2, 5].tolist() == [7, 8, 0.5]
    assert np.isnan(found[1]).all()  # picture 8 has nobody


def test_coco_results_are_numbered_by_frame(tmp_path, keypoints):
    points = np.nan_to_num(keypoints[0])
    people = [coco_person(2, points, score=0.3), coco_person(2, points + 5, score=0.4), coco_person(0, points)]
    (tmp_path / "a.json").write_text(json.dumps(people))
    found, _ = precomputed.read(tmp_path / "a.json")
    assert found.shape == (3, K, 3)
    np.testing.assert_allclose(found[2], points + 5, rtol=1e-6)
    assert np.isnan(found[1]).all()


@pytest.mark.parametrize("shape", [(6, 16, 2), (6, 16, 3), (96, 2), (6, 32), (6, 1, 16, 2)])
def test_pose_files_of_finediving(tmp_path, shape):
    points = np.random.default_rng(2).uniform(0, 200, shape)
    np.savez(tmp_path / "pred_comp_3.npz", pred=points)
    found, facts = precomputed.read(tmp_path / "pred_comp_3.npz")
    assert facts == {"keypoint_set": "mpii_16"}
    width = 3 if shape[-1] == 3 else 2
    np.testing.assert_allclose(found[..., :width], points.reshape(6, 16, width), rtol=1e-6)
    np.savez(tmp_path / "other.npz", pred=np.zeros((6, 17, 2)))
    with pytest.raises(InputError, match=r"pred of shape \(6, 17, 2\), expected \(T, 16, 2\)"):
        precomputed.read(tmp_path / "other.npz")


@pytest.mark.parametrize(("size", "name"), [(25, "body_25"), (18, "openpose_18")])
def test_a_folder_of_openpose(tmp_path, size, name):
    sure, unsure = np.full((size, 3), [3, 4, 0.8]), np.full((size, 3), [9, 9, 0.2])
    sure[2] = 0
    for frame, people in ((9, [unsure, sure]), (10, []), (11, [unsure])):
        value = {"version": 1.3, "people": [{"pose_keypoints_2d": p.ravel().tolist()} for p in people]}
        (tmp_path / f"dive_{frame}_keypoints.json").write_text(json.dumps(value))
    found, facts = precomputed.read(tmp_path)
    assert facts == {"keypoint_set": name}
    assert found.shape == (3, size, 3)
    assert found[0, 0] == pytest.approx([3, 4, 0.8])
    assert np.isnan(found[0, 2]).all()
    assert np.isnan(found[1]).all()
    assert found[2, 2] == pytest.approx([9, 9, 0.2])
    (tmp_path / "dive_10_keypoints.json").unlink()
    with pytest.raises(InputError, match="2 files of frames 9 to 11, expected all"):
        precomputed.read(tmp_path)


people = st.dictionaries(
    st.sampled_from(["image_id", "keypoints", "score", "bbox", "area", "pose_keypoints_2d"]),
    st.one_of(values, st.integers(0, 4), st.just([1.0, 2.0, 0.5] * 17)),
)


@given(st.lists(people, max_size=3), st.booleans())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_coco_json_is_read_or_refused_in_one_line(tmp_path, records, listed):
    value = {"images": [{"id": i} for i in range(5)], "annotations": records} if listed else records
    (tmp_path / "a.json").write_text(json.dumps(value))
    _read_or_refuse(tmp_path / "a.json")


@given(st.one_of(values, st.fixed_dictionaries({"people": st.lists(people, max_size=2)})))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_folder_of_openpose_is_read_or_refused_in_one_line(tmp_path, value):
    (tmp_path / "0_keypoints.json").write_text(json.dumps(value))
    _read_or_refuse(tmp_path)


@given(st.integers(0, 4), st.lists(st.integers(0, 17), min_size=0, max_size=4))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_pred_is_read_or_refused_in_one_line(tmp_path, last, shape):
    np.savez(tmp_path / "a.npz", pred=np.ones((*shape, last)))
    try:
        found, _ = precomputed.read(tmp_path / "a.npz")
    except InputError as error:
        found, message = np.zeros((1, 16, 3)), str(error)
        assert len(message.splitlines()) == 1
    assert found.shape[1:] == (16, 3)


def test_real_annotations_of_coco(realdata):
    found, facts = precomputed.read(realdata / "pose_testdata/tests/data/coco/test_coco.json")
    assert facts == {"keypoint_set": "coco_17"}
    assert found.shape == (4, 17, 3)
    assert found[0, 0].tolist() == [367, 81, 1]
