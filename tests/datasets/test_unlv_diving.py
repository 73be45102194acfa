"""The adapter on made-up dives in both released layouts, and on real files against figures that must be met."""

import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from aqa_pipeline import frames, untrusted
from aqa_pipeline.datasets import COLUMNS, _unlv, aqa_7, unlv_diving
from aqa_pipeline.errors import InputError

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_samples(release):
    root = release("unlv_diving")
    table = unlv_diving.samples(root=root)
    assert list(table.columns) == [*COLUMNS, "part", "broadcast", "identity"]
    assert list(table["video_id"]) == [f"dive_{n:03d}" for n in range(1, 12)]
    assert list(table["video_id"][table["part"] == "test"]) == ["dive_003", "dive_005", "dive_008"]
    scores = untrusted.read_mat(root / "diving_overall_scores.mat", "overall_scores")["overall_scores"][0]
    levels = untrusted.read_mat(root / "diving_difficulty_level.mat", "difficulty_level")["difficulty_level"][0]
    np.testing.assert_array_equal(table["score"], scores)
    np.testing.assert_array_equal(table["difficulty"], levels)
    assert (table["first_frame"].eq(0) & table["last_frame"].eq(150)).all()
    assert table["identity"].iloc[8] == "mtl_aqa/03/010"
    assert table["identity"].iloc[8] == _unlv.identity(9, "diving")  # as aqa_7 says


def test_both_lengths_of_the_clips(release):
    root = release("unlv_diving", media=True)
    padded = unlv_diving.samples(root=root).iloc[3]
    arrays, facts = frames.extract(padded["path"], first=padded["first_frame"], last=padded["last_frame"])
    assert len(arrays["time"]) == 151
    assert (facts["width"], facts["height"], facts["fps"]) == (24, 16, 25.0)
    whole = unlv_diving.samples(root=root, original_length=True)
    assert whole["last_frame"].isna().all()
    assert len(frames.extract(whole["path"].iloc[3])[0]["time"]) == 94
    assert [folder.is_dir() for folder in unlv_diving.media(root=root)["videos"]] == [True]


def test_label_errors_are_impossible_sums_of_marks(release):
    root = release("unlv_diving")
    assert list(unlv_diving.label_errors(root=root)) == []
    levels = untrusted.read_mat(root / "diving_difficulty_level.mat", "difficulty_level")["difficulty_level"]
    levels[0, :3] = 2.0, 3.0, 3.3
    scores = untrusted.read_mat(root / "diving_overall_scores.mat", "overall_scores")["overall_scores"]
    scores[0, :3] = 61.0, 84.15, 84.15  # 30.5; 28.05; 25.5
    savemat(root / "diving_difficulty_level.mat", {"difficulty_level": levels})
    savemat(root / "diving_overall_scores.mat", {"overall_scores": scores})
    assert [(video_id, kind) for video_id, kind, _ in unlv_diving.label_errors(root=root)] == [
        ("dive_001", "execution"),
        ("dive_002", "execution"),
    ]


def test_cut_from_mtl_aqa_by_place_and_not_by_sample(release):
    table = unlv_diving.samples(mtl_aqa_root=release("unlv_dive_in_mtl_aqa")).set_index("video_id")
    score = {  # 10 times the video and a tenth of the sample
        "dive_008": 30.8,
        "dive_009": 31.0,  # place 9 of video 3 is sample 10
        "dive_072": 37.3,
        "dive_073": 20.1,
        "dive_180": 30.8,  # place 108 of video 2
        "dive_243": 16.3,  # place 63 of video 1
        "dive_244": 16.5,  # sample 64 has no annotation
        "dive_249": 17.1,  # sample 70 is no dive of UNLV-Dive
        "dive_370": 29.2,
    }
    assert table["score"].to_dict() == pytest.approx(score)
    assert list(table.index[table["part"] == "test"]) == ["dive_072", "dive_073", "dive_249"]
    assert table["identity"].loc["dive_244"] == "mtl_aqa/01/065"
    assert table["path"].loc["dive_180"].endswith("whole_videos_frames/02")


def test_frames_of_mtl_aqa(release):
    root = release("unlv_dive_in_mtl_aqa", media=True)
    row = unlv_diving.samples(mtl_aqa_root=root).set_index("video_id").loc["dive_009"]
    arrays, _ = frames.extract(row["path"], first=row["first_frame"], last=row["last_frame"])
    assert (arrays["frame_number"][0], arrays["frame_number"][-1]) == (row["first_frame"], row["last_frame"])
    assert frames.decode_jpeg(arrays["jpeg"][: arrays["offset"][1]]).mean() == pytest.approx(
        row["first_frame"] % 256, abs=2
    )


def test_mistakes_are_named(release, tmp_path):
    for options in ({}, {"root": tmp_path, "mtl_aqa_root": tmp_path}):
        with pytest.raises(InputError, match="expected either root or mtl_aqa_root"):
            unlv_diving.samples(**options)
    with pytest.raises(InputError, match=r"diving_overall_scores.mat: no such file"):
        unlv_diving.samples(root=tmp_path / "none")
    with pytest.raises(InputError, match=r"final_annotations_dict.pkl: no such file"):
        unlv_diving.samples(mtl_aqa_root=tmp_path / "none")
    root = release("unlv_diving")
    training, testing = root / "split_300_70/training_idx.mat", root / "split_300_70/testing_idx.mat"
    for numbers, message in (
        ([8, 3, 5, 4], r"testing_idx.mat: sample 4 stands twice in the split"),
        ([8, 3, 12], r"testing_idx.mat: sample 12, expected a number from 1 to 11"),
        ([8, 3], r"training_idx.mat: sample 5 stands neither here nor in testing_idx.mat"),
    ):
        savemat(testing, {"testing_idx": np.array([numbers])})
        with pytest.raises(InputError, match=message):
            unlv_diving.samples(root=root)
    savemat(training, {"testing_idx": np.array([[1]])})
    with pytest.raises(InputError, match="no variable 'training_idx', did you mean 'testing_idx'"):
        unlv_diving.samples(root=root)
    savemat(root / "diving_difficulty_level.mat", {"difficulty_level": np.ones((1, 10))})
    with pytest.raises(InputError, match="10 difficulties, expected 11, one a score"):
        unlv_diving.samples(root=root)
    savemat(root / "diving_difficulty_level.mat", {"difficulty_level": np.zeros((1, 11))})
    with pytest.raises(InputError, match="difficulty 0, expected more than 0"):
        unlv_diving.samples(root=root)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("train_split_370_4.pkl", {1: 2}, r"train_split_370_4.pkl: found dict, expected a list"),
        ("train_split_370_4.pkl", [(1, 2, 3)], r"entry \(1, 2, 3\), expected two whole numbers"),
        (
            "train_split_370_4.pkl",
            [(3, 73)],
            r"train_split_370_4.pkl: dive \(3, 73\), expected places 1 to 72 of video 3",
        ),
        ("test_split_370_4.pkl", [(3, 8)], "video_id 'dive_008' stands twice"),
        ("final_annotations_dict.pkl", {}, r"no sample \(3, 8\), expected its annotation"),
        (
            "final_annotations_dict.pkl",
            {(3, 8): {"score": 1}},
            r"sample \(3, 8\) has no 'final_score', did you mean 'score'",
        ),
        ("final_annotations_dict.pkl", [1], "found list, expected a dict"),
    ],
)
def test_mistakes_in_mtl_aqa_are_named(release, name, value, message):
    root = release("unlv_dive_in_mtl_aqa")
    (root / "MTL-AQA_dataset_release/Ready_2_Use/UNLV_Dive_split_4" / name).write_bytes(pickle.dumps(value))
    with pytest.raises(InputError, match=message):
        unlv_diving.samples(mtl_aqa_root=root)


def test_frames_out_of_order_are_named(release):
    root = release("unlv_dive_in_mtl_aqa")
    path = root / "MTL-AQA_dataset_release/Ready_2_Use/UNLV_Dive_split_4/final_annotations_dict.pkl"
    annotations = untrusted.read_pickle(path)
    for changed, message in (
        ({"end_frame": 5}, r"sample \(3, 8\) has frames \d+ to 5, expected whole numbers in order"),
        ({"difficulty": 0}, r"sample \(3, 8\) has difficulty 0"),
        ({"final_score": "9"}, r"\(3, 8\): found '9', expected a number"),
    ):
        path.write_bytes(pickle.dumps(annotations | {(3, 8): annotations[3, 8] | changed}))
        with pytest.raises(InputError, match=message):
            unlv_diving.samples(mtl_aqa_root=root)


def valid_or_refused(**options):
    try:
        table = unlv_diving.samples(**options)
    except InputError:
        return
    assert np.isfinite(table["score"]).all()
    assert (table["difficulty"] > 0).all()
    assert set(table["part"]) <= {"train", "test"}


def mutated(data, whole: bytes) -> bytes:
    at = data.draw(st.integers(0, len(whole)))
    changed = whole[:at] + data.draw(st.binary(max_size=12)) + whole[at + data.draw(st.integers(0, 12)) :]
    return data.draw(st.sampled_from([changed, whole[:at]]))


@quick
@given(data=st.data())
def test_whatever_the_bytes_of_the_release(release, tmp_path, data):
    root = tmp_path / "unlv_diving"
    root.exists() or release("unlv_diving")
    path = data.draw(st.sampled_from(unlv_diving.annotation_files(root=root)))
    whole = path.read_bytes()
    path.write_bytes(mutated(data, whole))
    try:
        valid_or_refused(root=root)
    finally:
        path.write_bytes(whole)


@quick
@given(data=st.data())
def test_whatever_the_bytes_of_mtl_aqa(release, tmp_path, data):
    root = tmp_path / "unlv_dive_in_mtl_aqa"
    root.exists() or release("unlv_dive_in_mtl_aqa")
    path = data.draw(st.sampled_from(unlv_diving.annotation_files(mtl_aqa_root=root)))
    whole = path.read_bytes()
    path.write_bytes(mutated(data, whole) if data.draw(st.booleans()) else pickle.dumps(data.draw(VALUES)))
    try:
        valid_or_refused(mtl_aqa_root=root)
    finally:
        path.write_bytes(whole)


LEAVES = st.none() | st.integers(-3, 400) | st.floats() | st.text(max_size=3)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(
            st.tuples(st.just(3), st.integers(1, 9)) | st.sampled_from(["final_score"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


def test_real_dives_of_mtl_aqa(realdata):
    roots = realdata / "MTL-AQA", realdata / "AQA-7"
    if not all(root.is_dir() for root in roots):
        pytest.skip("AQA_REALDATA has no MTL-AQA and AQA-7")
    here = unlv_diving.samples(mtl_aqa_root=roots[0])
    there = aqa_7.samples(root=roots[1], action="diving")
    assert here["part"].value_counts().to_dict() == {"train": 300, "test": 70}
    assert list(here["part"]) == list(there["part"])
    assert list(here["identity"]) == list(there["identity"])
    differ = ~np.isclose(here["score"], there["score"])
    assert list(here["video_id"][differ]) == ["dive_073", "dive_345"]
    np.testing.assert_allclose((here["score"] - there["score"])[differ], [0.1, -0.1], atol=1e-9)
    assert [video_id for video_id, _, _ in unlv_diving.label_errors(mtl_aqa_root=roots[0])] == ["dive_073"]
