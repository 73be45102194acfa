"""Find the athlete's box in every frame of one shard of videos."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aqa_pipeline import frames, plugins, shots, stores, streams
from aqa_pipeline.stages import Options, command_line, each_video, made_by, use_threads

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
    threads: int = 1,
) -> None:
    """Detect people in the frames of FRAME_STORE, choose the athlete, and write one box a frame to OUT.

    Of a synchronised pair, where the rule looks for two, the other's boxes stand beside them as `partner_boxes`; `cuts`
    are the frames that begin a new shot. Of more than two threads one reads frames while the others detect.
    """
    reads_ahead = threads > 2
    use_threads(threads - reads_ahead)
    detect = plugins.load("detection", detector).build(device=device, **options)
    select = plugins.load("athlete", athlete).select
    facts = dict(detector=detector, athlete=athlete, options=options, athlete_options=athlete_options)
    facts |= {name: getattr(detect, name) for name in ("weights", "sha256") if hasattr(detect, name)}
    with (
        stores.read(frame_store, kind="frames") as clips,
        stores.write(out, kind="boxes", version=VERSION, made_by=made_by("detect_athlete", **facts)) as store,
    ):
        store.carry_failures(clips)
        found = _found(detect, clips, ahead=32 * reads_ahead)

        def make(video_id: str) -> tuple[dict, dict]:
            candidates, cuts = found(video_id)
            return _arrays(select(candidates, cuts, **athlete_options), cuts), clips.facts(video_id)

        each_video(clips, store, "detect_athlete", make)


class _found:  # noqa: N801 - used like a function
    """Candidates and cuts of the videos of a store, asked for one after the other.

    Batches of the detector hold frames of several videos; one that reads files is asked for each video by itself.
    """

    def __init__(self, detect: Any, clips: stores.Reader, *, ahead: int) -> None:
        self._detect, self._clips, self._ahead = detect, clips, ahead
        self._watches = {video_id: shots.Watch() for video_id in clips}
        self._stream = streams.one_after_the_other(self._asked(), detect, ahead=ahead)

    def __call__(self, video_id: str) -> tuple[list[np.ndarray], list[int]]:
        if hasattr(self._detect, "for_video"):
            watch, detect = shots.Watch(), self._detect.for_video(video_id, self._clips.array(video_id, "frame_number"))
            return list(detect(watch(frames.StoredFrames(self._clips, video_id)))), watch.cuts
        key, candidates = next(self._stream)
        assert key == video_id, (key, video_id)
        return candidates, self._watches.pop(video_id).cuts

    def _asked(self) -> Iterator[tuple[str, int, Iterator[np.ndarray]]]:
        for video_id in list(self._watches):
            clip = frames.StoredFrames(self._clips, video_id)
            yield video_id, len(clip), self._watches[video_id](clip)


def _arrays(boxes: np.ndarray, cuts: list[int]) -> dict[str, np.ndarray]:
    """Arrays of the store from boxes (T, 5), or (2, T, 5) of a pair."""
    import numpy as np

    found = {"boxes": boxes} if boxes.ndim == 2 else {"boxes": boxes[0], "partner_boxes": boxes[1]}
    return {**found, "cuts": np.array(cuts, np.int32)}


if __name__ == "__main__":
    command_line(detect_athlete)
