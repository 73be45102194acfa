"""Estimate the athlete's keypoints in every frame of one shard of videos."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aqa_pipeline import frames, plugins, stores
from aqa_pipeline.stages import Options, command_line, each_result, made_by, use_threads

VERSION = 3


def estimate_keypoints(
    frame_store: Path,
    box_store: Path,
    out: Path,
    *,
    estimator: str,
    options: Options = {},
    device: str = "auto",
    threads: int = 1,
) -> None:
    """Estimate keypoints inside the boxes of BOX_STORE on the frames of FRAME_STORE, and write them to OUT.

    Of a synchronised pair both are estimated; the partner's stand beside the athlete's as `partner_keypoints`.
    """
    use_threads(threads)
    estimate = plugins.load("pose", estimator).build(device=device, **options)
    facts = dict(estimator=estimator, options=options, keypoint_set=estimate.keypoint_set)
    facts |= dict(weights=estimate.weights, sha256=estimate.sha256)
    with (
        stores.read(frame_store, kind="frames") as clips,
        stores.read(box_store, kind="boxes") as athletes,
        stores.write(
            out, kind="keypoints", version=VERSION, made_by=made_by("estimate_keypoints", clips, athletes, **facts)
        ) as store,
    ):
        store.carry_failures(clips, athletes)

        def asked() -> Iterator[tuple[tuple[str, str], frames.StoredFrames, object]]:
            for video_id in athletes:
                pictures = frames.StoredFrames(clips, video_id)
                for name in athletes.names(video_id, "boxes", "partner_boxes"):
                    yield (video_id, name.replace("boxes", "keypoints")), pictures, athletes.array(video_id, name)

        def video_facts(video_id: str) -> dict:
            return {**clips.facts(video_id), "keypoint_set": estimate.keypoint_set}

        each_result(estimate.many(asked()), store, "estimate_keypoints", video_facts, total=len(athletes))


if __name__ == "__main__":
    command_line(estimate_keypoints)
