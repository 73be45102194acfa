"""A small finished run, as the stages leave it: real predictions files, scores, tables, stores and failures."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from aqa_pipeline import stores
from aqa_pipeline.stages.collect_failures import collect_failures
from aqa_pipeline.stages.extract_frames import extract_frames
from aqa_pipeline.stages.score import score
from aqa_pipeline.stages.tabulate import tabulate

N, T, SIZE = 40, 12, (96, 64)
ROWS = {
    "no_video.default": 12.0,
    "feature_forest.motion_17": 1.2,
    "pose_guided.coco": 3.0,
    "judge_ceiling.default": 0.5,
}
TABLE = dict(
    datasets=["dives", "elsewhere"],
    protocol="halves",
    rows=[*ROWS],
    metrics=["spearman_rho", "med"],
    floor="no_video.default",
    ceiling="judge_ceiling.default",
)
LEDGER = """table,system,variant,dataset,setting,metric,value,printed,source,evidence,note
others,pose_guided,coco,dives,halves,spearman_rho,0.91,0.91,"A paper, Table 1",read,
others,core,default,dives,halves,spearman_rho,0.95,0.95,"Another <paper>, Table 2",read,
others,core,default,dives,halves,twist_accuracy,81.2,81.2,"Another <paper>, Table 3",read,
others,pose_guided,coco,elsewhere,halves,spearman_rho,0.88,0.88,"A paper, Table 1",read,
"""
SPOILT = "v03"  # its file is empty
WORST = "v07"  # the forest is far off


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The results folder of a run on 40 videos in two folds, whose second data set is not at hand."""
    results = tmp_path_factory.mktemp("run") / "results"
    samples = _samples(results)
    paths = [path for row, noise in ROWS.items() for path in _predictions(results, samples, row, noise)]
    _stores(results, samples)
    ledger = results.parent / "ledger.csv"
    ledger.write_text(LEDGER)
    scored = {kind: results / f"scores/main{kind}.csv" for kind in ("", ".pairs", ".detectable")}
    score(paths, out=scored[""], pairs=scored[".pairs"], detectable=scored[".detectable"], table=TABLE, bootstrap=200)
    made = [results / f"{name}.csv" for name in ("tables", "comparisons", "significance", "detectable")]
    tables = {"main": {**TABLE, "published": [str(ledger)]}}
    tabulate([scored[""]], *made, tables=tables, absent={"main": {"elsewhere": "data_absent"}}, command="snakemake x")
    quality = [["detection", "embedded", "recall_iou_50", group, 0.9, 70] for group in ("all", "in_flight")]
    (results / "quality").mkdir()
    pd.DataFrame(quality, columns=["stage", "name", "measure", "group", "value", "n"]).to_csv(
        results / "quality/dives.csv", index=False
    )
    benchmark = results / "benchmarks/train/pose_guided.coco.dives.halves.fold0.seed0.tsv"
    for path in (benchmark, benchmark.with_name("core.small.dives.halves.fold0.seed0.tsv")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("s\th:m:s\tmax_rss\n12.5\t0:00:12\t431.7\n")
    return results


def _samples(results):
    rng = np.random.default_rng(0)
    videos = results / "videos"
    videos.mkdir(parents=True)
    ids = [f"v{i:02d}" for i in range(N)]
    film = _film(videos / "film.mp4")
    (videos / "empty.mp4").write_bytes(b"")
    marks, difficulty = rng.uniform(10, 28, N), rng.choice([2.0, 3.0, 3.5], N)
    steps = [dict(sub_action="take_off", first_frame=0), dict(sub_action="entry", first_frame=8)]
    table = pd.DataFrame(
        dict(
            video_id=ids, path=[str(videos / "empty.mp4" if v == SPOILT else film) for v in ids], action_type="107b",
            difficulty=difficulty, score=marks * difficulty, judge_scores=[[m / 3] * 3 for m in marks],
            steps=[steps] * N, first_frame=0, last_frame=T - 1, fps=25.0, shard=0,
        )
    )  # fmt: skip
    (results / "samples").mkdir()
    table.to_parquet(results / "samples/dives.parquet")
    return table


def _film(path):
    import cv2

    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25.0, SIZE)
    for i in range(T):
        picture = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
        picture[5 + 3 * i : 20 + 3 * i, 30:50] = (40, 160, 220)
        writer.write(picture)
    writer.release()
    return path


def _predictions(results, samples, row, noise):
    rng = np.random.default_rng(len(row))
    known, seeds = samples[samples["video_id"] != SPOILT], (0, 1) if row == "pose_guided.coco" else (0,)
    for fold, seed in [(fold, seed) for fold in (0, 1) for seed in seeds]:
        test = known.iloc[fold::2]
        mark = test["score"] / test["difficulty"]
        guess = np.full(len(test), 19.0) if row.startswith("no_video") else mark + rng.normal(0, noise / 3, len(test))
        guess += 9.0 * ((test["video_id"] == WORST) & (row == "feature_forest.motion_17"))
        predicted = guess * test["difficulty"]
        table = pd.DataFrame(
            dict(
                video_id=test["video_id"], fold=fold, seed=seed, score=test["score"], predicted_score=predicted,
                execution_score=mark, predicted_execution=guess, n_exemplars=0,
            )
        )  # fmt: skip
        if row.startswith("pose_guided"):
            table["exemplars"] = [["v00", "v01", "v02"]] * len(test)
            table["votes"] = [[p - 3.0, p + 1.0, p + 2.0] for p in predicted]
        folder = results / "runs" / row / "dives.halves" / f"fold{fold}.seed{seed}"
        folder.mkdir(parents=True)
        table.to_parquet(folder / "predictions.parquet")
        settings = dict(system=row.split(".")[0], fold=fold, seed=seed, target="execution", training=dict(steps=7))
        (folder / "config.json").write_text(json.dumps(dict(settings=settings)))
        yield folder / "predictions.parquet"


def _stores(results, samples):
    frames, boxes = results / "frames/dives/0000.h5", results / "boxes/dives/embedded/0000.h5"
    keypoints = results / "keypoints/dives/embedded.embedded_17/0000.h5"
    extract_frames(results / "samples/dives.parquet", frames)
    made_by = dict(stage="estimate_keypoints", weights="ab12", options={"least": 3}, libraries={"numpy": "2.4"})
    with (
        stores.read(frames, kind="frames") as clips,
        stores.write(boxes, kind="boxes", version=1, made_by=made_by) as athletes,
        stores.write(keypoints, kind="keypoints", version=1, made_by=made_by) as points,
    ):
        for store in (athletes, points):
            store.carry_failures(clips)
        for video_id in clips:
            down = 3.0 * np.arange(T)
            athletes.put(
                video_id, {"boxes": np.stack([0 * down + 28, down + 3, 0 * down + 52, down + 22, 0 * down + 0.9], 1)}
            )
            place = np.stack(
                [np.linspace(30, 50, 17)[None] + 0 * down[:, None], down[:, None] + np.linspace(5, 20, 17)], 2
            )
            points.put(video_id, {"keypoints": np.dstack([place, np.ones((T, 17))])}, keypoint_set="coco_17")
    collect_failures([frames, boxes, keypoints], out=results / "failures.csv")
