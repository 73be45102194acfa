"""A detector at work on the videos of a store, while camera cuts are looked for in the same frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from aqa_pipeline import frames, shots, stores, streams


class WatchedDetector:
    """Candidates and cuts of the videos of a store, asked for one after the other in the store's order.

    Batches of the detector hold frames of several videos; one that reads files is asked for each video by itself.
    """

    def __init__(self, detect: Any, clips: stores.Reader, *, ahead: int = 0) -> None:
        self._detect, self._clips = detect, clips
        self._watches = {video_id: shots.Watch() for video_id in clips}
        self._stream = streams.one_after_the_other(self._asked(), detect, ahead=ahead)

    def __call__(self, video_id: str) -> tuple[list[np.ndarray], list[int]]:
        """Candidates `T x (N, 5)` and the numbers of the frames that begin a new shot."""
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
