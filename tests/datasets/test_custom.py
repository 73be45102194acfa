"""The reader of people's own tables: what it takes, and that every mistake is named with its place."""

import csv
import io

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aqa_pipeline.datasets import COLUMNS, custom
from aqa_pipeline.errors import InputError

GOOD = """video_id,score,path,difficulty,group,fold,action_type,fps,first_frame,last_frame
b,81.5,b.mp4,3.2,ann,1,107b,25,10,99
a,60,sub/a.npz,,bob,0,,,,
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("b.mp4", "sub/a.npz"):
        (tmp_path / name).touch()
    return tmp_path


def read(folder, text):
    path = folder / "samples.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return custom.samples(csv=path)


def test_a_whole_table(folder):
    table = read(folder, GOOD)
    assert list(table.columns) == [*COLUMNS, "fold"]
    assert list(table["video_id"]) == ["a", "b"]
    assert list(table["path"]) == [str(folder / "sub/a.npz"), str(folder / "b.mp4")]
    assert list(table["score"]) == [60.0, 81.5]
    assert table.loc[1, "difficulty"] == 3.2
    assert table.loc[0, ["difficulty", "action_type", "fps", "first_frame", "last_frame"]].isna().all()
    assert list(table.loc[1, ["fps", "first_frame", "last_frame", "fold"]]) == [25.0, 10, 99, 1]
    assert table.loc[:, ["judge_scores", "steps"]].isna().all(axis=None)


def test_the_table_survives_a_parquet_file(folder):
    table = read(folder, GOOD)
    table.to_parquet(folder / "table.parquet", index=False)
    pd.testing.assert_frame_equal(table, pd.read_parquet(folder / "table.parquet"), check_dtype=False)


def test_the_smallest_table(folder):
    table = read(folder, "path,score,video_id\nb.mp4,7,x\n")
    assert list(table.columns) == COLUMNS
    assert custom.execution(table["score"].to_numpy(), table["difficulty"].to_numpy()).tolist() == [7.0]


def test_spreadsheet_habits_are_read(folder):
    text = "\ufeffvideo_id,path,score\r\n\r\n b , b.mp4 , 1e1 \r\n,,\r\n".encode()
    assert read(folder, text).loc[0, ["video_id", "score"]].tolist() == ["b", 10.0]


def test_keypoint_set_is_checked(folder):
    (folder / "one.csv").write_text("video_id,path,score\nb,b.mp4,1\n")
    assert custom.samples(csv=folder / "one.csv", keypoint_set="coco_17")["keypoint_set"].tolist() == ["coco_17"]
    with pytest.raises(InputError, match="no keypoint set 'coco17': did you mean 'coco_17'"):
        custom.samples(csv=folder / "one.csv", keypoint_set="coco17")


HEAD = "video_id,path,score"
MISTAKES = {
    "nan": (f"{HEAD}\nb,b.mp4,nan\n", "row 2, column score: found 'nan', expected a number"),
    "infinite": (f"{HEAD}\nb,b.mp4,inf\n", "row 2, column score: found 'inf'"),
    "text": (f"{HEAD}\nb,b.mp4,1\nc,b.mp4,good\n", "row 3, column score: found 'good', expected a number"),
    "comma": (f'{HEAD}\nb,b.mp4,"81,5"\n', "row 2, column score: found '81,5'"),
    "underscore": (f"{HEAD}\nb,b.mp4,8_1\n", "row 2, column score: found '8_1'"),
    "empty score": (f"{HEAD}\nb,b.mp4,\n", "row 2, column score: found '', expected a value"),
    "empty id": (f"{HEAD}\n,b.mp4,3\n", "row 2, column video_id: found '', expected a value"),
    "duplicate": (f"{HEAD}\nb,b.mp4,1\n\nb,b.mp4,1\n", "row 4, column video_id: 'b' stands already in row 2"),
    "missing file": (f"{HEAD}\nb,c.mp4,1\n", "row 2, column path: found 'c.mp4', expected a file"),
    "folder": (f"{HEAD}\nb,sub,1\n", "row 2, column path: found 'sub', expected a file"),
    "null byte": (f"{HEAD}\nb,b\0.mp4,1\n", "samples.csv: "),
    "difficulty": (f"{HEAD},difficulty\nb,b.mp4,1,0\n", "column difficulty: found '0', expected a number above 0"),
    "fps": (f"{HEAD},fps\nb,b.mp4,1,-5\n", "column fps: found '-5', expected a number above 0"),
    "fold": (f"{HEAD},fold\nb,b.mp4,1,1.5\n", "column fold: found '1.5', expected a whole number from 0"),
    "frames": (
        f"{HEAD},first_frame,last_frame\nb,b.mp4,1,9,3\n",
        "row 2, column last_frame: found '3', expected first_frame 9 or later",
    ),
    "unknown column": (f"{HEAD},difficulties\nb,b.mp4,1,2\n", "column 'difficulties', did you mean 'difficulty'"),
    "line break": (f'{HEAD}\nb,b.mp4,"1\n2"\n', r"row 2, column score: found '1\n2'"),
    "column twice": (f"{HEAD},score\nb,b.mp4,1,2\n", "column 'score' stands twice"),
    "missing column": ("video_id,path\nb,b.mp4\n", "no column 'score'"),
    "semicolons": ("video_id;path;score\nb;b.mp4;1\n", "expected columns separated by commas"),
    "cells": (f"{HEAD}\nb,b.mp4\n", "row 2: found 2 cells, expected 3"),
    "quote": (f'{HEAD}\n"b,b.mp4,1\n', "cannot be read as CSV"),
    "no row": (f"{HEAD}\n", "holds no sample"),
    "empty": ("", "no column 'video_id'"),
    "latin": ("video_id,path,score\nb,b.mp4,1é\n".encode("latin-1"), "no UTF-8"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named(folder, mistake):
    text, message = MISTAKES[mistake]
    with pytest.raises(InputError) as caught:
        read(folder, text)
    assert message in str(caught.value)
    assert str(folder / "samples.csv") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path):
    with pytest.raises(InputError, match=r"nothing.csv: no such file"):
        custom.samples(csv=tmp_path / "nothing.csv")


headers = st.one_of(
    st.lists(st.sampled_from([*custom.REQUIRED, *custom.OPTIONAL, "other"]), max_size=7),
    st.sets(st.sampled_from(custom.OPTIONAL), max_size=4).map(lambda more: [*custom.REQUIRED, *sorted(more)]),
)
cell = st.one_of(st.text(max_size=6), st.sampled_from(["b.mp4", "1", "", "nan", "7.5", "-3", "é", "x" * 300, "\0"]))


@given(header=headers, rows=st.lists(st.lists(cell, min_size=3, max_size=7), max_size=4), even=st.booleans())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_table_is_read_or_refused_in_one_line(folder, header, rows, even):
    if even:  # rows as long as the header, so that the cells themselves are looked at
        rows = [(row * 3)[: len(header)] for row in rows]
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    _read_or_refuse(folder, text.getvalue().encode(errors="surrogatepass"))


@given(st.binary(max_size=60))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_read_or_refused_in_one_line(folder, content):
    _read_or_refuse(folder, b"video_id,path,score\n" + content)
    _read_or_refuse(folder, content)


def _read_or_refuse(folder, content):
    try:
        table = read(folder, content)
    except InputError as error:
        message = str(error)
    else:
        message = "read"
        assert table["video_id"].is_unique
        assert table["score"].map(lambda score: abs(score) < float("inf")).all()
    assert len(message.splitlines()) == 1


@given(
    st.lists(
        st.tuples(st.text("abc xyz,'\"/é", min_size=1).map(str.strip).filter(bool), st.floats(-1e9, 1e9)),
        min_size=1,
        max_size=9,
        unique_by=lambda row: row[0],
    )
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_a_csv_writer_wrote_is_read_back(folder, rows):
    text = io.StringIO()
    csv.writer(text).writerows([["video_id", "score", "path"], *((v, repr(s), "b.mp4") for v, s in rows)])
    table = read(folder, text.getvalue())
    assert dict(zip(table["video_id"], table["score"], strict=True)) == dict(rows)
