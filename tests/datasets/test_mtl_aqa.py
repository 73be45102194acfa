"""The adapter on made-up releases in every layout, on spoilt sheets, and on the real ones against known figures."""

import logging
import math
import pickle
import runpy
import shutil
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aqa_pipeline.datasets import COLUMNS, mtl_aqa
from aqa_pipeline.errors import InputError

CAPTIONS = "final_captions_dict.pkl"
READY = Path("MTL-AQA_dataset_release/Ready_2_Use/MTL-AQA_split_0_data")
RAW = Path("MTL-AQA_dataset_release/Raw_Annotations")
PLAIN, MUSDL, CORE = (
    "final_annotations_dict.pkl",
    "augmented_final_annotations_dict.pkl",
    "final_annotations_dict_with_dive_number.pkl",
)


def row(table, video_id):
    return table.set_index("video_id").loc[video_id]


def sheet(path, edit):
    book = openpyxl.load_workbook(path)
    edit(book.active)
    book.save(path)


def entries(root, name=PLAIN):
    return pickle.loads((root / READY / name).read_bytes())


def kinds(root):
    return [(video_id, kind) for video_id, kind, _ in mtl_aqa.label_errors(root=root)]


def test_samples(release):
    root = release("mtl_aqa", dictionary=CORE, sheets=False)
    table = mtl_aqa.samples(root=root)
    assert list(table.columns) == [*COLUMNS, "event", "broadcast", "identity", "part", "caption"]
    assert len(table) == 11
    assert dict(table["part"].value_counts()) == {"train": 8, "test": 3}
    entry, dive = entries(root, CORE)[1, 2], row(table, "01.002")
    assert dive["path"] == str(root / "whole_videos_frames" / "01")
    assert (dive["first_frame"], dive["last_frame"]) == (entry["end_frame"] - 102, entry["end_frame"])
    assert (dive["action_type"], dive["difficulty"], dive["score"]) == ("107b", 3.0, entry["final_score"])
    assert dive["judge_scores"] == entry["judge_scores"].tolist()
    assert (dive["group"], dive["event"], dive["broadcast"], dive["part"]) == ("01", "01", "01", "test")
    assert (dive["identity"], dive["caption"]) == ("mtl_aqa/01/002", "a dive")
    assert kinds(root) == [("03.004", "caption_without_annotation"), ("17.149", "caption_without_annotation")]


def test_captions_are_words_where_there_are_any(release):
    root = release("mtl_aqa", dictionary=CORE, sheets=False)
    file = root / READY / CAPTIONS
    file.write_bytes(pickle.dumps({(1, 2): ["<sos>", "that's", "a", "ripper", "<eos>"], (3, 2): ["<sos>", "<eos>"]}))
    table = mtl_aqa.samples(root=root)
    assert row(table, "01.002")["caption"] == "that's a ripper"
    assert row(table, "03.002")["caption"] == ""
    assert table["caption"].isna().sum() == 9
    for wrong in ("a dive", ["a", 1]):
        file.write_bytes(pickle.dumps({(1, 2): wrong}))
        with pytest.raises(InputError, match=r"caption of dive \(1, 2\) is .*, expected a list of words"):
            mtl_aqa.samples(root=root)
    file.unlink()
    assert "caption" not in mtl_aqa.samples(root=root)


def test_clips_as_annotated(release):
    root = release("mtl_aqa", dictionary=CORE)
    entry = entries(root, CORE)[3, 3]
    dive = row(mtl_aqa.samples(root=root, clip="annotated"), "03.003")
    assert (dive["first_frame"], dive["last_frame"]) == (entry["start_frame"], entry["end_frame"])
    with pytest.raises(InputError, match="clip: found 'last_96', did you mean 'last_103'"):
        mtl_aqa.samples(root=root, clip="last_96")


@pytest.mark.parametrize("name", [PLAIN, MUSDL, CORE])
def test_all_dictionaries_give_the_same_dives(release, tmp_path, name):
    table = mtl_aqa.samples(root=release("mtl_aqa", dictionary=name))
    core = mtl_aqa.samples(root=release("mtl_aqa", tmp_path / "core", dictionary=CORE))
    for column in ("video_id", "first_frame", "action_type", "difficulty", "score", "part", "identity"):
        assert list(table[column]) == list(core[column]), column
    slips = {"03.001", "17.002"} if name == PLAIN else set()  # the sheet's marks: one cannot be meant, one not read
    differ = [
        v for v, a, b in zip(table["video_id"], table["judge_scores"], core["judge_scores"], strict=True) if a != b
    ]
    assert set(differ) == slips


def test_sheets_alone_give_everything_but_the_split(release, tmp_path):
    table = mtl_aqa.samples(root=release("mtl_aqa", dictionary=None))
    core = mtl_aqa.samples(root=release("mtl_aqa", tmp_path / "core", dictionary=CORE))
    assert "part" not in table
    for column in ("video_id", "first_frame", "last_frame", "action_type", "difficulty", "score", "identity"):
        assert list(table[column]) == list(core[column]), column
    assert row(table, "17.002")["judge_scores"] is None


def test_the_best_dictionary_is_read(release):
    root = release("mtl_aqa", dictionary=CORE)
    (root / "info").mkdir()
    spoilt = {key: entry | {"final_score": 0.0} for key, entry in entries(root, CORE).items()}
    (root / "info" / MUSDL).write_bytes(pickle.dumps(spoilt))
    assert (mtl_aqa.samples(root=root)["score"] > 0).all()
    (root / READY / CORE).unlink()
    assert (mtl_aqa.samples(root=root)["score"] == 0).all()
    assert [p.name for p in mtl_aqa.annotation_files(root=root)] == [
        MUSDL, "train_split_0.pkl", "test_split_0.pkl", CAPTIONS,
    ]  # fmt: skip


@pytest.mark.parametrize("folder", ["", "Ready_2_Use/MTL-AQA_split_0_data", "info", "data/info"])
def test_annotations_where_others_keep_them(release, folder):
    root = release("mtl_aqa", dictionary=MUSDL, sheets=False)
    whole = mtl_aqa.samples(root=root)
    shutil.copytree(root / READY, root / folder, dirs_exist_ok=True)
    shutil.rmtree(root / "MTL-AQA_dataset_release")
    assert mtl_aqa.samples(root=root).equals(whole)
    assert {p.parent for p in mtl_aqa.annotation_files(root=root)} == {root / folder}


def test_sheets_directly_in_the_root(release):
    root = release("mtl_aqa", dictionary=None)
    whole = mtl_aqa.samples(root=root)
    assert mtl_aqa.samples(root=root / RAW).drop(columns="path").equals(whole.drop(columns="path"))
    assert [p.name for p in mtl_aqa.annotation_files(root=root / RAW)] == ["01.xlsx", "03.xlsx", "17.xlsx"]


def test_nothing_there(tmp_path):
    assert [p.name for p in mtl_aqa.annotation_files(root=tmp_path)] == [PLAIN]
    with pytest.raises(InputError, match=r"neither one of .* nor a sheet with a dive is there"):
        mtl_aqa.samples(root=tmp_path)


def test_what_the_files_say_twice_and_differently(release):
    assert kinds(release("mtl_aqa")) == [
        ("01.004", "mistyped_mark"),
        ("03.004", "unusable_row"),
        ("17.002", "unusable_marks"),
        ("03.001", "impossible_mark"),
        ("17.149", "left_out"),
        ("03.004", "caption_without_annotation"),
        ("17.149", "caption_without_annotation"),
    ]


def test_sheet_and_dictionary_may_disagree(release):
    root = release("mtl_aqa", dictionary=CORE)
    before = set(kinds(root))
    path = root / READY / CORE
    dives = entries(root, CORE)
    dives[1, 3]["final_score"] += 0.5
    dives[1, 5]["dive_number"] = "100A"
    del dives[17, 1]
    path.write_bytes(pickle.dumps(dives))
    assert set(kinds(root)) - before == {
        ("01.003", "sheet_conflict"),
        ("01.005", "dive_number_conflict"),
        ("17.001", "row_without_annotation"),
        ("17.001", "caption_without_annotation"),
    }


@pytest.mark.parametrize(
    ("column", "value", "kind", "text"),
    [
        ("A", "x", "unusable_row", "number 'x', expected one of its own from 1"),
        ("A", 2, "unusable_row", "number 2, expected one of its own from 1"),
        ("B", "top", "unusable_row", "view 'top', expected 's'"),
        ("C", 10**6, "unusable_row", "frames 1000000 to"),
        ("D", None, "unusable_row", "last_frame None, expected a number"),
        ("F", 0, "unusable_row", "difficulty 0, expected a number"),
        ("L", "n/a", "unusable_row", "score 'n/a', expected a number"),
        ("E", "x", "unusable_dive_number", "position 'x'"),
        ("J", 2.25, "unusable_dive_number", "half_somersaults 2.25"),
        ("M", None, "unusable_marks", "expected 7 numbers"),
    ],
)
def test_a_cell_that_cannot_be_used(release, caplog, column, value, kind, text):
    root = release("mtl_aqa", dictionary=None)
    sheet(root / RAW / "01.xlsx", lambda cells: cells.__setitem__(f"{column}10", value))  # the third dive
    errors = [(k, t) for _, k, t in mtl_aqa.label_errors(root=root) if t.startswith("01.xlsx row 10")]
    assert [k for k, _ in errors] == [kind]
    assert text in errors[0][1]
    with caplog.at_level(logging.WARNING, "aqa_pipeline"):
        table = mtl_aqa.samples(root=root)
    assert "01.xlsx row 10" in caplog.text
    assert ("01.003" in set(table["video_id"])) == (kind != "unusable_row")
    if kind == "unusable_dive_number":
        assert row(table, "01.003")["action_type"] is None or math.isnan(row(table, "01.003")["action_type"])


def test_a_sheet_without_a_column_is_named(release):
    root = release("mtl_aqa", dictionary=None)
    sheet(root / RAW / "03.xlsx", lambda cells: cells.__setitem__("H1", "handstand"))
    with pytest.raises(InputError, match=r"03.xlsx: row 1: no column 'armstand', did you mean 'handstand'"):
        mtl_aqa.samples(root=root)


@pytest.mark.parametrize(
    ("place", "value", "expected"),
    [
        ("position", 3, r"dict.pkl: dive \(1, 1\): 'position' is 3, expected 0 free, 1 pike or 2 tuck"),
        ("end_frame", 1, r"dive \(1, 1\): frames \d+ to 1, expected the first before the last"),
        ("final_score", math.inf, "'final_score' is inf, expected a number"),
        ("ss_no", 10, "'ss_no' is 10, expected 0 to 9"),
        ("judge_scores", [8.0] * 6, "'judge_scores' is .*, expected seven marks"),
    ],
)
def test_a_wrong_value_is_named(release, place, value, expected):
    root = release("mtl_aqa")
    dives = entries(root)
    dives[1, 1][place] = value
    (root / READY / PLAIN).write_bytes(pickle.dumps(dives))
    with pytest.raises(InputError, match=expected):
        mtl_aqa.samples(root=root)


def level(path, number=None):
    """Level of a picture, or of frame `number` of a video."""
    import cv2

    if number is None:
        return cv2.imread(str(path)).mean()
    capture = cv2.VideoCapture(str(path))
    for _ in range(number):
        capture.grab()
    return capture.read()[1].mean()


@pytest.mark.parametrize(("layout", "digits"), [("authors", 6), ("core", 8)])
def test_frames_of_untrimmed_videos(release, layout, digits):
    root = release("mtl_aqa", media=True, layout=layout)
    end = entries(root)[1, 2]["end_frame"]
    dive = row(mtl_aqa.samples(root=root), "01.002")
    files = sorted(Path(dive["path"]).iterdir())
    chosen = files[end - 103 : end]  # how the authors' loader picks them
    numbers = range(dive["first_frame"], dive["last_frame"] + 1)
    assert [p.name for p in chosen] == [f"{number:0{digits}d}.jpg" for number in numbers]
    assert level(chosen[-1]) == pytest.approx(end % 200, abs=3)


def test_untrimmed_videos_count_from_zero(release):
    root = release("mtl_aqa", media=True, layout="videos")
    end = entries(root)[1, 2]["end_frame"]
    dive = row(mtl_aqa.samples(root=root), "01.002")
    assert dive["path"] == str(root / "whole_videos" / "01.mp4")
    assert (dive["first_frame"], dive["last_frame"]) == (end - 103, end - 1)
    assert level(dive["path"], dive["last_frame"]) == pytest.approx(end % 200, abs=3)


def test_a_folder_a_dive_is_read_whole(release):
    root = release("mtl_aqa", media=True, layout="musdl")
    table = mtl_aqa.samples(root=root)
    assert row(table, "03.005")["path"] == str(root / "frames" / "03_05")
    assert all(len(list(Path(path).iterdir())) == 109 for path in table["path"])
    assert table["first_frame"].isna().all()
    assert table["last_frame"].isna().all()
    assert [p.is_dir() for p in mtl_aqa.media(root=root)["videos"]] == [False, False, False, True, False]


def test_a_dive_at_the_very_beginning_has_fewer_frames(release):
    root = release("mtl_aqa")
    dives = entries(root)
    dives[1, 1].update(start_frame=3, end_frame=40)
    (root / READY / PLAIN).write_bytes(pickle.dumps(dives))
    dive = row(mtl_aqa.samples(root=root), "01.001")
    assert (dive["first_frame"], dive["last_frame"]) == (1, 40)


cells = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-9, 10**12),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text("ab7.,-'", max_size=4),
)


@pytest.fixture(scope="module")
def sheets(tmp_path_factory):
    """One release for all examples: only its sheet of video 01 is ever changed, and put back."""
    root = tmp_path_factory.mktemp("mtl_aqa")
    runpy.run_path(str(Path(__file__).parents[1] / "releases" / "mtl_aqa.py"))["write"](root, dictionary=None)
    return root


def table_or_error(root):
    try:
        list(mtl_aqa.label_errors(root=root))
        return mtl_aqa.samples(root=root), None
    except InputError as error:
        return None, str(error)


@settings(max_examples=40, deadline=None)
@given(at=st.integers(1, 12), column=st.integers(1, 19), value=cells)
def test_whatever_a_cell_holds_the_answer_is_a_table_or_one_line(sheets, at, column, value):
    path = sheets / RAW / "01.xlsx"
    whole = path.read_bytes()
    sheet(path, lambda found: found.cell(at, column, value))
    table, error = table_or_error(sheets)
    path.write_bytes(whole)
    if error is None:
        assert 10 <= len(table) <= 12
        assert np.isfinite(table["score"]).all()
    else:
        assert "\n" not in error
        assert "01.xlsx" in error


@pytest.fixture
def real(realdata):
    root = realdata / "MTL-AQA"
    if not root.is_dir():
        pytest.skip("AQA_REALDATA has no MTL-AQA")
    return root


def found_counts(table):
    return {
        "samples": len(table),
        "train": (table["part"] == "train").sum(),
        "test": (table["part"] == "test").sum(),
        "broadcasts": table["broadcast"].nunique(),
        "events": table["event"].nunique(),
        "action_types": table["action_type"].nunique(),
        "difficulties": table["difficulty"].nunique(),
    }


def test_real_counts(real):
    table = mtl_aqa.samples(root=real)
    assert found_counts(table) == mtl_aqa.counts
    assert table["judge_scores"].notna().all()


def test_real_sheets_agree_with_the_dictionary(real):
    dictionary = mtl_aqa.samples(root=real)
    table = mtl_aqa.samples(root=real / RAW)
    for column in ("video_id", "first_frame", "last_frame", "action_type", "difficulty", "score", "identity"):
        assert list(table[column]) == list(dictionary[column]), column
    kinds = [kind for _, kind, _ in mtl_aqa.label_errors(root=real)]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "unusable_row": 3,
        "mistyped_mark": 1,
        "impossible_mark": 1,
        "left_out": 1,
        "caption_without_annotation": 4,
    }


def test_the_eight_real_sheets(realdata):
    root = realdata / "mtlaqa_raw_sheets"
    if not root.is_dir():
        pytest.skip("AQA_REALDATA has no mtlaqa_raw_sheets")
    table = mtl_aqa.samples(root=root)
    expected = {"01": 191, "03": 73, "05": 90, "07": 99, "10": 44, "14": 87, "18": 72, "26": 124}
    assert dict(table["broadcast"].value_counts()) == expected
    assert table["judge_scores"].notna().all()
    assert table["action_type"].notna().all()
