"""Find the athlete's box in every frame of one shard of videos, and the camera's cuts on the way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aqa_pipeline import frames, plugins, shots, stores
from aqa_pipeline.stages import Options, command_line, each_video, made_by

if TYPE_CHECKING:
    import numpy as np

VERSION = 2


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
    """Detect people in the frames of FRAME_STORE, choose the athlete, and write one box a frame to OUT.

    Of two athletes (an option of the rule) the boxes of the second stand beside those of the first, as partner_boxes.
    """
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
            watch = shots.Watch()
            candidates = list(detect(watch(clip)))
            return _arrays(select(candidates, watch.cuts, **athlete_options), watch.cuts), clip.facts

        each_video(clips, store, "detect_athlete", make)


def _arrays(boxes: np.ndarray, cuts: list[int]) -> dict[str, np.ndarray]:
    """Arrays of the store from boxes (T, 5), or (2, T, 5) of a pair."""
    import numpy as np

    found = {"boxes": boxes} if boxes.ndim == 2 else {"boxes": boxes[0], "partner_boxes": boxes[1]}
    return {**found, "cuts": np.array(cuts, np.int32)}


if __name__ == "__main__":
    command_line(detect_athlete)
