from __future__ import annotations

import os
import resource
import subprocess
import sys

import pandas as pd
import pytest

from aqa_pipeline import frames, stores
from aqa_pipeline.stages.extract_frames import extract_frames


@pytest.fixture
def samples(tmp_path, video):
    """One good video, one empty, one short, one missing, one that ends before its last frame, one in pictures."""
    (tmp_path / "empty.mp4").touch()
    rows = [
        ("good", video("good.mp4"), 2, 11),
        ("empty", tmp_path / "empty.mp4", None, None),
        ("short", video("short.mp4", n_frames=4), None, None),
        ("missing", tmp_path / "missing.mp4", None, None),
        ("ends", video("ends.mp4"), 0, 30),
        ("pictures", tmp_path / "pictures", 3, 11),
    ]
    (tmp_path / "pictures").mkdir()
    for number, _, rgb in frames.decode(video("good.mp4")):
        frames.encode_jpeg(rgb).tofile(tmp_path / "pictures" / f"{number:06d}.jpg")
    table = pd.DataFrame(rows, columns=["video_id", "path", "first_frame", "last_frame"]).assign(fps=50.0)
    table.astype({"path": str, "first_frame": "Int64", "last_frame": "Int64"}).to_parquet(tmp_path / "samples.parquet")
    return tmp_path / "samples.parquet"


def test_bad_videos_are_left_out_with_their_reasons(samples, tmp_path):
    extract_frames(samples, tmp_path / "frames.h5", min_frames=8)
    with stores.read(tmp_path / "frames.h5", kind="frames") as store:
        assert list(store) == ["good", "pictures"]
        assert len(frames.StoredFrames(store, "good")) == 10
        assert list(store.array("pictures", "frame_number")) == list(range(3, 12))
        assert (store.facts("good")["fps"], store.facts("pictures")["fps"]) == (20.0, 50.0)
        assert {video_id for video_id, (stage, _) in store.failures.items() if stage == "absent"} == {"missing"}
        assert store.made_by["quality"] == 90
        reasons = {video_id: reason.rpartition("/")[2] for video_id, (_, reason) in store.failures.items()}
    assert reasons == {
        "empty": "empty.mp4: the file is empty, expected a video",
        "short": "short.mp4: has 4 frames, expected at least 8",
        "missing": "missing.mp4: no such video file or folder of pictures",
        "ends": "ends.mp4: ends at frame 12, expected frames 0 to 30",
    }


def test_a_full_disk_is_one_line_and_leaves_nothing(samples, tmp_path):
    answer = subprocess.run(
        [sys.executable, "-m", "aqa_pipeline.stages.extract_frames", samples, tmp_path / "out" / "frames.h5"],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)),
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert answer.returncode != 0
    assert answer.stderr.strip().splitlines()[-1].endswith("File too large; nothing was left half-written")
    assert os.listdir(tmp_path / "out") == []
