"""Boxes and keypoints of one's own videos, by the stages of the workflow and without a configuration."""

from __future__ import annotations

import collections
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aqa_pipeline import stores
from aqa_pipeline.errors import InputError


@dataclass(frozen=True)
class Choice:
    """Which plugins look at the videos, with what options."""

    detector: str = "blazepose"
    athlete: str = "tracked"
    estimator: str = "blazepose"
    detector_options: Mapping[str, Any] = field(default_factory=dict)
    athlete_options: Mapping[str, Any] = field(default_factory=dict)
    estimator_options: Mapping[str, Any] = field(default_factory=dict)
    device: str = "auto"
    threads: int = 1


def poses(videos: Sequence[Path], out: Path, choice: Choice = Choice(), *, height: int = 540) -> dict[str, str]:
    """Write OUT/frames.h5, boxes.h5 and keypoints.h5, and of every video OUT/<name>.mp4 and <name>.csv.

    Returns the videos that could not be used, each with the reason; the others are there all the same.

    Raises
    ------
    InputError
        Two videos of one name, or none that could be used.
    """
    from aqa_pipeline.evaluation import export, store_films
    from aqa_pipeline.stages.detect_athlete import detect_athlete
    from aqa_pipeline.stages.estimate_keypoints import estimate_keypoints

    frames, boxes, keypoints = (out / f"{kind}.h5" for kind in ("frames", "boxes", "keypoints"))
    _extract(videos, frames)
    detect_athlete(
        frames,
        boxes,
        detector=choice.detector,
        athlete=choice.athlete,
        options=dict(choice.detector_options),
        athlete_options=dict(choice.athlete_options),
        device=choice.device,
        threads=choice.threads,
    )
    estimate_keypoints(
        frames,
        boxes,
        keypoints,
        estimator=choice.estimator,
        options=dict(choice.estimator_options),
        device=choice.device,
        threads=choice.threads,
    )
    with stores.read(keypoints, kind="keypoints") as store:
        failures = {video_id: reason for video_id, (_, reason) in store.failures.items()}
        usable = list(store)
    for video_id in usable:
        store_films.films([frames, boxes, keypoints], out / f"{video_id}.mp4", videos=[video_id], height=height)
        export.export(keypoints, out / f"{video_id}.csv", frames=frames, videos=[video_id])
    if not usable:
        raise InputError("; ".join(failures.values()))
    return failures


def _extract(videos: Sequence[Path], frames: Path) -> None:
    """The frame store of the videos, whose names without suffix are their ids."""
    import pandas as pd

    from aqa_pipeline.stages.extract_frames import extract_frames

    names = [video.stem for video in videos]
    for name, count in collections.Counter(names).items():
        if count > 1:
            raise InputError(f"{count} videos are named '{name}', expected names of their own")
    with tempfile.TemporaryDirectory() as folder:
        samples = Path(folder) / "samples.parquet"
        pd.DataFrame({"video_id": names, "path": [str(video) for video in videos]}).to_parquet(samples)
        extract_frames(samples, frames, min_frames=1)
