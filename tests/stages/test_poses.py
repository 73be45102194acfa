"""From a rendered dive to boxes, keypoints and a contact sheet, by the stages and the shipped networks."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from aqa_pipeline import stores
from aqa_pipeline.errors import InputError
from aqa_pipeline.evaluation.pose_quality import recall
from aqa_pipeline.frames import encode_jpeg
from aqa_pipeline.simdive.clips import simulate_clip
from aqa_pipeline.simdive.dives import draw_dive
from aqa_pipeline.stages.contact_sheet import contact_sheet
from aqa_pipeline.stages.detect_athlete import detect_athlete
from aqa_pipeline.stages.estimate_keypoints import estimate_keypoints
from aqa_pipeline.stages.extract_frames import extract_frames
from aqa_pipeline.stages.list_samples import list_samples
from aqa_pipeline.stages.simulate import simulate


@pytest.fixture(scope="module")
def dives(tmp_path_factory):
    """Two rendered dives of a seed that no network was trained on, and everything made from them."""
    folder = tmp_path_factory.mktemp("dives")
    simulate(folder / "videos", folder / "truth.h5", options={"seed": 23, "n_dives": 2})
    list_samples(
        folder / "s.parquet", [folder / "0.parquet"], adapter="simdive", options={"folders": [folder / "videos"]}
    )
    extract_frames(folder / "0.parquet", folder / "frames.h5")
    detect_athlete(folder / "frames.h5", folder / "boxes.h5", detector="embedded", device="cpu")
    estimate_keypoints(
        folder / "frames.h5", folder / "boxes.h5", folder / "keypoints.h5", estimator="embedded", device="cpu"
    )
    return folder


def in_flight(store: stores.Reader, video_id: str) -> np.ndarray:
    facts = store.facts(video_id)
    times = np.arange(len(store.array(video_id, "box"))) / facts["fps"]
    return (times > facts["takeoff_time"]) & (times < facts["entry_time"])


def test_boxes_and_keypoints_lie_on_the_diver(dives):
    with (
        stores.read(dives / "truth.h5", kind="truth") as truth,
        stores.read(dives / "boxes.h5", kind="boxes") as boxes,
        stores.read(dives / "keypoints.h5", kind="keypoints") as keypoints,
    ):
        assert list(boxes) == list(keypoints) == ["dive_00000", "dive_00001"]
        for video_id in boxes:
            flying = in_flight(truth, video_id)
            true, found = truth.array(video_id, "box"), boxes.array(video_id, "boxes")
            assert found.shape == (len(true), 5)
            middle = np.abs((true[:, :2] + true[:, 2:]) / 2 - (found[:, :2] + found[:, 2:4]) / 2).max(axis=1)
            assert np.mean(middle[flying] < 20) > 0.9
            points, known = keypoints.array(video_id, "keypoints"), truth.array(video_id, "keypoints")[:, :17]
            assert points.shape == (len(true), 17, 3)
            far = np.linalg.norm(points[..., :2] - known[..., :2], axis=2)[flying]
            assert np.nanmedian(far) < 4
        assert keypoints.facts("dive_00000")["keypoint_set"] == "coco_17"
        assert keypoints.made_by["keypoint_set"] == "coco_17"


def test_a_sheet_shows_each_video_on_a_line(dives, tmp_path):
    import cv2

    contact_sheet(dives / "s.parquet", [dives / "frames.h5"], tmp_path / "s.png", n_videos=2, n_frames=5, width=64)
    assert cv2.imread(str(tmp_path / "s.png")).shape == (2 * 36, 5 * 64, 3)


def test_what_failed_before_stays_out_and_is_carried_on(dives, tmp_path):
    samples = pd.read_parquet(dives / "0.parquet")
    samples.loc[1, "path"] = str(tmp_path / "empty.mp4")
    (tmp_path / "empty.mp4").touch()
    samples.to_parquet(tmp_path / "samples.parquet")
    extract_frames(tmp_path / "samples.parquet", tmp_path / "frames.h5")
    detect_athlete(tmp_path / "frames.h5", tmp_path / "boxes.h5", detector="whole_frame", athlete="largest_box")
    with stores.read(tmp_path / "boxes.h5", kind="boxes") as boxes:
        assert list(boxes) == ["dive_00000"]
        np.testing.assert_array_equal(boxes.array("dive_00000", "boxes")[0, :4], [0, 0, 320, 180])
        stage, reason = boxes.failures["dive_00001"]
    assert (stage, "empty.mp4: the file is empty" in reason) == ("extract_frames", True)


def store_of(path, clips):
    """A frame store of clips by name, each T x (H, W, 3)."""
    with stores.write(path, kind="frames", version=1, made_by={}) as store:
        for name, pictures in clips.items():
            jpeg = [encode_jpeg(picture) for picture in pictures]
            offset = np.cumsum([0, *map(len, jpeg)])
            store.put(name, {"jpeg": np.concatenate(jpeg), "offset": offset}, fps=25.0, width=320, height=180)
    return path


@pytest.fixture(scope="module")
def filmed():
    """Two dives (T, H, W, 3) in different halls, with the truth."""
    return [simulate_clip(draw_dive(seed=23, index=index)) for index in (0, 1)]


def test_clips_without_an_athlete_have_no_boxes(filmed, tmp_path):
    dive = filmed[0]
    empty = [frame for frame, box in zip(dive.frames, dive.boxes, strict=True) if np.isnan(box[0])]
    clips = {"nobody": empty, "black": np.zeros((9, 180, 320, 3), np.uint8), "still": dive.frames[:1].repeat(20, 0)}
    detect_athlete(store_of(tmp_path / "f.h5", clips), tmp_path / "b.h5", detector="embedded", device="cpu")
    with stores.read(tmp_path / "b.h5", kind="boxes") as boxes:
        assert sorted(boxes) == ["black", "nobody", "still"]
        for name, pictures in clips.items():
            assert boxes.array(name, "boxes").shape == (len(pictures), 5)
            assert np.isnan(boxes.array(name, "boxes")).all()
            assert boxes.array(name, "cuts").tolist() == []


def test_black_frames_and_a_cut_in_a_dive(filmed, tmp_path):
    first, second = (dive.frames for dive in filmed)
    dark = first.copy()
    dark[30:33] = 0
    clips = {"dark": dark, "cut": [*first[:40], *second]}
    detect_athlete(store_of(tmp_path / "f.h5", clips), tmp_path / "b.h5", detector="embedded", device="cpu")
    with stores.read(tmp_path / "b.h5", kind="boxes") as boxes:
        assert boxes.array("dark", "cuts").tolist() == []
        found = boxes.array("dark", "boxes")
        assert (found[30:33, 4] == 0).all()  # filled in
        assert recall(found[10:40], filmed[0].boxes[10:40]) > 0.9
        assert boxes.array("cut", "cuts").tolist() == [40]
        truth = np.concatenate([filmed[0].boxes[:40], filmed[1].boxes])
        assert recall(boxes.array("cut", "boxes"), truth) > 0.85


def test_of_two_athletes_asked_for_a_lone_diver_is_the_first(filmed, tmp_path):
    dive = filmed[0]
    store, options = store_of(tmp_path / "f.h5", {"lone": dive.frames}), {"athletes": 2}
    detect_athlete(store, tmp_path / "b.h5", detector="embedded", device="cpu", athlete_options=options)
    with stores.read(tmp_path / "b.h5", kind="boxes") as boxes:
        assert recall(boxes.array("lone", "boxes"), dive.boxes) > 0.85
        partner = boxes.array("lone", "partner_boxes")
        assert partner.shape == (len(dive.frames), 5)
        assert np.isnan(partner).all()


def test_an_unknown_detector_is_answered_with_the_nearest(dives, tmp_path):
    with pytest.raises(InputError, match="no 'embeded' in detection: did you mean 'embedded'"):
        detect_athlete(dives / "frames.h5", tmp_path / "boxes.h5", detector="embeded")
    assert list(tmp_path.iterdir()) == []


def test_stores_say_what_made_them(dives):
    with stores.read(dives / "boxes.h5", kind="boxes") as boxes:
        made = json.loads(json.dumps(boxes.made_by))
    assert made["stage"] == "detect_athlete"
    assert (made["detector"], made["athlete"]) == ("embedded", "tracked")
    assert {"python", "numpy", "torch"} <= set(made["libraries"])
    assert made["inputs"]["frames"]["stage"] == "extract_frames"
    assert made["inputs"]["frames"]["quality"] == 90
    with stores.read(dives / "keypoints.h5", kind="keypoints") as keypoints:
        assert {**made, "version": boxes.version} == keypoints.made_by["inputs"]["boxes"]
