"""The adapter on made-up trials in both layouts, and on the real pickles against figures that must be met."""

import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aqa_pipeline import frames
from aqa_pipeline.datasets import COLUMNS, jigsaws
from aqa_pipeline.errors import InputError
from aqa_pipeline.protocols import given as given_folds

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_samples(release):
    table = jigsaws.samples(root=release("jigsaws"), task="suturing").set_index("video_id")
    assert list(table.columns) == [*COLUMNS[1:], "subject", "fold"]
    assert len(table) == 9
    assert list(table["subject"]) == list("BBCDDEFGH") == list(table["group"])
    assert table["fold"].to_dict()["Suturing_D001"] == 3
    assert list(table["fold"]) == [0, 1, 2, 3, 0, 1, 2, 3, 0]
    assert all(sum(items) == score for items, score in zip(table["judge_scores"], table["score"], strict=True))
    assert set(table["action_type"]) == {"suturing"}
    assert table["difficulty"].isna().all()
    assert set(given_folds.folds(table.reset_index(), n_folds=4)["fold"]) == {0, 1, 2, 3}


@pytest.mark.parametrize("info", ["", "info", "data/info"])
def test_the_pickles_alone_say_the_same(release, tmp_path, info):
    both = jigsaws.samples(root=release("jigsaws", tmp_path / "both"), task="knot_tying")
    alone = jigsaws.samples(root=release("jigsaws", tmp_path / "alone", release=False, info=info), task="knot_tying")
    assert len(both) == 7
    assert both.drop(columns="path").equals(alone.drop(columns="path"))


def test_the_release_alone_has_no_folds(release, tmp_path):
    root = release("jigsaws", info=None)
    table = jigsaws.samples(root=root, task="needle_passing")
    assert len(table) == 5
    assert "fold" not in table
    assert jigsaws.annotation_files(root=root, task="needle_passing") == [
        root / "Needle_Passing/meta_file_Needle_Passing.txt"
    ]
    other = release("jigsaws", tmp_path / "other", release=False) / "info/splits.pkl"
    assert list(jigsaws.samples(root=root, task="needle_passing", splits=str(other))["fold"]) == [0, 1, 2, 3, 0]


@pytest.mark.parametrize(
    ("media", "path"),
    [("videos", "Suturing/video/Suturing_C001_capture1.avi"), ("frames", "frames/Suturing_C001_capture1")],
)
def test_videos_and_frames(release, media, path):
    root = release("jigsaws", media=media)
    row = jigsaws.samples(root=root, task="suturing").iloc[2]
    assert row["path"] == str(root / path)
    arrays, facts = frames.extract(row["path"], fps=row["fps"])
    assert len(arrays["time"]) == 20
    assert facts["fps"] == 30.0
    assert any(folder.is_dir() for folder in jigsaws.media(root=root, task="suturing")["videos"])


def test_label_errors(release):
    root = release("jigsaws")
    assert list(jigsaws.label_errors(root=root, task="suturing")) == []
    meta = root / "Suturing/meta_file_Suturing.txt"
    lines = meta.read_text().splitlines()
    lines[0] = "Suturing_B001\t\tN\t13\t\t3\t2\t1\t2\t2\t4"
    meta.write_text("\n".join(lines))
    found = list(jigsaws.label_errors(root=root, task="suturing"))
    assert [(video_id, kind) for video_id, kind, _ in found] == [("Suturing_B001", "total"), ("Suturing_B001", "items")]
    assert found[0][2] == "items [3, 2, 1, 2, 2, 4] add up to 14, the meta file says 13"
    assert jigsaws.samples(root=root, task="suturing")["score"].iloc[0] == 14


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Suturing_B001 N 13 3 2 1 2 2", r"line 10: found 'Suturing_B001 N 13 3 2 1 2 2', expected name, N, I or E"),
        ("Suturing_I001 X 13 3 2 1 2 2 3", r"line 10: found .*, expected name, N, I or E, total, six items"),
        ("Suturing_I001 N 13 3 2 1 2 2 6", r"line 10: items \[3, 2, 1, 2, 2, 6\], expected six whole numbers, 1 to 5"),
        ("Suturing_I001 N 13 3 2 1 2 2 x", r"line 10: items .*'x'\], expected six whole numbers"),
        ("Suturing_B001 N 13 3 2 1 2 2 3", r"line 10: trial 'Suturing_B001' stands twice"),
        ("Suturing_001 N 13 3 2 1 2 2 3", r"trial 'Suturing_001', expected Suturing_, the surgeon's letter, 3 digits"),
        ("Suturing_I001 N 13 3 2 1 2 2 3", r"splits.pkl: trial 'Suturing_I001' stands in no fold of 'Suturing'"),
    ],
)
def test_mistakes_in_the_meta_file_are_named(release, line, message):
    root = release("jigsaws")
    with (root / "Suturing/meta_file_Suturing.txt").open("a") as file:
        file.write(f"\n{line}\n")
    with pytest.raises(InputError, match=message):
        jigsaws.samples(root=root, task="suturing")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("label.pkl", [1], r"label.pkl: found list, expected a dict of six items"),
        ("label.pkl", {"Suturing_B001": [1, 2]}, r"trial 'Suturing_B001': items \[1, 2\], expected six whole numbers"),
        ("label.pkl", {"Suturing_B001": [1, 2, 3, 4, 5, True]}, "expected six whole numbers, 1 to 5"),
        ("label.pkl", {"Knot_Tying_B001": [1] * 6}, r"label.pkl: holds no trial of Suturing"),
        ("splits.pkl", {"Suture": []}, "no task 'Suturing', did you mean 'Suture'"),
        ("splits.pkl", {"Suturing": [1]}, "'Suturing' is no list of lists of names"),
        ("splits.pkl", {"Suturing": [["Suturing_X001"]]}, "fold 0 names 'Suturing_X001', expected each trial"),
        ("splits.pkl", {"Suturing": [["Suturing_B001"], ["Suturing_B001"]]}, "fold 1 names 'Suturing_B001'"),
    ],
)
def test_mistakes_in_the_pickles_are_named(release, name, value, message):
    root = release("jigsaws", release=False)
    (root / "info" / name).write_bytes(pickle.dumps(value))
    with pytest.raises(InputError, match=message):
        jigsaws.samples(root=root, task="suturing")


def test_wrong_options_are_named(release, tmp_path):
    with pytest.raises(InputError, match="no task 'sutures', did you mean 'suturing'"):
        jigsaws.samples(root=tmp_path, task="sutures")
    with pytest.raises(InputError, match=r"meta_file_Suturing.txt: no such file, expected it or label.pkl"):
        jigsaws.samples(root=tmp_path, task="suturing")
    with pytest.raises(InputError, match=r"none.pkl: no such file"):
        jigsaws.samples(root=release("jigsaws"), task="suturing", splits=str(tmp_path / "none.pkl"))


LEAVES = st.none() | st.integers(-1, 6) | st.sampled_from(["Suturing", "Suturing_B001", "Suturing_C001", "x"])
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(LEAVES, inner, max_size=3),
    max_leaves=12,
)


@quick
@given(data=st.data())
def test_whatever_the_bytes(release, tmp_path, data):
    with_meta = data.draw(st.booleans())
    root = tmp_path / f"jigsaws_{with_meta}"
    root.exists() or release("jigsaws", root, release=with_meta)
    path = data.draw(st.sampled_from(jigsaws.annotation_files(root=root, task="suturing")))
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole)))
    mutated = whole[:at] + data.draw(st.binary(max_size=12)) + whole[at + data.draw(st.integers(0, 12)) :]
    path.write_bytes(mutated if data.draw(st.booleans()) or with_meta else pickle.dumps(data.draw(VALUES)))
    try:
        table = jigsaws.samples(root=root, task="suturing")
    except InputError:
        return
    finally:
        path.write_bytes(whole)
    assert table["score"].between(6, 30).all()


@pytest.mark.parametrize(
    ("task", "folds", "lowest", "highest"),
    [("needle_passing", [7] * 4, 7, 24), ("suturing", [9, 10, 10, 10], 8, 30), ("knot_tying", [9] * 4, 6, 22)],
)
def test_real_trials(realdata, task, folds, lowest, highest):
    root = realdata / "JIGSAWS"
    if not root.is_dir():
        pytest.skip("AQA_REALDATA has no JIGSAWS")
    table = jigsaws.samples(root=root, task=task)
    assert {"samples": len(table)} == jigsaws.counts["task"][task]
    assert np.bincount(table["fold"].astype(int)).tolist() == folds
    assert (table["score"].min(), table["score"].max()) == (lowest, highest)
