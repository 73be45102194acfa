"""One command for one's own videos, with the real networks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from aqa_pipeline import frames, own_videos, stores
from aqa_pipeline.errors import InputError
from aqa_pipeline.pose import precomputed
from aqa_pipeline.stages.simulate import simulate


@pytest.fixture(scope="module")
def dive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dive")
    simulate(folder / "videos", folder / "truth.h5", options={"seed": 29, "n_dives": 1})
    return next((folder / "videos").glob("*.mp4")), folder / "truth.h5"


def test_a_video_becomes_stores_a_film_and_a_csv(dive, tmp_path):
    path, truth = dive
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    choice = own_videos.Choice(detector="embedded", estimator="embedded", device="cpu")
    failures = own_videos.poses([path, tmp_path / "broken.mp4"], tmp_path / "out", choice)
    assert list(failures) == ["broken"]
    assert "broken.mp4: cannot be opened as a video" in failures["broken"]
    name = path.stem
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == sorted(
        ["boxes.h5", f"{name}.csv", f"{name}.mp4", "frames.h5", "keypoints.h5"]
    )
    with stores.read(truth, kind="truth") as store:
        known = store.array(name, "keypoints")[:, :17]
    found, _ = precomputed.read(tmp_path / "out" / f"{name}.csv", keypoint_set="coco_17")
    with stores.read(tmp_path / "out/keypoints.h5", kind="keypoints") as store:
        np.testing.assert_array_equal(found, store.array(name, "keypoints"))
    assert np.nanmedian(np.linalg.norm(found[..., :2] - known[..., :2], axis=2)) < 6
    assert sum(1 for _ in frames.decode(tmp_path / "out" / f"{name}.mp4")) == len(known)


def test_a_black_video_has_no_athlete_and_says_so_in_every_row(video, tmp_path):
    path = video(n_frames=1, name="dark.mp4")
    own_videos.poses([path], tmp_path / "out", own_videos.Choice(device="cpu"))
    table = pd.read_csv(tmp_path / "out/dark.csv")
    assert len(table) == 17
    assert table["x"].isna().all()


def test_names_that_clash_and_videos_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match=r"2 videos are named 'a', expected names of their own"):
        own_videos.poses([tmp_path / "a.mp4", tmp_path / "b" / "a.avi"], tmp_path / "out")
    with pytest.raises(InputError, match=r"a.mp4: no such video file"):
        own_videos.poses([tmp_path / "a.mp4"], tmp_path / "out", own_videos.Choice(device="cpu"))
