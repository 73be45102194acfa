"""Find the athlete's box in every frame of one shard of videos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from aqa_pipeline import frames, plugins, stores
from aqa_pipeline.stages import Options, command_line, each_video, made_by

VERSION = 1


def detect_athlete(
    frame_store: Path,
    out: Path,
    *,
    detector: str,
    athlete: str = "tracked",
    options: Options = {},
    athlete_options: Options = {},
    device: str = "auto",
) -> None:
    """Detect people in the frames of FRAME_STORE, choose the athlete, and write one box a frame to OUT."""
    detect = plugins.load("detection", detector).build(device=device, **options)
    select = plugins.load("athlete", athlete).select
    facts = dict(detector=detector, athlete=athlete, options=options, athlete_options=athlete_options)
    with (
        stores.read(frame_store, kind="frames") as clips,
        stores.write(out, kind="boxes", version=VERSION, made_by=made_by("detect_athlete", **facts)) as store,
    ):
        store.carry_failures(clips)

        def make(video_id: str) -> tuple[dict, dict]:
            clip = frames.StoredFrames(clips, video_id)
            return {
                "boxes": select(list(_for_video(detect, clips, video_id)(clip)), **athlete_options)
            }, clip.facts  # (T, 5)

        each_video(clips, store, "detect_athlete", make)


def _for_video(detect: Any, clips: stores.Reader, video_id: str) -> Callable:
    """The detector itself; one that reads files must know whose frames it is asked for."""
    if not hasattr(detect, "for_video"):
        return detect
    return detect.for_video(video_id, clips.array(video_id, "frame_number"))


if __name__ == "__main__":
    command_line(detect_athlete)
