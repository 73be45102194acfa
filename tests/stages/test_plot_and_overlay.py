"""The two stages that make pictures, from stores and tables on disk."""

import numpy as np
import pandas as pd
import pytest

from aqa_pipeline import frames, stores
from aqa_pipeline.stages.overlay import overlay
from aqa_pipeline.stages.plot import plot
from aqa_pipeline.stages.score import score
from aqa_pipeline.stages.tabulate import tabulate

TABLE = {
    "datasets": ["dives"],
    "protocol": "halves",
    "rows": ["no_video.default", "pose_guided.coco"],
    "metrics": ["spearman_rho", "med"],
    "floor": "no_video.default",
    "ceiling": None,
}


@pytest.fixture
def predictions(tmp_path):
    """Predictions of two rows on 12 videos in two folds, one of them with training histories."""
    rng = np.random.default_rng(0)
    ids, paths = np.array([f"v{i:02d}" for i in range(12)]), []
    for row in TABLE["rows"]:
        for fold in (0, 1):
            run = tmp_path / "runs" / row / "dives.halves" / f"fold{fold}.seed0"
            run.mkdir(parents=True)
            mine = ids[fold::2]
            score = np.array([float(video_id[1:]) for video_id in mine])
            columns = dict(score=score, predicted_score=score + rng.normal(size=6), execution_score=score)
            table = pd.DataFrame({"video_id": mine, "fold": fold, "seed": 0, **columns, "n_exemplars": 0})
            table.assign(predicted_execution=table["predicted_score"]).to_parquet(run / "predictions.parquet")
            steps = {"step": [10, 20], "loss": [2.0, 1.0]} if row.startswith("pose") else {"step": [], "loss": []}
            pd.DataFrame(steps).to_csv(run / "history.csv", index=False)
            paths.append(run / "predictions.parquet")
    return paths


def test_plots_of_a_table(predictions, tmp_path):
    scored = tmp_path / "scores.csv"
    beside = dict(pairs=scored.with_suffix(".pairs.csv"), detectable=scored.with_suffix(".detectable.csv"))
    score(predictions, out=scored, **beside, table=TABLE, bootstrap=100)
    made, *beside = (tmp_path / f"{name}.csv" for name in ("tables", "comparisons", "significance", "detectable"))
    tabulate([scored], made, *beside, tables={"main": TABLE})
    plot(predictions, scores=scored, tables=made, out=tmp_path / "plots", name="main", table=TABLE)
    names = sorted(path.name for path in (tmp_path / "plots").iterdir())
    overviews = ["overview.med.png", "overview.spearman_rho.png"]
    assert names == ["critical_difference.dives.png", *overviews, "scatter.dives.png", "training.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (tmp_path / "plots").iterdir())


@pytest.fixture
def pipeline(tmp_path, video):
    """Frames, boxes and keypoints of 12 videos in one shard, of which the last has no keypoints."""
    ids = [f"v{i:02d}" for i in range(12)]
    table = pd.DataFrame({"video_id": ids, "score": range(12), "action_type": [None, *["107b"] * 11], "shard": 0})
    table["steps"] = [[{"sub_action": "take_off", "first_frame": 0}]] * 11 + [None]
    table.to_parquet(tmp_path / "samples.parquet")
    arrays, facts = frames.extract(video(n_frames=5))
    folders = [tmp_path / kind for kind in ("frames", "boxes", "keypoints")]
    opened = [stores.write(f / "0000.h5", kind=f.name, version=1, made_by={}) for f in folders]
    with opened[0] as clips, opened[1] as boxes, opened[2] as keypoints:
        for video_id in ids:
            clips.put(video_id, arrays, **facts)
            partners = {"partner_boxes": np.full((5, 5), np.nan)} if video_id == "v00" else {}
            boxes.put(video_id, {"boxes": np.full((5, 5), 7.0), **partners})
            if video_id != "v11":
                keypoints.put(video_id, {"keypoints": np.full((5, 17, 3), 9.0)}, keypoint_set="coco_17")
    return [tmp_path / "samples.parquet", *folders]


def test_films_of_a_few_videos(pipeline, tmp_path):
    overlay(*pipeline, tmp_path / "films", n_videos=3)
    assert sorted(path.name for path in (tmp_path / "films").iterdir()) == ["v00.mp4", "v06.mp4"]  # v11 was left out
    assert frames.probe(tmp_path / "films" / "v06.mp4").n_frames == 5


def test_films_of_predicted_videos_alone(pipeline, predictions, tmp_path):
    overlay(*pipeline, tmp_path / "films", predictions=predictions[:1], n_videos=2)
    assert sorted(path.name for path in (tmp_path / "films").iterdir()) == ["v00.mp4", "v10.mp4"]
