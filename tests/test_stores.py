from __future__ import annotations

import os
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from aqa_pipeline import stores
from aqa_pipeline.errors import InputError

names = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20
)
arrays = npst.arrays(
    st.sampled_from([np.float32, np.int64, np.uint8, bool]),
    npst.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(videos=st.dictionaries(names.filter(lambda n: n not in {".", ".."}), arrays, max_size=4))
def test_what_is_put_comes_back(tmp_path, videos):
    path = tmp_path / "store.h5"
    with stores.write(path, kind="boxes", version=3, made_by={"options": {"a": 1}}) as store:
        for video_id, array in videos.items():
            store.put(video_id, {"boxes": array}, fps=25.0, keypoint_set="coco_17")
    with stores.read(path, kind="boxes", version=3) as store:
        assert sorted(store) == sorted(videos)
        assert store.made_by == {"options": {"a": 1}}
        for video_id, array in videos.items():
            np.testing.assert_array_equal(store[video_id]["boxes"], array)
            assert store[video_id]["boxes"].dtype == array.dtype
            assert store.facts(video_id) == {"fps": 25.0, "keypoint_set": "coco_17"}


def test_rows_of_an_array(tmp_path):
    with stores.write(tmp_path / "s.h5", kind="boxes", version=1, made_by={}) as store:
        store.put("a", {"boxes": np.arange(35).reshape(7, 5)})
    with stores.read(tmp_path / "s.h5", kind="boxes") as store:
        np.testing.assert_array_equal(store.array("a", "boxes", slice(2, 4)), np.arange(10, 20).reshape(2, 5))


def test_failures_are_carried_from_store_to_store(tmp_path):
    with stores.write(tmp_path / "frames.h5", kind="frames", version=1, made_by={}) as store:
        store.fail("a/b", "extract_frames", "the file is empty")
    with (
        stores.read(tmp_path / "frames.h5", kind="frames") as frames,
        stores.write(tmp_path / "boxes.h5", kind="boxes", version=1, made_by={}) as store,
    ):
        store.carry_failures(frames, frames)
        store.fail("c", "detect_athlete", "black")
    with stores.read(tmp_path / "boxes.h5", kind="boxes") as store:
        assert store.failures == {
            "a/b": ("extract_frames", "the file is empty"),
            "c": ("detect_athlete", "black"),
        }


def test_nothing_is_left_when_the_writer_stops_half_way(tmp_path):
    with (
        pytest.raises(RuntimeError),
        stores.write(tmp_path / "s.h5", kind="boxes", version=1, made_by={}) as store,
    ):
        store.put("a", {"boxes": np.zeros((2, 5))})
        raise RuntimeError
    assert os.listdir(tmp_path) == []


def test_an_older_store_stays_when_its_replacement_fails(tmp_path):
    path = tmp_path / "s.h5"
    with stores.write(path, kind="boxes", version=1, made_by={}) as store:
        store.put("old", {"boxes": np.zeros((2, 5))})
    with pytest.raises(RuntimeError), stores.write(path, kind="boxes", version=1, made_by={}):
        raise RuntimeError
    with stores.read(path, kind="boxes") as store:
        assert list(store) == ["old"]


def test_what_a_killed_process_left_is_swept_away(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    dead, alive = tmp_path / f".s.h5.{gone.pid}.part", tmp_path / f".s.h5.{os.getppid()}.part"
    other = tmp_path / f".t.h5.{gone.pid}.part"
    for path in (dead, alive, other):
        path.touch()
    with stores.write(tmp_path / "s.h5", kind="boxes", version=1, made_by={}):
        pass
    assert (dead.exists(), alive.exists(), other.exists()) == (False, True, True)


def test_what_is_left_of_a_name_with_brackets_is_swept_too(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (tmp_path / f".dive[1].mp4.{gone.pid}.part.mp4").touch()
    with stores.replacing(tmp_path / "dive[1].mp4", suffix=".mp4") as temporary:
        assert temporary.suffix == ".mp4"
        temporary.touch()
    assert os.listdir(tmp_path) == ["dive[1].mp4"]


def test_what_the_system_refuses_is_named_by_the_file_that_was_wanted(tmp_path):
    with pytest.raises(OSError, match="No space left") as full, stores.replacing(tmp_path / "a.csv"):
        raise OSError(28, "No space left on device")
    assert full.value.filename == str(tmp_path / "a.csv")
    with pytest.raises(FileNotFoundError) as other, stores.replacing(tmp_path / "a.csv"):
        (tmp_path / "b.csv").read_text()
    assert other.value.filename == str(tmp_path / "b.csv")


def test_a_damaged_table_is_named(tmp_path):
    path = tmp_path / "t.parquet"
    with pytest.raises(InputError, match=r"t.parquet: no such table"):
        stores.read_table(path)
    pd.DataFrame({"video_id": ["a", "b"], "score": [1.0, 2.0]}).to_parquet(path)
    assert stores.read_table(path, columns=["score"])["score"].tolist() == [1.0, 2.0]
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match=r"t.parquet: damaged or not a parquet file; delete it"):
        stores.read_table(path)


def test_wrong_kind_version_name_and_damage_are_named(tmp_path):
    path = tmp_path / "s.h5"
    with stores.write(path, kind="boxes", version=2, made_by={}) as store:
        store.put("a", {"boxes": np.zeros((2, 5))})
    with pytest.raises(InputError, match=r"holds boxes, expected frames"), stores.read(path, kind="frames"):
        pass
    with (
        pytest.raises(InputError, match=r"version 2, expected 3"),
        stores.read(path, kind="boxes", version=3),
    ):
        pass
    with pytest.raises(InputError, match=r"no such store"), stores.read(tmp_path / "none.h5", kind="boxes"):
        pass
    with stores.read(path, kind="boxes") as store:
        with pytest.raises(InputError, match="holds no video 'b'"):
            store["b"]
        with pytest.raises(InputError, match=r"has \['boxes'\], expected 'keypoints'"):
            store.array("a", "keypoints")
    whole = path.read_bytes()
    for length in (0, 10, 600, len(whole) // 2):
        path.write_bytes(whole[:length])
        with (
            pytest.raises(InputError, match="damaged or not a store of ours"),
            stores.read(path, kind="boxes"),
        ):
            pass


def test_a_store_of_another_format_is_refused(tmp_path):
    with stores.write(tmp_path / "s.h5", kind="boxes", version=1, made_by={}):
        pass
    with h5py.File(tmp_path / "s.h5", "r+") as file:
        file.attrs["format"] = 7
    with (
        pytest.raises(InputError, match="a store of format 7, expected 1"),
        stores.read(tmp_path / "s.h5", kind="boxes"),
    ):
        pass


def test_a_foreign_hdf5_file_is_refused(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with (
        pytest.raises(InputError, match="not a store of ours"),
        stores.read(tmp_path / "other.h5", kind="boxes"),
    ):
        pass
