"""Two divers side by side, through the stage, found by BlazePose with its real weights."""

from __future__ import annotations

import numpy as np

from aqa_pipeline import stores
from aqa_pipeline.evaluation.pose_quality import recall
from aqa_pipeline.frames import encode_jpeg
from aqa_pipeline.simdive.clips import simulate_clip
from aqa_pipeline.simdive.dives import draw_dive
from aqa_pipeline.stages.detect_athlete import detect_athlete


def test_each_of_a_pair_has_boxes(tmp_path):
    clip, numbers = simulate_clip(draw_dive(8123, 0)), np.arange(12, 38)
    left = int(np.clip(np.nanmean(clip.boxes[:, [0, 2]]) - 80, 0, 160))
    half, boxes = clip.frames[numbers, :, left : left + 160], clip.boxes[numbers] - np.array([left, 0, left, 0])
    jpeg = [encode_jpeg(np.concatenate([frame, frame], axis=1)) for frame in half]
    with stores.write(tmp_path / "f.h5", kind="frames", version=1, made_by={}) as store:
        arrays = {"jpeg": np.concatenate(jpeg), "offset": np.cumsum([0, *map(len, jpeg)])}
        store.put("pair", arrays, fps=25.0, width=320, height=180)
    detect_athlete(
        tmp_path / "f.h5", tmp_path / "b.h5", detector="blazepose", device="cpu", athlete_options={"athletes": 2}
    )
    with stores.read(tmp_path / "b.h5", kind="boxes") as store:
        assert recall(store.array("pair", "boxes"), boxes) > 0.6
        assert recall(store.array("pair", "partner_boxes"), boxes + np.array([160, 0, 160, 0])) > 0.6
