"""Find the athlete's box in every frame of one shard of videos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aqa_pipeline import plugins, stores
from aqa_pipeline.stages import Options, command_line, each_video, made_by, use_threads

if TYPE_CHECKING:
    import numpy as np

VERSION = 3


def detect_athlete(
    frame_store: Path,
    out: Path,
    *,
    detector: str,
    athlete: str = "tracked",
    options: Options = {},
    athlete_options: Options = {},
    device: str = "auto",
    threads: int = 1,
) -> None:
    """Detect people in the frames of FRAME_STORE, choose the athlete, and write one box a frame to OUT.

    Of a synchronised pair, where the rule looks for two, the other's boxes stand beside them as `partner_boxes`; `cuts`
    are the frames that begin a new shot; `corners` stand there too, of a detector whose boxes turn. Of more than two
    threads one reads frames while the others detect.
    """
    reads_ahead = threads > 2
    use_threads(threads - reads_ahead)
    from aqa_pipeline.detection._watched import WatchedDetector

    detect = plugins.load("detection", detector).build(device=device, **options)
    select = plugins.load("athlete", athlete).select
    facts = dict(detector=detector, athlete=athlete, options=options, athlete_options=athlete_options)
    facts |= {name: getattr(detect, name) for name in ("weights", "sha256") if hasattr(detect, name)}
    with (
        stores.read(frame_store, kind="frames") as clips,
        stores.write(out, kind="boxes", version=VERSION, made_by=made_by("detect_athlete", clips, **facts)) as store,
    ):
        store.carry_failures(clips)
        watched = WatchedDetector(detect, clips, ahead=32 * reads_ahead)

        def make(video_id: str) -> tuple[dict, dict]:
            candidates, cuts = watched(video_id)
            about = clips.facts(video_id)
            turned = hasattr(detect, "corners")
            corners = {"corners": detect.corners(video_id, (about["width"], about["height"]))} if turned else {}
            return {**_arrays(select(candidates, cuts, **athlete_options), cuts), **corners}, about

        each_video(clips, store, "detect_athlete", make)


def _arrays(boxes: np.ndarray, cuts: list[int]) -> dict[str, np.ndarray]:
    """Arrays of the store from boxes (T, 5), or (2, T, 5) of a pair."""
    import numpy as np

    found = {"boxes": boxes} if boxes.ndim == 2 else {"boxes": boxes[0], "partner_boxes": boxes[1]}
    return {**found, "cuts": np.array(cuts, np.int32)}


if __name__ == "__main__":
    command_line(detect_athlete)
