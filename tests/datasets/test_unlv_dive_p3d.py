"""The adapter on a small file of the same layout, and on the real one against figures that must be met exactly."""

import numpy as np
import pytest

from aqa_pipeline.datasets import COLUMNS, unlv_dive_p3d
from aqa_pipeline.errors import InputError
from aqa_pipeline.metrics.med import med
from aqa_pipeline.metrics.spearman_rho import spearman_rho
from aqa_pipeline.protocols import official


@pytest.fixture
def root(tmp_path):
    rng = np.random.default_rng(1)
    write(tmp_path, p3d_feature=rng.normal(size=(3, 2048)).astype(np.float32))
    return tmp_path


def write(folder, **changed):
    arrays = dict(
        dive_id=np.array([54, 2, 113]),
        split=np.array(["train", "test", "train"]),
        p3d_feature=np.zeros((3, 2048), np.float32),
        final_score=np.array([84.15, 72.0, 60.0]),
        difficulty=np.array([3.3, 3.2, 3.0]),
        stage_boundaries=np.array([[15, 23, 48, 61], [20, 29, 59, 68], [1, 2, 3, 4]], np.int16),
    )
    np.savez(folder / "unlv_dive_p3d.npz", **{**arrays, **changed})


def test_samples(root):
    table = unlv_dive_p3d.samples(root=root)
    assert list(table.columns) == [*COLUMNS, "part", "identity"]
    assert list(table["video_id"]) == ["dive_002", "dive_054", "dive_113"]
    row = table.loc[1]
    assert (row["score"], row["difficulty"], row["part"]) == (84.15, 3.3, "train")
    assert unlv_dive_p3d.execution(row["score"], row["difficulty"]) == pytest.approx(25.5)
    assert row["steps"][2] == {"sub_action": "entering_water", "first_frame": 48}
    assert table["action_type"].isna().all()
    assert list(table["identity"]) == ["mtl_aqa/03/002", "mtl_aqa/03/055", "mtl_aqa/02/041"]


def test_features_of_the_asked_dives(root):
    found = list(unlv_dive_p3d.features({"dive_113", "dive_054"}, root=root))
    assert [video_id for video_id, _, _ in found] == ["dive_054", "dive_113"]
    assert found[0][1].shape == (1, 2048)
    assert found[0][1][0, 7] == np.load(root / "unlv_dive_p3d.npz")["p3d_feature"][0, 7]


def test_unusable_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"unlv_dive_p3d.npz: no such file"):
        unlv_dive_p3d.samples(root=tmp_path)
    write(tmp_path, final_score=np.array([1.0, 2.0]))
    with pytest.raises(InputError, match=r"npz: arrays of different lengths.*'final_score': \(2,\)"):
        unlv_dive_p3d.samples(root=tmp_path)
    write(tmp_path, final_score=np.array([1.0, np.nan, 2.0]))
    with pytest.raises(InputError, match="'dive_002' has no finite score"):
        unlv_dive_p3d.samples(root=tmp_path)
    write(tmp_path, split=np.array(["train", None, "test"], dtype=object))
    with pytest.raises(InputError, match="cannot be read as an npz file without pickles"):
        unlv_dive_p3d.samples(root=tmp_path)
    np.savez(tmp_path / "unlv_dive_p3d.npz", dive_ids=np.zeros(3))
    with pytest.raises(InputError, match="no array 'dive_id', did you mean 'dive_ids'"):
        unlv_dive_p3d.samples(root=tmp_path)
    whole = (tmp_path / "unlv_dive_p3d.npz").read_bytes()
    (tmp_path / "unlv_dive_p3d.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cannot be read as an npz file"):
        unlv_dive_p3d.samples(root=tmp_path)


@pytest.fixture
def real_split(realdata):
    """Training features, training scores, test features, test scores of the real file, in double precision."""
    root = realdata / "unlv_dive_p3d"
    if not root.is_dir():
        pytest.skip("AQA_REALDATA has no unlv_dive_p3d")
    table = unlv_dive_p3d.samples(root=root)
    parts = official.folds(table).set_index("video_id")["part"]
    scores = table.set_index("video_id")["score"]
    vectors = {v: array[0] for v, array, _ in unlv_dive_p3d.features(set(scores.index), root=root)}

    def part(name):
        chosen = parts.index[parts == name]
        return np.stack([vectors[v] for v in chosen]).astype(float), scores[chosen].to_numpy()

    return *part("train"), *part("test")


def test_real_counts(real_split):
    train, train_scores, test, test_scores = real_split
    assert train.shape == (300, 2048)
    assert test.shape == (35, 2048)
    assert train_scores.std() == pytest.approx(13.95, abs=0.005)
    assert len(test_scores) == 35


def test_real_least_squares(real_split):
    # raw features, an intercept, double precision: 300 equations in 2048 unknowns give rho 0.853 in single precision
    from sklearn.linear_model import LinearRegression

    train, train_scores, test, test_scores = real_split
    predicted = LinearRegression().fit(train, train_scores).predict(test)
    assert spearman_rho(predicted, test_scores) == pytest.approx(0.850, abs=0.0005)
    assert med(predicted, test_scores) == pytest.approx(7.39, abs=0.005)


def test_real_support_vectors(real_split):
    from sklearn.svm import SVR

    train, train_scores, test, test_scores = real_split
    predicted = SVR(C=100, epsilon=0.001).fit(train, train_scores).predict(test)
    assert spearman_rho(predicted, test_scores) == pytest.approx(0.851, abs=0.0005)
    assert med(predicted, test_scores) == pytest.approx(7.63, abs=0.005)
