"""Film a few videos with the box, skeleton, phase and score that the pipeline gave them."""

from __future__ import annotations

from pathlib import Path

from aqa_pipeline import frames as videos
from aqa_pipeline import keypoint_sets, stores
from aqa_pipeline.stages import command_line, progress

VERSION = 3


def overlay(
    samples: Path,
    frames: Path,
    boxes: Path,
    keypoints: Path,
    out: Path,
    *,
    predictions: list[Path] = [],
    features: list[Path] = [],
    draws: Path | None = None,
    n_videos: int = 3,
) -> None:
    """Write a film each of N_VIDEOS videos of SAMPLES to the folder OUT, spread from the worst to the best score.

    FRAMES, BOXES and KEYPOINTS are the folders that hold the stores of all shards. Predictions are those of one row; a
    video is then chosen among its test videos. With its features and draws too, the film shows the score so far.
    """
    import pandas as pd

    from aqa_pipeline.evaluation import overlay as films
    from aqa_pipeline.evaluation import predictions as of_runs

    table = stores.read_table(samples)
    found = of_runs.read(predictions, over_folds="mean") if predictions else None
    row = predictions[0].parts[-4] if predictions else ""
    known = table if found is None else table[table["video_id"].isin(found.video_ids)]
    out.mkdir(parents=True, exist_ok=True)
    for video_id in progress(films.spread(known.set_index("video_id")["score"], n_videos), "overlay"):
        sample = table.set_index("video_id").loc[video_id]
        shard = f"{sample['shard']:04d}.h5"
        with (
            stores.read(frames / shard, kind="frames") as clips,
            stores.read(boxes / shard, kind="boxes") as athletes,
            stores.read(keypoints / shard, kind="keypoints") as points,
        ):
            if not all(video_id in store for store in (clips, athletes, points)):
                continue  # left out on the way, and listed among the failures
            clip = videos.StoredFrames(clips, video_id)
            story = films.Story(
                title=" ".join([video_id, *([] if pd.isna(sample["action_type"]) else [sample["action_type"]])]),
                boxes=athletes.array(video_id, "boxes"),
                keypoints=points.array(video_id, "keypoints"),
                partner_boxes=athletes[video_id].get("partner_boxes"),
                partner_keypoints=points[video_id].get("partner_keypoints"),
                keypoint_set=keypoint_sets.get(points.facts(video_id)["keypoint_set"]),
                steps=() if sample["steps"] is None else list(sample["steps"]),
                score_text=films.score_text(sample["score"], found, video_id, row),
                running=_running(predictions, features, draws, table, video_id, len(clip)),
            )
            films.film(clip, story, out / f"{video_id}.mp4", fps=float(clip.facts["fps"]))


def _running(predictions: list[Path], features: list[Path], draws: Path | None, samples, video_id: str, n_frames: int):
    """The score so far, by the run of the first seed that tests the video; None without features."""
    if not predictions or not features:
        return None
    from aqa_pipeline.training import runs
    from aqa_pipeline.training.so_far import scores_so_far

    run = next(path.parent for path in predictions if video_id in set(stores.read_table(path)["video_id"]))
    settings, _ = runs.load_settings(run)
    table = runs.read_table(draws, settings.fold) if draws else None
    with runs.open_inputs(runs.Files(features=features), threads=1, roles=settings.roles) as inputs:
        return scores_so_far(run, samples, inputs, video_id, draws=table, n_frames=n_frames)


if __name__ == "__main__":
    command_line(overlay)
