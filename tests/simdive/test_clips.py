import json

import cv2
import numpy as np
import pandas as pd
import pytest

from aqa_pipeline import stores
from aqa_pipeline.errors import InputError
from aqa_pipeline.shards import shard_of
from aqa_pipeline.simdive import clips
from aqa_pipeline.simdive.dives import draw_dive

SMALL = dict(width=128, height=72, fps=10.0)


def decoded(path):
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1][..., ::-1])
    return np.stack(frames)


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    """A data set of three dives in one shard: folder, truth, annotation."""
    folder = tmp_path_factory.mktemp("simdive")
    truth = folder / "truth.h5"
    table = clips.simulate_shard(folder / "videos", truth, seed=3, n_dives=3, **SMALL)
    return folder / "videos", truth, table


@pytest.fixture(scope="module")
def clip():
    return clips.simulate_clip(draw_dive(3, 1), **SMALL)


def test_shapes(clip):
    T = len(clip.frames)
    assert clip.frames.shape == (T, 72, 128, 3)
    assert clip.boxes.shape == (T, 4)
    assert clip.keypoints.shape == (T, 133, 3)
    assert clip.masks.shape == clip.splashes.shape == (T, 72, 128)
    assert clip.phases.shape == clip.times.shape == (T,)
    assert set(np.unique(clip.keypoints[..., 2])) == {0, 1, 2}


def test_sub_actions_follow_the_steps(clip):
    performance = draw_dive(3, 1).performance
    assert clip.sub_actions == [performance.sub_action(time) for time in clip.times]
    assert clip.sub_actions[0] == "take_off"
    assert clip.sub_actions[-1] == "entry"


def test_files_hold_what_the_clip_says(shard, clip):
    videos, truth, _ = shard
    assert sorted(path.name for path in videos.iterdir()) == [
        "annotations.parquet", "dive_00000.mp4", "dive_00001.mp4", "dive_00002.mp4",
    ]  # fmt: skip
    frames = decoded(videos / "dive_00001.mp4")
    assert frames.shape == clip.frames.shape
    assert np.abs(frames.astype(float) - clip.frames).mean() < 8  # compressed, not another picture
    with stores.read(truth, kind="truth") as store:
        assert list(store) == ["dive_00000", "dive_00001", "dive_00002"]
        arrays, facts = store["dive_00001"], store.facts("dive_00001")
    np.testing.assert_array_equal(arrays["box"], clip.boxes)
    np.testing.assert_array_equal(arrays["keypoints"], clip.keypoints)
    np.testing.assert_array_equal(arrays["mask"], clip.masks)
    np.testing.assert_array_equal(arrays["splash"], clip.splashes)
    np.testing.assert_array_equal(arrays["phase"], clip.phases)
    names = json.loads(facts["sub_actions"])
    assert [names[phase] for phase in arrays["phase"]] == clip.sub_actions
    assert facts["fault_splash"] == draw_dive(3, 1).performance.faults.splash


def test_annotation_is_what_judges_gave_and_no_more(shard):
    videos = shard[0]
    read = pd.read_parquet(videos / "annotations.parquet")
    assert list(read.columns) == [
        "video_id", "path", "first_frame", "last_frame", "fps", "action_type", "difficulty", "judge_scores",
        "score", "steps", "group",
    ]  # fmt: skip
    for index, row in read.iterrows():
        dive = draw_dive(3, index)
        assert (videos / row.path).is_file()
        assert row.last_frame == len(decoded(videos / row.path)) - 1
        assert len(row.judge_scores) == 7
        assert row.score == pytest.approx(np.sort(row.judge_scores)[2:5].sum() * row.difficulty, abs=0.006)
        assert row.action_type == dive.number.number
        firsts = [step["first_frame"] for step in row.steps]
        assert firsts == sorted(firsts)
        assert firsts[0] == 0


def test_same_seed_same_files(shard, tmp_path):
    videos, _, table = shard
    again = clips.simulate_shard(tmp_path / "videos", tmp_path / "truth.h5", seed=3, n_dives=3, **SMALL)
    pd.testing.assert_frame_equal(again, table)
    for path in videos.glob("*.mp4"):
        np.testing.assert_array_equal(decoded(path), decoded(tmp_path / "videos" / path.name))


def test_another_seed_another_picture(shard, tmp_path):
    other = clips.simulate_clip(draw_dive(4, 1), **SMALL)
    here = decoded(shard[0] / "dive_00001.mp4")
    shared = min(len(here), len(other.frames))
    assert np.abs(here[:shared].astype(float) - other.frames[:shared]).mean() > 15


def test_shards_divide_the_dives(shard, tmp_path):
    videos, _, table = shard
    parts = [
        clips.simulate_shard(tmp_path / str(i), tmp_path / f"{i}.h5", seed=3, n_dives=2, shard=i, n_shards=2, **SMALL)
        for i in range(2)
    ]
    for number, part in enumerate(parts):
        assert all(shard_of(video_id, 2) == number for video_id in part.video_id)
    whole = pd.concat(parts).sort_values("video_id", ignore_index=True)
    assert whole.to_dict("records") == table[:2].to_dict("records")  # nor does the number of dives change one
    for number, part in enumerate(parts):
        for path in part.path:
            np.testing.assert_array_equal(decoded(tmp_path / str(number) / path), decoded(videos / path))


def test_an_empty_shard_has_the_same_columns(tmp_path):
    empty = next(i for i in range(5) if i != shard_of("dive_00000", 5))
    table = clips.simulate_shard(tmp_path / "v", tmp_path / "t.h5", n_dives=1, shard=empty, n_shards=5, **SMALL)
    read = pd.read_parquet(tmp_path / "v" / "annotations.parquet")
    assert len(table) == len(read) == 0
    assert "judge_scores" in read.columns


def test_what_is_half_written_does_not_stay(tmp_path, monkeypatch):
    def full_disk(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stores.os, "replace", full_disk)
    with pytest.raises(OSError, match="No space"):
        clips.simulate_shard(tmp_path / "v", tmp_path / "t.h5", n_dives=1, **SMALL)
    assert list((tmp_path / "v").iterdir()) == []
    assert not list(tmp_path.glob("*.h5"))


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ("width", 127),
        ("width", 20),
        ("height", 73),
        ("fps", 0),
        ("aftermath", -1),
        ("n_dives", 0),
        ("shard", 4),
    ],
)
def test_settings_out_of_range_are_named(tmp_path, setting, found):
    settings = {**SMALL, "n_dives": 2, "n_shards": 4, setting: found}
    with pytest.raises(InputError, match=f"{setting}: found {found}, expected"):
        clips.simulate_shard(tmp_path / "v", tmp_path / "t.h5", **settings)
    assert not list(tmp_path.iterdir())
