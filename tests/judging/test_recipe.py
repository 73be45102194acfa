"""A recipe that a run carries makes of the same video the same stores, by the real stages."""

import numpy as np
import pandas as pd
import pytest

from aqa_pipeline import stores
from aqa_pipeline.errors import InputError
from aqa_pipeline.judging.recipe import Kitchen, athlete_of
from aqa_pipeline.stages.detect_athlete import detect_athlete
from aqa_pipeline.stages.estimate_keypoints import estimate_keypoints
from aqa_pipeline.stages.extract_features import extract_features
from aqa_pipeline.stages.extract_frames import extract_frames
from aqa_pipeline.stages.smooth_keypoints import smooth_keypoints
from aqa_pipeline.training import runs
from aqa_pipeline.training.trained import same, steps


@pytest.fixture
def made(video, tmp_path):
    """Samples and a feature store of one film, through every stage that a recipe may hold."""
    samples = tmp_path / "samples.parquet"
    pd.DataFrame(dict(video_id=["clip"], path=[str(video())])).to_parquet(samples)
    frames, boxes, raw, smooth = (tmp_path / f"{name}.h5" for name in ("frames", "boxes", "raw", "smooth"))
    extract_frames(samples, frames, quality=80, max_height=24)
    detect_athlete(frames, boxes, detector="whole_frame", athlete="largest_box", device="cpu")
    estimate_keypoints(frames, boxes, raw, estimator="embedded", options={"keypoint_set": "coco_17"}, device="cpu")
    smooth_keypoints(raw, smooth, boxes=boxes, options={"filter": "median", "window": 3})
    extract_features([smooth], out=tmp_path / "motion/0000.h5", extractor="body_motion")
    return samples, tmp_path / "motion/0000.h5"


def test_the_same_video_becomes_the_same_features(made, tmp_path):
    samples, path = made
    recipe = runs.recipe_of(runs.Files(features=[path]))
    assert list(recipe["features"]) == ["motion"]
    assert [step["stage"] for step in steps(recipe["features"]["motion"])] == [
        *("extract_features", "smooth_keypoints", "detect_athlete", "extract_frames"),
        *("estimate_keypoints", "detect_athlete", "extract_frames", "extract_frames"),
    ]
    kitchen = Kitchen(tmp_path / "own", samples, "cpu")
    again = kitchen.store(recipe["features"]["motion"], "motion")
    assert again == tmp_path / "own/features/own/motion/0000.h5"
    assert kitchen.by_kind("frames") == tmp_path / "own/frames/own/0000.h5"
    assert len(list((tmp_path / "own").rglob("*.h5"))) == 5  # each once, though three steps read the frames
    with stores.read(path, kind="features") as one, stores.read(again, kind="features") as other:
        np.testing.assert_array_equal(one.array("clip", "features"), other.array("clip", "features"))
    assert same(stores.recipe(again), recipe["features"]["motion"])
    assert kitchen.failures == {}
    assert set(kitchen.seconds) == {"frames", "boxes", "keypoints", "features"}
    assert athlete_of(recipe)["stage"] == "smooth_keypoints"


def test_other_weights_or_another_version_are_no_longer_the_recipe(made, tmp_path):
    samples, path = made
    recipe = stores.recipe(path)
    boxes = recipe["inputs"]["keypoints"]["inputs"]["boxes"]
    for name, kind in (
        ("version", r"detect_athlete: version is \d+ here, expected 99 as in training"),
        ("sha256", "sha256"),
    ):
        with pytest.raises(InputError, match=kind):
            Kitchen(tmp_path / name, samples, "cpu").store({**boxes, name: 99})
    assert same({**boxes, "libraries": {}}, boxes)
    assert not same({**boxes, "options": {"side": 1}}, boxes)


def test_a_film_that_is_too_short_is_left_out_with_the_reason(made, video, tmp_path):
    pd.DataFrame(dict(video_id=["short"], path=[str(video("short.mp4", n_frames=3))])).to_parquet(
        tmp_path / "one.parquet"
    )
    kitchen = Kitchen(tmp_path / "own", tmp_path / "one.parquet", "cpu")
    kitchen.store(stores.recipe(made[1]))
    assert list(kitchen.failures) == ["short"]
    assert kitchen.failures["short"].endswith("short.mp4: has 3 frames, expected at least 8")
