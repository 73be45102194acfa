"""Suspect frames as a table, and the worst of them on one sheet with their skeletons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aqa_pipeline import frames, keypoint_sets, stores
from aqa_pipeline.evaluation import overlay, pose_flags

COLUMNS = ["video_id", "frame", "flags", "severity"]
TILE, LABEL = 240, 34  # pixels


@dataclass(frozen=True)
class Clip:
    """The flags of one clip, and where it lies: the number of its shard."""

    video_id: str
    shard: int
    flags: dict[str, np.ndarray]  # each (T,)

    @property
    def severity(self) -> np.ndarray:
        return pose_flags.severity(self.flags)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """`COLUMNS` of every flagged frame."""
        return [self.row(int(frame)) for frame in np.flatnonzero(self.severity)]

    def row(self, frame: int) -> dict[str, Any]:
        """`COLUMNS` of a frame."""
        said = " ".join(pose_flags.names(self.flags, frame))
        return dict(video_id=self.video_id, frame=frame, flags=said, severity=float(self.severity[frame]))


def clips(keypoints: Sequence[Path], boxes: Sequence[Path], **options: Any) -> Iterator[Clip]:
    """The flags of every clip of the stores; `options` are those of `pose_flags.flags_of_clip`."""
    for shard, (path, box_path) in enumerate(zip(keypoints, boxes, strict=True)):
        with stores.read(path, kind="keypoints") as store, stores.read(box_path, kind="boxes") as athletes:
            for video_id in store:
                facts = store.facts(video_id)
                about = dict(fps=float(facts["fps"]), cuts=athletes.optional(video_id, "cuts"))
                points = keypoint_sets.get(facts["keypoint_set"])
                array = store.array(video_id, "keypoints")
                yield Clip(video_id, shard, pose_flags.flags_of_clip(array, points, **about, **options))


def worse(chosen: Sequence[tuple[Clip, int]], clip: Clip, *, n: int) -> list[tuple[Clip, int]]:
    """The `n` worst frames, worst first, of those `chosen` so far and those of one more clip."""
    both = [*chosen, *((clip, frame) for frame in pose_flags.worst(clip.severity, n=n))]
    return sorted(both, key=lambda place: -place[0].severity[place[1]])[:n]


def sheet(
    chosen: Sequence[tuple[Clip, int]], frame_stores: Sequence[Path], keypoints: Sequence[Path], *, columns: int = 6
) -> np.ndarray:
    """A picture (H, W, 3) RGB with a tile for each chosen frame, in reading order."""
    tiles = [_tile(clip, frame, frame_stores[clip.shard], keypoints[clip.shard]) for clip, frame in chosen]
    rows = max(1, -(-len(tiles) // columns))
    page = np.full((rows * columns, TILE + LABEL, TILE, 3), overlay.PAPER, np.uint8)
    page[: len(tiles)] = np.array(tiles, np.uint8).reshape(-1, *page.shape[1:])
    return page.reshape(rows, columns, *page.shape[1:]).transpose(0, 2, 1, 3, 4).reshape(rows * page.shape[1], -1, 3)


def _tile(clip: Clip, frame: int, frame_store: Path, keypoints: Path) -> np.ndarray:
    """The surroundings of the skeleton, the whole picture where there is none, under two lines of words."""
    import cv2

    with stores.read(frame_store, kind="frames") as clips_, stores.read(keypoints, kind="keypoints") as store:
        picture = frames.StoredFrames(clips_, clip.video_id)[frame]
        points = keypoint_sets.get(store.facts(clip.video_id)["keypoint_set"])
        found = store.array(clip.video_id, "keypoints", frame)
    corner, side = _window(found, picture.shape[:2])
    scale = TILE / side
    move = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
    tile = cv2.warpAffine(picture, move, (TILE, TILE), flags=cv2.INTER_LINEAR)
    shifted = np.concatenate([found[:, :2] - corner, found[:, 2:]], axis=1)
    overlay.draw_skeleton(tile, shifted, points, scale, least=0.0)
    return np.vstack([_label(clip, frame), tile])


def _window(found: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, float]:
    """Upper left corner and side of the square of the picture (height, width) that is shown."""
    seen = found[np.isfinite(found).all(axis=1), :2]
    low, high = (seen.min(axis=0), seen.max(axis=0)) if len(seen) else (np.zeros(2), np.array(size[::-1], float))
    side = float(max((high - low).max() * (1.8 if len(seen) else 1.0), 16))
    return (low + high) / 2 - side / 2, side


def _label(clip: Clip, frame: int) -> np.ndarray:
    import cv2

    label = np.full((LABEL, TILE, 3), overlay.PAPER, np.uint8)
    lines = (f"{clip.video_id[-24:]}  frame {frame}", ", ".join(pose_flags.names(clip.flags, frame)))
    for number, line in enumerate(lines):
        small = 0.42 if number == 0 else min(0.42, 0.42 * 32 / max(len(line), 1))
        at = (4, 13 + 15 * number)
        cv2.putText(label, line, at, cv2.FONT_HERSHEY_SIMPLEX, small, overlay.INK, 1, cv2.LINE_AA)
    return label
