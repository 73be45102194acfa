"""The stages at the front: samples listed and sharded, folds made."""

import pandas as pd
import pytest

from aqa_pipeline.errors import InputError
from aqa_pipeline.shards import shard_of
from aqa_pipeline.stages.list_samples import list_samples
from aqa_pipeline.stages.make_folds import make_folds


@pytest.fixture
def csv(tmp_path):
    def write(*video_ids):
        for video_id in video_ids:
            (tmp_path / f"{video_id}.mp4").touch()
        rows = [f"{video_id},{video_id}.mp4,{50 + i}" for i, video_id in enumerate(video_ids)]
        (tmp_path / "samples.csv").write_text("\n".join(["video_id,path,score", *rows]) + "\n")
        return {"csv": str(tmp_path / "samples.csv")}

    return write


def shards(tmp_path, n):
    return [tmp_path / "shards" / f"{i:04d}.parquet" for i in range(n)]


def test_samples_and_their_shards(csv, tmp_path):
    options = csv(*"abcdefg")
    list_samples(tmp_path / "all.parquet", shards(tmp_path, 3), adapter="custom", options=options)
    table = pd.read_parquet(tmp_path / "all.parquet")
    assert list(table["video_id"]) == list("abcdefg")
    assert list(table["shard"]) == [shard_of(video_id, 3) for video_id in "abcdefg"]
    for number, path in enumerate(shards(tmp_path, 3)):
        part = pd.read_parquet(path)
        assert list(part["video_id"]) == list(table.loc[table["shard"] == number, "video_id"])
        assert list(part.columns) == list(table.columns)


def test_a_new_video_changes_the_bytes_of_its_own_shard_alone(csv, tmp_path):
    paths = shards(tmp_path, 4)
    list_samples(tmp_path / "all.parquet", paths, adapter="custom", options=csv(*"abcdefg"))
    before = [path.read_bytes() for path in paths]
    list_samples(tmp_path / "all.parquet", paths, adapter="custom", options=csv(*"abcdefg"))
    assert [path.read_bytes() for path in paths] == before
    list_samples(tmp_path / "all.parquet", paths, adapter="custom", options=csv(*"abcdefgh"))
    changed = [number for number, path in enumerate(paths) if path.read_bytes() != before[number]]
    assert changed == [shard_of("h", 4)]


def test_a_shard_may_be_empty(csv, tmp_path):
    paths = shards(tmp_path, 5)
    list_samples(tmp_path / "all.parquet", paths, adapter="custom", options=csv("a"))
    sizes = [len(pd.read_parquet(path)) for path in paths]
    assert sorted(sizes) == [0, 0, 0, 0, 1]


def test_nothing_is_written_for_a_table_with_a_mistake(csv, tmp_path):
    options = csv("a")
    (tmp_path / "samples.csv").write_text("video_id,path,score\na,a.mp4,good\n")
    with pytest.raises(InputError, match="row 2, column score"):
        list_samples(tmp_path / "all.parquet", shards(tmp_path, 2), adapter="custom", options=options)
    assert [path.name for path in tmp_path.rglob("*.parquet")] == []
    with pytest.raises(InputError, match="no 'customs' in datasets: did you mean 'custom'"):
        list_samples(tmp_path / "all.parquet", [], adapter="customs")


def test_folds(csv, tmp_path):
    list_samples(tmp_path / "all.parquet", shards(tmp_path, 1), adapter="custom", options=csv(*"abcdefg"))
    make_folds(tmp_path / "all.parquet", tmp_path / "folds.parquet", protocol="k_fold", n_folds=3, seed=1)
    table = pd.read_parquet(tmp_path / "folds.parquet")
    assert list(table.columns) == ["video_id", "fold", "part"]
    assert sorted(table.loc[table["part"] == "test", "video_id"]) == list("abcdefg")
    with pytest.raises(InputError, match="no column 'part'"):
        make_folds(tmp_path / "all.parquet", tmp_path / "other.parquet", protocol="official")
    assert not (tmp_path / "other.parquet").exists()


def test_folds_without_what_another_data_set_tests(csv, tmp_path):
    list_samples(tmp_path / "all.parquet", shards(tmp_path, 1), adapter="custom", options=csv(*"abcdefg"))
    table = pd.read_parquet(tmp_path / "all.parquet")
    table.assign(identity="clip/" + table["video_id"]).to_parquet(tmp_path / "named.parquet")
    pd.DataFrame({"identity": ["clip/c", "clip/f"], "part": "test"}).to_parquet(tmp_path / "other.parquet")
    options = dict(protocol="repeated_random", n_folds=3, options={"train_size": 5})
    make_folds(tmp_path / "named.parquet", tmp_path / "whole.parquet", **options)
    make_folds(tmp_path / "named.parquet", tmp_path / "f.parquet", **options, excluding=[tmp_path / "other.parquet"])
    whole, left = pd.read_parquet(tmp_path / "whole.parquet"), pd.read_parquet(tmp_path / "f.parquet")
    tests = whole[whole["part"] == "test"]
    pd.testing.assert_frame_equal(left[left["part"] == "test"].reset_index(drop=True), tests.reset_index(drop=True))
    assert set(whole.loc[whole["part"] == "train", "video_id"]) == set("abcdefg")
    assert set(left.loc[left["part"] == "train", "video_id"]) == set("abdeg")
