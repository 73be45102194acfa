"""The adapter on a tiny release, whole and with every flaw that the real one is known for."""

import re
import shutil

import numpy as np
import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aqa_pipeline.datasets import COLUMNS, kimore
from aqa_pipeline.errors import InputError

PATIENTS = ["B_ID1", "B_ID2", "B_ID3", "P_ID4", "S_ID10", "S_ID7"]


@pytest.fixture
def root(release):
    return release("kimore")


def folder(root, person, exercise=3):
    [found] = root.glob(f"*/*/{person}/Es{exercise}")
    return found


def position_file(root, person, exercise=3):
    [found] = (folder(root, person, exercise) / "Raw").glob("JointPosition*.csv")
    return found


def sheet(root, person, exercise=3):
    return folder(root, person, exercise) / "Label" / f"ClinicalAssessment_{person}.xlsx"


def rewrite(path, **cells):
    """Change cells of the second row by title."""
    book = openpyxl.load_workbook(path)
    titles = [cell.value for cell in book.active[1]]
    for title, value in cells.items():
        book.active.cell(2, titles.index(title) + 1).value = value
    book.save(path)


def scores(root, **options):
    return kimore.samples(root=root, exercise=3, **options).set_index("video_id")["score"]


def errors(root):
    return [(video_id, kind) for video_id, kind, _ in kimore.label_errors(root=root, exercise=3)]


def test_samples(root):
    table = kimore.samples(root=root, exercise=3)
    assert list(table.columns) == [*COLUMNS, "subject", "keypoint_set"]
    assert list(table["video_id"]) == sorted(["E_ID1", "E_ID2", "NE_ID1", "NE_ID11", "NE_ID2", *PATIENTS])
    assert (table["group"] == table["video_id"]).all()
    assert (table["subject"] == table["video_id"]).all()
    assert set(table["action_type"]) == {"exercise_3"}
    assert set(table["fps"]) == {30.3}
    assert table["difficulty"].isna().all()
    assert table["score"].between(10, 50).all()
    cells = [cell.value for cell in openpyxl.load_workbook(sheet(root, "P_ID4")).active[2]]
    assert table.set_index("video_id").loc["P_ID4", "score"] == cells[3]  # title 3: clinical TS Ex#3
    assert errors(root) == []


def test_patients_only(root):
    assert list(scores(root, patients_only=True).index) == PATIENTS
    found = [v for v, _, _ in kimore.keypoints({"B_ID2", "E_ID1"}, root=root, exercise=3, patients_only=True)]
    assert found == ["B_ID2"]


def test_keypoints(root):
    [(video_id, keypoints, facts)] = kimore.keypoints({"NE_ID11"}, root=root, exercise=3)
    lines = [line for line in position_file(root, "NE_ID11").read_text().splitlines() if line.strip()]
    row = [float(cell) for cell in lines[4].split(",")[:100]]
    assert video_id == "NE_ID11"
    assert keypoints.shape == (11, 25, 4)
    assert keypoints.dtype == np.float32
    np.testing.assert_allclose(keypoints[4, 24, :3], row[96:99], rtol=1e-6)
    np.testing.assert_array_equal(keypoints[4, :, 3], np.array(row[3::4]) / 2)
    assert facts == {"fps": 30.3, "keypoint_set": "kinect_25"}


def test_the_exercise_chooses_file_and_column(root):
    one, three = (kimore.samples(root=root, exercise=exercise).set_index("video_id") for exercise in (1, 3))
    assert (one["score"] != three["score"]).all()
    [(_, keypoints, _)] = kimore.keypoints({"NE_ID11"}, root=root, exercise=1)
    assert keypoints.shape == (9, 25, 4)
    files = kimore.annotation_files(root=root, exercise=3)
    assert len(files) == 11 * (2 + 1 + 1)  # the sheets of both exercises, positions, time stamps
    assert all(path.is_file() for path in files)


def spoil_row(root):
    lines = position_file(root, "B_ID1").read_text().splitlines()
    lines[3] = lines[3] + lines[4]  # two frames in one row, as in the release
    position_file(root, "B_ID1").write_text("\n".join(lines))


def spoil_state(root):
    path = position_file(root, "B_ID1")
    rows = np.loadtxt([line.rstrip(",") for line in path.read_text().split()], delimiter=",")
    rows[2, 43] = 7
    np.savetxt(path, rows, delimiter=",")


def add_another_recording(root):
    path = position_file(root, "B_ID1")
    shutil.copy(position_file(root, "B_ID2"), path.with_name("JointPosition011214_999999.csv"))


def spoil_every_sheet(root):
    for exercise in (1, 3):
        sheet(root, "B_ID1", exercise).write_bytes(b"PK no sheet")


def remove_every_sheet(root):
    for exercise in (1, 3):
        sheet(root, "B_ID1", exercise).unlink()


def empty_every_cell(root):
    for exercise in (1, 3):
        rewrite(sheet(root, "B_ID1", exercise), **{"clinical TS Ex#3": None})


def raise_every_total(root):
    for exercise in (1, 3):
        rewrite(sheet(root, "B_ID1", exercise), **{"clinical TS Ex#3": 51})


@pytest.mark.parametrize(
    ("spoil", "kind", "message"),
    [
        (lambda root: position_file(root, "B_ID1").write_bytes(b""), "broken_recording", "holds no row"),
        (lambda root: position_file(root, "B_ID1").unlink(), "no_recording", "Es3 has no JointPosition file"),
        (lambda root: shutil.rmtree(folder(root, "B_ID1") / "Raw"), "no_recording", "Es3 has no JointPosition file"),
        (spoil_row, "broken_recording", "row 4: found 200 cells, expected 100"),
        (spoil_state, "broken_recording", "found the tracking state 7, expected 0, 1 or 2"),
        (add_another_recording, "several_recordings", "expected one recording or copies of it"),
        (spoil_every_sheet, "no_score", "found None in 'clinical TS Ex#3', expected a number"),
        (remove_every_sheet, "no_score", "no ClinicalAssessment_B_ID1.xlsx"),
        (empty_every_cell, "no_score", "found None in 'clinical TS Ex#3'"),
        (raise_every_total, "no_score", "is 51, expected 0 to 50"),
        (
            lambda root: rewrite(sheet(root, "B_ID1"), **{"clinical TS Ex#3": 49.5}),
            "conflicting_scores",
            "'clinical TS Ex#3' is 49.5 in Es3, .* in Es1, expected the same",
        ),
    ],
)
def test_a_flawed_recording_is_left_out_and_named(root, caplog, spoil, kind, message):
    whole = scores(root)
    spoil(root)
    caplog.clear()
    assert scores(root).equals(whole.drop("B_ID1"))
    assert "B_ID1: left out: " in caplog.text
    found = [(v, k, text) for v, k, text in kimore.label_errors(root=root, exercise=3) if k == kind]
    [(video_id, _, text)] = found
    assert video_id == "B_ID1"
    assert re.search(message, text)
    rest = [v for v, _, _ in kimore.keypoints({"B_ID1", "B_ID2"}, root=root, exercise=3)]
    assert rest == (["B_ID1", "B_ID2"] if "score" in kind else ["B_ID2"])


def test_copies_of_a_recording_count_once(root):
    path = position_file(root, "S_ID7")
    shutil.copy(path, path.with_name(path.stem + "(1).csv"))
    assert "S_ID7" in scores(root).index
    assert errors(root) == []


def test_a_sheet_of_another_exercise_serves(root):
    whole = scores(root)
    sheet(root, "S_ID7").unlink()
    assert scores(root).equals(whole)


def test_a_sheet_of_another_person_is_not_read_and_told(root):
    whole = scores(root)
    shutil.copy(sheet(root, "E_ID1"), folder(root, "E_ID2") / "Label" / "ClinicalAssessment_E_ID1.xlsx")
    assert scores(root).equals(whole)
    assert errors(root) == [("E_ID2", "other_person")]


def test_doubts_are_told_and_the_score_is_kept(root):
    whole = scores(root)
    rewrite(sheet(root, "P_ID4"), **{"Subject ID": "P_ID5"})
    rewrite(sheet(root, "S_ID10"), **{"clinical PO Ex#3": 1.0})
    assert scores(root).equals(whole)
    assert errors(root) == [("P_ID4", "other_person"), ("S_ID10", "wrong_sum")]


def test_titles_in_other_spelling(root):
    whole = scores(root)
    book = openpyxl.load_workbook(sheet(root, "NE_ID1"))
    for cell in book.active[1]:
        cell.value = cell.value.replace("clinical", "Clinical ").replace("#", " #")
    book.save(sheet(root, "NE_ID1"))
    sheet(root, "NE_ID1", exercise=1).unlink()
    assert scores(root).equals(whole)


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        ("".join(f"{666_666 * i},\n" for i in range(5)), 15.0),
        ("0,\n333333,\n666666,\n9999999,\n", 30.0),  # one long gap
        ("7,\n7,\n7,\n", 30.0),
        ("1,2,\n", 30.0),
        ("", 30.0),
    ],
)
def test_frames_a_second(root, stamps, expected):
    [path] = (folder(root, "B_ID2") / "Raw").glob("TimeStamp*.csv")
    path.write_text(stamps)
    table = kimore.samples(root=root, exercise=3).set_index("video_id")
    assert table.loc["B_ID2", "fps"] == pytest.approx(expected)
    path.unlink()
    assert kimore.samples(root=root, exercise=3).set_index("video_id").loc["B_ID2", "fps"] == 30.0


def test_nothing_there(tmp_path):
    [expected] = kimore.annotation_files(root=tmp_path, exercise=2)
    assert expected == tmp_path / "GPP/BackPain/B_ID1/Es2/Label/ClinicalAssessment_B_ID1.xlsx"
    with pytest.raises(InputError, match="holds no sample"):
        kimore.samples(root=tmp_path, exercise=2)
    with pytest.raises(InputError, match=r"kimore\.exercise: found 6, expected 1 to 5"):
        kimore.samples(root=tmp_path, exercise=6)


CELLS = st.one_of(st.none(), st.booleans(), st.integers(-60, 60), st.floats(), st.text("Ex#3 clinTS", max_size=9))
TITLES = st.one_of(CELLS, st.sampled_from(["clinical TS Ex#3", "Subject ID", "clinical PO Ex#3", "clinical CF Ex#3"]))
QUIET = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def one(release, root, tmp_path):
    """A release of a single person, whose files may be spoilt again and again."""
    shutil.copytree(root / "GPP/Stroke/S_ID7/Es3", tmp_path / "one/GPP/Stroke/S_ID7/Es3")
    return tmp_path / "one"


def outcome(root):
    """Either a valid table or InputError; the flaws can always be listed."""
    flaws = list(kimore.label_errors(root=root, exercise=3))
    assert all("\n" not in text for _, _, text in flaws)
    try:
        table = kimore.samples(root=root, exercise=3)
    except InputError:
        assert flaws
        return
    assert table["score"].between(0, 50).all()
    for _, keypoints, facts in kimore.keypoints({"S_ID7"}, root=root, exercise=3):
        assert keypoints.shape[1:] == (25, 4)
        assert np.isfinite(keypoints).all()
        assert 1 <= facts["fps"] <= 120


@given(titles=st.lists(TITLES, max_size=6), values=st.lists(CELLS, max_size=6))
@QUIET
def test_whatever_the_cells(one, titles, values):
    book = openpyxl.Workbook()
    for row in (titles, values):
        book.active.append(row)
    book.save(sheet(one, "S_ID7"))
    outcome(one)


@given(data=st.binary(max_size=99), at=st.integers(0, 6000))
@QUIET
def test_whatever_the_bytes_of_a_sheet(one, root, data, at):
    whole = sheet(root, "S_ID7").read_bytes()
    sheet(one, "S_ID7").write_bytes(whole[:at] + data + whole[at + len(data) :])
    outcome(one)


@given(stream=st.sampled_from(["JointPosition", "TimeStamp"]), data=st.binary(max_size=40), at=st.integers(0, 3000))
@QUIET
def test_whatever_the_bytes_of_a_recording(one, root, stream, data, at):
    [source], [target] = (list((folder(r, "S_ID7") / "Raw").glob(f"{stream}*.csv")) for r in (root, one))
    whole = source.read_bytes()
    target.write_bytes(whole[:at] + data + whole[at + len(data) :])
    outcome(one)
