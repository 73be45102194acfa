"""The second of two athletes who do the same thing side by side, as synchronised divers do.

The partner is sought among the boxes near the first athlete that are about as large, in coordinates that move with the
first, so the camera's pan and the common fall are no motion. It is one if its shape changes as the first's does.
In frames where one box lies over both, it is parted as the boxes before and after lie to each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aqa_pipeline.athlete import _paths

NEAR = 4.0  # most distance of the partners' centres, in longer sides of the first's box
LIKE_SIZE = 1.8  # most ratio of their longer sides
LIKE_SHAPE = 0.5  # least correlation of their log(height / width) over time
TOGETHER = 0.4  # least share of the first's frames in which the partner is seen
SAME = 0.5  # IoU above which two boxes of a frame are the same person's


def pair(people: Sequence[np.ndarray], track: _paths.Track, terms: _paths.Terms, least: float) -> np.ndarray:
    """Boxes (2, T, 5) of the athlete of `track` and a partner, the one further left first; NaN where there is none."""
    first = _paths.filled(track, len(people))
    second = _partner(_paths.without(people, track), first, terms)
    if second is None or not _alike(first, second, least):
        return np.stack([first, np.full_like(first, np.nan)])
    both = _part_merged(np.stack([first, second]))
    common = np.isfinite(both[:, :, 0]).all(axis=0)
    places = _paths.centre(both[:, np.flatnonzero(common)[0]])[:, 0]
    return both if places[0] <= places[1] else both[::-1]


def _partner(people: Sequence[np.ndarray], first: np.ndarray, terms: _paths.Terms) -> np.ndarray | None:
    """Boxes (T, 5) of the best track that goes with `first (T, 5)`."""
    middle = np.tile(_paths.centre(first), 2)  # (T, 4)
    beside = [_beside(boxes, own) for boxes, own in zip(people, first, strict=True)]
    moved = [_shifted(boxes, -at) for boxes, at in zip(beside, middle, strict=True)]
    track = _paths.best(moved, terms)
    if track is None:
        return None
    boxes = _shifted(track.boxes, middle[track.frames])
    return _paths.filled(_paths.Track(track.frames, track.rows, boxes, track.worth), len(people))


def _beside(boxes: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Those of `boxes (N, 5)` that could be the partner of the one in `own (5,)`."""
    if not np.isfinite(own[0]):
        return boxes[:0]
    sides = (boxes[:, 2:4] - boxes[:, :2]).max(axis=1, initial=1.0)
    side = max(own[2] - own[0], own[3] - own[1])
    near = np.linalg.norm(_paths.centre(boxes) - _paths.centre(own), axis=1) < NEAR * side
    like = np.abs(np.log(sides / side)) < np.log(LIKE_SIZE)
    return boxes[near & like & (_overlap(boxes, own) < SAME)]


def _shifted(boxes: np.ndarray, by: np.ndarray) -> np.ndarray:
    return np.concatenate([boxes[:, :4] + by, boxes[:, 4:]], axis=1)


def _alike(first: np.ndarray, second: np.ndarray, least: float) -> bool:
    """Whether `second (T, 5)` is often enough seen with `first (T, 5)`, and changes its shape as that does."""
    common = np.flatnonzero((first[:, 4] > 0) & (second[:, 4] > 0))
    if len(common) < max(3, TOGETHER * (first[:, 4] > 0).sum()):
        return False
    one, other = _paths.shape(first[common]), _paths.shape(second[common])
    if min(one.std(), other.std()) <= least:
        return False
    return bool(np.corrcoef(one, other)[0, 1] > LIKE_SHAPE)


def _part_merged(both: np.ndarray) -> np.ndarray:
    """Boxes (2, T, 5) with those over both athletes parted between them."""
    both = both.copy()
    for athlete in (0, 1):
        merged = _merged(both[athlete], both[1 - athlete])
        if not merged.any() or merged.all():
            continue
        whole = both[athlete, merged].copy()
        both[athlete] = _refilled(both[athlete], ~merged)
        both[:, merged] = _fitted(both[:, merged], whole)
    return both


def _merged(boxes: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Frames (T,) whose box is more like one over both athletes than like its own before and after."""
    alone = (boxes[:, 4] > 0) & (other[:, 4] == 0)
    merged = np.zeros(len(boxes), bool)
    seen = np.flatnonzero((boxes[:, 4] > 0) & (other[:, 4] > 0))
    for frame in np.flatnonzero(alone):
        if len(seen) and seen[0] < frame < seen[-1]:
            own = np.array([np.interp(frame, seen, boxes[seen, column]) for column in range(4)])
            union = np.concatenate([np.minimum(own[:2], other[frame, :2]), np.maximum(own[2:], other[frame, 2:4])])
            merged[frame] = _overlap(boxes[None, frame], union)[0] > _overlap(boxes[None, frame], own)[0]
    return merged


def _refilled(boxes: np.ndarray, keep: np.ndarray) -> np.ndarray:
    frames = np.flatnonzero(keep & (boxes[:, 4] > 0))
    return _paths.filled(_paths.Track(frames, frames, boxes[frames], 0.0), len(boxes))


def _fitted(both: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Boxes (2, L, 5) moved and stretched until together they fill `whole (L, 5)`, whose confidence they get."""
    low, high = both[:, :, :2].min(axis=0), both[:, :, 2:4].max(axis=0)  # (L, 2)
    scale = (whole[:, 2:4] - whole[:, :2]) / np.maximum(high - low, 1.0)
    corners = [(both[:, :, at : at + 2] - low) * scale + whole[:, :2] for at in (0, 2)]
    return np.concatenate([*corners, np.broadcast_to(whole[None, :, 4:], (2, len(whole), 1))], axis=2)


def _overlap(boxes: np.ndarray, other: np.ndarray) -> np.ndarray:
    """IoU (N,) of boxes (N, 4+) with one box (4+,)."""
    inner = np.minimum(boxes[:, 2:4], other[2:4]) - np.maximum(boxes[:, :2], other[:2])
    inner = np.prod(np.clip(inner, 0, None), axis=1)
    areas = np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1) + np.prod(other[2:4] - other[:2])
    return inner / np.maximum(areas - inner, 1e-9)
