"""Estimate the athlete's keypoints in every frame of one shard of videos."""

from __future__ import annotations

from pathlib import Path

from aqa_pipeline import frames, plugins, stores
from aqa_pipeline.stages import Options, command_line, each_video, made_by

VERSION = 1


def estimate_keypoints(
    frame_store: Path,
    box_store: Path,
    out: Path,
    *,
    estimator: str,
    options: Options = {},
    device: str = "auto",
) -> None:
    """Estimate keypoints inside the boxes of BOX_STORE on the frames of FRAME_STORE, and write them to OUT."""
    estimate = plugins.load("pose", estimator).build(device=device, **options)
    facts = dict(estimator=estimator, options=options, keypoint_set=estimate.keypoint_set)
    with (
        stores.read(frame_store, kind="frames") as clips,
        stores.read(box_store, kind="boxes") as athletes,
        stores.write(out, kind="keypoints", version=VERSION, made_by=made_by("estimate_keypoints", **facts)) as store,
    ):
        store.carry_failures(clips, athletes)

        def make(video_id: str) -> tuple[dict, dict]:
            keypoints = estimate(frames.StoredFrames(clips, video_id), athletes.array(video_id, "boxes"))  # (T, K, 3)
            return {"keypoints": keypoints}, {**clips.facts(video_id), "keypoint_set": estimate.keypoint_set}

        each_video(athletes, store, "estimate_keypoints", make)


if __name__ == "__main__":
    command_line(estimate_keypoints)
