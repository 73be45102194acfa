"""The adapter on a tiny release, packed and not, and on broken files."""

import gzip

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aqa_pipeline.datasets import COLUMNS, ui_prmd
from aqa_pipeline.errors import InputError
from aqa_pipeline.protocols import subject_held_out

CORRECT, WRONG = "Segmented Movements/Kinect/Positions", "Incorrect Segmented Movements/Kinect/Positions"


@pytest.mark.parametrize("packed", [False, True])
def test_samples(release, packed):
    table = ui_prmd.samples(root=release("ui_prmd", packed=packed), movement=1)
    assert list(table.columns) == [*COLUMNS, "subject", "keypoint_set"]
    assert len(table) == 3 * (4 + 2)
    assert list(table["video_id"][:3]) == ["m01_s01_e01", "m01_s01_e01_inc", "m01_s01_e02"]
    assert table["score"].sum() == 3 * 4
    assert (table["score"] == (~table["video_id"].str.endswith("_inc")).astype(float)).all()
    assert list(table["subject"].unique()) == ["subject_01", "subject_02", "subject_10"]
    assert (table["group"] == table["subject"]).all()
    assert set(table["action_type"]) == {"movement_1"}
    assert table["difficulty"].isna().all()
    assert set(table["fps"]) == {30.0}


def test_movements_are_told_apart(release):
    table = ui_prmd.samples(root=release("ui_prmd"), movement=10, sensor="vicon")
    assert list(table["video_id"]) == ["m10_s03_e01", "m10_s03_e01_inc"]
    assert set(table["fps"]) == {100.0}


@pytest.mark.parametrize("packed", [False, True])
def test_the_kinect_is_handed_out_as_it_is(release, packed):
    root = release("ui_prmd", packed=packed)
    [(video_id, keypoints, facts)] = ui_prmd.keypoints({"m01_s10_e02_inc", "m10_s03_e01"}, root=root, movement=1)
    opened = gzip.open if packed else open
    with opened(root / WRONG / f"m01_s10_e02_positions_inc.txt{'.gz' if packed else ''}", "rt") as file:
        rows = [[float(cell) for cell in line.split(",")] for line in file]
    assert video_id == "m01_s10_e02_inc"
    assert keypoints.shape == (7, 22, 4)
    assert keypoints.dtype == np.float32
    np.testing.assert_allclose(keypoints[3, 21, :3], rows[3][63:], rtol=1e-6)
    np.testing.assert_allclose(keypoints[6, 0, :3], rows[6][:3], rtol=1e-6)
    assert (keypoints[:, :, 3] == 1).all()
    assert facts == {"fps": 30.0, "keypoint_set": "ui_prmd_22"}


def test_the_vicon_is_turned_upright_and_unseen_markers_are_marked(release):
    root = release("ui_prmd")
    path = root / "Segmented Movements/Vicon/Positions/m01_s02_e03_positions.txt"
    rows = np.loadtxt(path, delimiter=",")
    rows[4, 15:18] = 0  # marker 5
    rows[5, 18] = 0  # one coordinate of marker 6 may well be nought
    np.savetxt(path, rows, delimiter=",")
    [(_, keypoints, facts)] = ui_prmd.keypoints({"m01_s02_e03"}, root=root, movement=1, sensor="vicon")
    assert np.argwhere(keypoints[:, :, 3] != 1).tolist() == [[4, 5]]
    assert keypoints[4, 5, 3] == 0
    assert keypoints.shape == (8, 39, 4)
    np.testing.assert_allclose(keypoints[2, 38, :3], rows[2, [115, 116, 114]], rtol=1e-6)
    assert facts == {"fps": 100.0, "keypoint_set": "plug_in_gait_39"}


def test_a_file_that_lies_there_twice_counts_once(release):
    root = release("ui_prmd")
    path = root / CORRECT / "m01_s01_e01_positions.txt"
    with gzip.open(f"{path}.gz", "wt") as file:
        file.write("1\n")
    (root / CORRECT / "m01_s01_e01_positions_inc.txt").write_text("wrong folder")
    (root / CORRECT / "m01_s01_e01_positions.txt.bak").write_text("not ours")
    assert len(ui_prmd.samples(root=root, movement=1)) == 18
    assert path in ui_prmd.annotation_files(root=root, movement=1)
    [(_, keypoints, _)] = ui_prmd.keypoints({"m01_s01_e01"}, root=root, movement=1)
    assert keypoints.shape == (6, 22, 4)


def test_a_broken_file_is_left_out(release, caplog):
    root = release("ui_prmd")
    (root / CORRECT / "m01_s01_e02_positions.txt").write_text("1,2,3\n")
    wanted = {"m01_s01_e01", "m01_s01_e02", "m01_s01_e03"}
    found = [video_id for video_id, _, _ in ui_prmd.keypoints(wanted, root=root, movement=1)]
    assert found == ["m01_s01_e01", "m01_s01_e03"]
    assert "m01_s01_e02: left out" in caplog.text
    assert "row 1: found 3 cells, expected 66" in caplog.text


def test_nothing_there(tmp_path):
    expected = tmp_path / CORRECT / "m07_s01_e01_positions.txt"
    assert ui_prmd.annotation_files(root=tmp_path, movement=7) == [expected]
    with pytest.raises(InputError, match="Positions: holds no sample"):
        ui_prmd.samples(root=tmp_path, movement=7)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"movement": 11}, "ui_prmd.movement: found 11, expected 1 to 10"),
        ({"movement": "1"}, "ui_prmd.movement: found '1', expected 1 to 10"),
        ({"movement": 1, "sensor": "kinetc"}, "ui_prmd.sensor: found 'kinetc', did you mean 'kinect'"),
    ],
)
def test_wrong_options_are_named(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        ui_prmd.samples(root=tmp_path, **options)


def test_whole_subjects_are_held_out(release):
    table = ui_prmd.samples(root=release("ui_prmd"), movement=1)
    folds = subject_held_out.folds(table, n_folds=3, seed=0).merge(table[["video_id", "subject"]])
    assert (folds[folds["part"] == "test"].groupby("fold")["subject"].nunique() == 1).all()


@given(data=st.binary(max_size=60) | st.text("0123456789.,-\n", max_size=90).map(str.encode))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_bytes(tmp_path, data):
    path = tmp_path / CORRECT / "m04_s01_e01_positions.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    for _, keypoints, _ in ui_prmd.keypoints({"m04_s01_e01"}, root=tmp_path, movement=4):
        assert keypoints.shape[1:] == (22, 4)
        assert np.isfinite(keypoints).all()
