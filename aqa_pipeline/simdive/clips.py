"""From a seed to clips on disk: video files and annotation for everyone, and the truth in a store of its own.

Nothing of the truth (faults, noise-free execution, boxes, keypoints, masks) is where systems read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aqa_pipeline import frames, stores
from aqa_pipeline.errors import InputError
from aqa_pipeline.shards import shard_of
from aqa_pipeline.simdive.camera import draw_camera
from aqa_pipeline.simdive.dives import Dive, draw_dive, stream
from aqa_pipeline.simdive.rendering import Film
from aqa_pipeline.simdive.venue import draw_outfit, draw_venue

if TYPE_CHECKING:
    import pandas as pd

TRUTH_VERSION = 1
SEED, N_DIVES, WIDTH, HEIGHT, FPS, AFTERMATH = 0, 400, 320, 180, 25.0, 0.3


@dataclass(frozen=True)
class Clip:
    """One rendered dive of T frames, its truth, and the `annotation` that a real data set would have."""

    frames: np.ndarray  # (T, H, W, 3) uint8 RGB
    boxes: np.ndarray  # (T, 4) float32 x1 y1 x2 y2 of the visible body, pixels; NaN where it is hidden
    keypoints: np.ndarray  # (T, 133, 3) float32 x, y, 2 visible / 1 hidden / 0 under water or out of the picture
    masks: np.ndarray  # (T, H, W) bool, the visible body
    splashes: np.ndarray  # (T, H, W) bool, the splash
    phases: np.ndarray  # (T,) int, number of the sub-action in annotation["steps"]
    times: np.ndarray  # (T,) seconds
    annotation: dict[str, Any]  # a row of the samples, less path and shard
    facts: dict[str, Any]  # latent faults, noise-free execution, camera

    @property
    def sub_actions(self) -> list[str]:
        """Name of the sub-action in every frame (T)."""
        return [self.annotation["steps"][phase]["sub_action"] for phase in self.phases]


def video_id_of(index: int) -> str:
    """Name of the dive with this index, such as dive_00017."""
    return f"dive_{index:05d}"


def simulate_clip(
    dive: Dive, *, width: int = WIDTH, height: int = HEIGHT, fps: float = FPS, aftermath: float = AFTERMATH
) -> Clip:
    """Film one dive.

    Parameters
    ----------
    dive : what `dives.draw_dive` gives
    width, height : of the pictures, pixels, even
    fps : frames a second
    aftermath : seconds that the clip goes on after the diver's motion ends, while the splash falls back
    """
    _check(width=width, height=height, fps=fps, aftermath=aftermath)
    rng = stream(dive.seed, dive.index, "pictures")
    camera = draw_camera(rng, width=width, height=height)
    film = Film(
        dive.performance,
        camera=camera,
        venue=draw_venue(rng),
        outfit=draw_outfit(rng),
        fps=fps,
        aftermath=aftermath,
        rng=rng,
    )
    frames, truths = zip(*film.shoot(), strict=True)
    starts = _first_frames(dive.performance.steps, film.times)
    phases = np.searchsorted([first for _, first in starts], np.arange(len(frames)), side="right") - 1
    return Clip(
        frames=np.stack(frames),
        boxes=np.stack([truth.box for truth in truths]),
        keypoints=np.stack([truth.keypoints for truth in truths]),
        masks=np.stack([truth.mask for truth in truths]),
        splashes=np.stack([truth.splash for truth in truths]),
        phases=phases,
        times=film.times,
        annotation=_annotation(dive, starts, n_frames=len(frames), fps=fps),
        facts=_facts(dive, camera, fps),
    )


def _first_frames(steps: list[tuple[str, float]], times: np.ndarray) -> list[tuple[str, int]]:
    """Sub-actions with the first frame in each; one that falls between two frames gets the later of them."""
    return [(name, int(min(np.searchsorted(times, start), len(times) - 1))) for name, start in steps]


def _annotation(dive: Dive, starts: list[tuple[str, int]], *, n_frames: int, fps: float) -> dict[str, Any]:
    return dict(
        video_id=video_id_of(dive.index),
        first_frame=0,
        last_frame=n_frames - 1,
        fps=float(fps),
        action_type=dive.number.number,
        difficulty=float(dive.number.difficulty),
        judge_scores=list(dive.verdict.judge_scores),
        score=float(dive.verdict.score),
        steps=[dict(sub_action=name, first_frame=first) for name, first in starts],
        group=f"diver_{dive.index:05d}",
    )


def _facts(dive: Dive, camera: Any, fps: float) -> dict[str, Any]:
    performance = dive.performance
    return dict(
        **{f"fault_{name}": float(value) for name, value in performance.truth().items()},
        skill=dive.skill,
        true_execution=float(dive.verdict.true_execution),
        execution_score=float(dive.verdict.execution_score),
        difficulty=float(dive.number.difficulty),
        takeoff_time=float(performance.takeoff_time),
        entry_time=float(performance.entry_time),
        submerged_time=float(performance.submerged_time),
        fps=float(fps),
        width=camera.width,
        height=camera.height,
        pixels_a_metre=float(camera.scale),
        mirrored=camera.mirrored,
        yaw=float(camera.yaw),
        pitch=float(camera.pitch),
    )


def simulate_shard(
    videos: Path,
    truth: Path,
    *,
    seed: int = SEED,
    n_dives: int = N_DIVES,
    width: int = WIDTH,
    height: int = HEIGHT,
    fps: float = FPS,
    aftermath: float = AFTERMATH,
    shard: int = 0,
    n_shards: int = 1,
    inject: Mapping[str, float] = {},
    other_faults: float = 1.0,
    made_by: Mapping[str, Any] | None = None,
    progress: Callable[[list[int]], Iterator[int]] = iter,
) -> pd.DataFrame:
    """Write the clips of one shard to the folder `videos` and their truth to the store `truth`, dive by dive.

    Parameters
    ----------
    videos : folder that gets `<video id>.mp4` files and, last of all, `annotations.parquet`
    truth : store of kind "truth": box (T, 4), keypoints (T, 133, 3), mask and splash (T, H, W), phase (T,) and facts
    seed, n_dives : which dives; dive `i` of a seed is the same for every `n_dives` and every sharding
    width, height, fps, aftermath : see `simulate_clip`
    shard, n_shards : keep the dives whose `shard_of(video id, n_shards)` is `shard`
    inject, other_faults : faults of these sizes in every dive, and what all others are multiplied by
    made_by : more to record in the store
    progress : passes the indices on, to show how far it is

    Returns
    -------
    The annotation as written.
    """
    import cv2

    _check(width=width, height=height, fps=fps, aftermath=aftermath, n_dives=n_dives, n_shards=n_shards)
    if not 0 <= shard < n_shards:
        raise InputError(f"shard: found {shard}, expected 0 to {n_shards - 1}")
    cv2.setNumThreads(1)  # a shard is one job on one core
    size = dict(width=width, height=height, fps=fps, aftermath=aftermath)
    rows = []
    changed = dict(inject=inject, other_faults=other_faults)
    made = dict(seed=seed, n_dives=n_dives, shard=shard, n_shards=n_shards, **size, **(made_by or {}))
    made |= changed if inject or other_faults != 1 else {}
    with stores.write(Path(truth), kind="truth", version=TRUTH_VERSION, made_by=made) as store:
        mine = [i for i in range(n_dives) if shard_of(video_id_of(i), n_shards) == shard]
        for index in progress(mine):
            clip = simulate_clip(draw_dive(seed, index, **changed), **size)
            video_id = clip.annotation["video_id"]
            frames.write_video(Path(videos) / f"{video_id}.mp4", clip.frames, fps=fps)
            rows.append(dict(path=f"{video_id}.mp4", **clip.annotation))
            sub_actions = json.dumps([step["sub_action"] for step in clip.annotation["steps"]])
            of_pixels = dict(mask=clip.masks, splash=clip.splashes)
            arrays = dict(box=clip.boxes, keypoints=clip.keypoints, **of_pixels, phase=clip.phases)
            store.put(video_id, arrays, **clip.facts, sub_actions=sub_actions)
        return _write_annotations(Path(videos) / "annotations.parquet", rows)


def _write_annotations(path: Path, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """One row a dive; the columns' types are stated, since a small shard may be empty."""
    import pandas as pd
    import pyarrow as pa

    step = pa.struct([("sub_action", pa.string()), ("first_frame", pa.int64())])
    schema = pa.schema(
        [
            *(("video_id", pa.string()), ("path", pa.string())),
            *(("first_frame", pa.int64()), ("last_frame", pa.int64()), ("fps", pa.float64())),
            *(("action_type", pa.string()), ("difficulty", pa.float64())),
            *(("judge_scores", pa.list_(pa.float64())), ("score", pa.float64())),
            *(("steps", pa.list_(step)), ("group", pa.string())),
        ]
    )
    table = pd.DataFrame(rows, columns=schema.names)
    with stores.replacing(path) as temporary:
        table.to_parquet(temporary, schema=schema, index=False)
    return table


def _check(**settings: float) -> None:
    """InputError for a setting out of its range."""
    least = dict(width=64, height=64, fps=1, aftermath=0, n_dives=1, n_shards=1)
    for name, value in settings.items():
        if not least[name] <= value:
            raise InputError(f"{name}: found {value}, expected {least[name]} or more")
        if name in ("width", "height") and value % 2:
            raise InputError(f"{name}: found {value}, expected an even number, as the video format asks")
