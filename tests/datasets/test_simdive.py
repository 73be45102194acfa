import numpy as np
import pandas as pd
import pytest

from aqa_pipeline.datasets import COLUMNS, simdive
from aqa_pipeline.errors import InputError


def annotations(folder, *video_ids, **columns):
    folder.mkdir()
    steps = [{"sub_action": "take_off", "first_frame": 0}, {"sub_action": "entry", "first_frame": 41}]
    table = pd.DataFrame(
        {
            "video_id": video_ids,
            "path": [f"{v}.mp4" for v in video_ids],
            "first_frame": 0,
            "last_frame": 63,
            "fps": 25.0,
            "action_type": "107b",
            "difficulty": 3.0,
            "judge_scores": [[7.5, 8.0, 7.0, 7.5, 8.0, 7.5, 6.5]] * len(video_ids),
            "score": 67.5,
            "steps": [steps] * len(video_ids),
            "group": "diver_3",
        }
    ).assign(**columns)
    table.to_parquet(folder / "annotations.parquet", index=False)
    return folder


def test_shards_are_joined_and_paths_made_whole(tmp_path):
    folders = [annotations(tmp_path / "0000", "c", "a"), annotations(tmp_path / "0001", "b")]
    table = simdive.samples(folders=folders)
    assert list(table.columns) == COLUMNS
    assert list(table["video_id"]) == ["a", "b", "c"]
    assert list(table["path"]) == [str(tmp_path / part) for part in ("0000/a.mp4", "0001/b.mp4", "0000/c.mp4")]
    assert table.loc[0, "judge_scores"] == [7.5, 8.0, 7.0, 7.5, 8.0, 7.5, 6.5]
    assert table.loc[1, "steps"][1] == {"sub_action": "entry", "first_frame": 41}


def test_a_shard_without_a_dive_changes_nothing(tmp_path):
    one, none = annotations(tmp_path / "0000", "a"), annotations(tmp_path / "0001")
    pd.testing.assert_frame_equal(simdive.samples(folders=[one]), simdive.samples(folders=[one, none]))


def test_a_dive_in_two_shards_is_named(tmp_path):
    folders = [annotations(tmp_path / "0000", "a"), annotations(tmp_path / "0001", "a")]
    with pytest.raises(InputError, match="video_id 'a' stands twice"):
        simdive.samples(folders=folders)


def test_a_score_that_is_none_is_named(tmp_path):
    with pytest.raises(InputError, match="video 'a' has no finite score"):
        simdive.samples(folders=[annotations(tmp_path / "0000", "a", score=np.nan)])


def test_unusable_files_are_named(tmp_path):
    folder = annotations(tmp_path / "0000", "a")
    pd.read_parquet(folder / "annotations.parquet").drop(columns="steps").to_parquet(folder / "annotations.parquet")
    with pytest.raises(InputError, match=r"0000/annotations.parquet: no column 'steps'"):
        simdive.samples(folders=[folder])
    (folder / "annotations.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(InputError, match=r"0000/annotations.parquet: cannot be read"):
        simdive.samples(folders=[folder])
    with pytest.raises(InputError, match="no such file"):
        simdive.samples(folders=[tmp_path / "0007"])
    with pytest.raises(InputError, match="folders: found none"):
        simdive.samples(folders=[])
