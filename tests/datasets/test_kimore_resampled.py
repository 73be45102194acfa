"""The adapter on a small file of the same layout, and on the real ones against figures that must be met."""

import numpy as np
import pytest

from aqa_pipeline.datasets import COLUMNS, kimore_resampled
from aqa_pipeline.errors import InputError
from aqa_pipeline.metrics.med import med
from aqa_pipeline.protocols import given


@pytest.fixture
def root(tmp_path):
    rng = np.random.default_rng(1)
    np.savez(
        tmp_path / "kimore_ex3.npz",
        skeletons=rng.normal(size=(4, 9, 18, 3)).astype(np.float32),
        subject=np.array([41, 40, 55, 70], np.int16),
        fold=np.array([1, 0, 1, 0], np.int8),
        score=np.array([50.0, 40.83333, 100.0, 0.0]),
    )
    return tmp_path


def test_samples(root):
    table = kimore_resampled.samples(root=root, exercise=3)
    assert list(table.columns) == [*COLUMNS, "fold"]
    assert list(table["video_id"]) == ["patient_40", "patient_41", "patient_55", "patient_70"]
    assert list(table["group"]) == list(table["video_id"])
    assert list(table["fold"]) == [0, 1, 1, 0]
    assert list(table["score"]) == [40.83333, 50.0, 100.0, 0.0]
    assert set(table["action_type"]) == {"exercise_3"}
    assert table["difficulty"].isna().all()


def test_keypoints_of_the_asked_patients(root):
    [(video_id, keypoints, facts)] = kimore_resampled.keypoints({"patient_55"}, root=root, exercise=3)
    skeletons = np.load(root / "kimore_ex3.npz")["skeletons"]
    assert video_id == "patient_55"
    assert keypoints.shape == (9, 18, 4)
    assert keypoints.dtype == np.float32
    np.testing.assert_array_equal(keypoints[:, :, :3], skeletons[2])
    assert (keypoints[:, :, 3] == 1).all()
    assert facts == {"fps": 30.0, "keypoint_set": "kimore_18"}


def test_unusable_files_are_named(root):
    with pytest.raises(InputError, match=r"kimore_ex2.npz: no such file"):
        kimore_resampled.samples(root=root, exercise=2)
    with np.load(root / "kimore_ex3.npz") as file:
        np.savez(root / "kimore_ex4.npz", **{**file, "score": np.array([1.0, 101.0, 2.0, 3.0])})
    with pytest.raises(InputError, match=r"kimore_ex4.npz: score 101.0, expected 0 to 100"):
        kimore_resampled.samples(root=root, exercise=4)


@pytest.mark.parametrize(("exercise", "expected"), [(1, 17.0), (2, 25.2), (3, 19.6), (4, 15.7)])
def test_real_training_mean(realdata, exercise, expected):
    """The mean of the other patients' scores, fold by fold, misses by what it missed by when the set was first read."""
    root = realdata / "kimore_patients"
    if not root.is_dir():
        pytest.skip("AQA_REALDATA has no kimore_patients")
    table = kimore_resampled.samples(root=root, exercise=exercise)
    parts = given.folds(table, n_folds=5).merge(table[["video_id", "score"]], on="video_id")
    train_mean = parts[parts["part"] == "train"].groupby("fold")["score"].mean()
    test = parts[parts["part"] == "test"]
    assert len(test) == 31
    assert med(test["fold"].map(train_mean), test["score"]) == pytest.approx(expected, abs=0.05)


def test_real_keypoints(realdata):
    root = realdata / "kimore_patients"
    if not root.is_dir():
        pytest.skip("AQA_REALDATA has no kimore_patients")
    table = kimore_resampled.samples(root=root, exercise=1)
    found = {
        v: array.shape for v, array, _ in kimore_resampled.keypoints(set(table["video_id"]), root=root, exercise=1)
    }
    assert found == dict.fromkeys(table["video_id"], (748, 18, 4))
