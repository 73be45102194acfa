"""The best track through the candidates of one shot.

All candidates of all frames are nodes; a track is a path forward in time that may skip frames. Its worth is the sum of

    confidence   of each box, less the one at which it counts for nothing
    motion       less for boxes that lie off the constant-velocity prediction, or change in size from one to the next
    activity     more for boxes whose shape changes: a diver folds, turns and stretches, people who stand by do not
    gaps         less for every frame skipped

The best path is found by dynamic programming (Viterbi, with the velocity of the best path that ends in a node taken for
the node's own).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Candidates = Sequence[np.ndarray]  # of every frame, (N, 5)


@dataclass(frozen=True)
class Terms:
    """Weights of the terms above; distances are taken in box sizes. See `tracked.select`."""

    max_gap: int
    even: float
    motion: float
    activity: float
    skipped: float


@dataclass(frozen=True)
class Track:
    """L boxes in as many frames, in order of time."""

    frames: np.ndarray  # (L,) int
    rows: np.ndarray  # (L,) int, of the candidates of these frames
    boxes: np.ndarray  # (L, 5)
    worth: float


@dataclass
class _Nodes:
    """All candidates of a shot, in order of time, with the best path that ends in each; M in all."""

    frame: np.ndarray  # (M,)
    box: np.ndarray  # (M, 5)
    worth: np.ndarray  # (M,) of the node alone, later of the best path to it
    velocity: np.ndarray  # (M, 2) pixels a frame, along the best path
    previous: np.ndarray  # (M,) index of the node before, -1 at a start
    starts: np.ndarray  # (T + 1,) index of the first node of each frame


def best(candidates: Candidates, terms: Terms) -> Track | None:
    """The track of the greatest worth, None where none is worth anything."""
    nodes = _nodes(candidates, terms.even)
    for time in range(len(candidates)):
        _extend(nodes, time, terms)
    if not len(nodes.worth) or nodes.worth.max() <= 0:
        return None
    path = _trace_back(nodes)
    frames = nodes.frame[path]
    return Track(frames, path - nodes.starts[frames], nodes.box[path], float(nodes.worth.max()))


def without(candidates: Candidates, track: Track) -> list[np.ndarray]:
    """The candidates that are no part of a track."""
    left = list(candidates)
    for frame, row in zip(track.frames, track.rows, strict=True):
        left[frame] = np.delete(left[frame], row, axis=0)
    return left


def put_back(candidates: Candidates, track: Track) -> list[np.ndarray]:
    """The candidates with the boxes of a track that was taken out."""
    whole = list(candidates)
    for frame, box in zip(track.frames, track.boxes, strict=True):
        whole[frame] = np.concatenate([whole[frame], box[None]])
    return whole


def shape(boxes: np.ndarray) -> np.ndarray:
    """Logarithm of height over width of boxes (N, 4+), single outliers taken off, (N,)."""
    from scipy.ndimage import median_filter

    sides = np.maximum(boxes[:, 2:4] - boxes[:, :2], 1.0)
    return median_filter(np.log(sides[:, 1] / sides[:, 0]), 3, mode="nearest")


def centre(boxes: np.ndarray) -> np.ndarray:
    """Middle of boxes (..., 4+), (..., 2)."""
    return (boxes[..., :2] + boxes[..., 2:4]) / 2


def filled(track: Track, n_frames: int) -> np.ndarray:
    """Boxes (T, 5) from the first to the last of a track, straight across gaps with confidence 0 there; else NaN."""
    boxes = np.full((n_frames, 5), np.nan)
    inside = np.arange(track.frames[0], track.frames[-1] + 1)
    for column in range(4):
        boxes[inside, column] = np.interp(inside, track.frames, track.boxes[:, column])
    boxes[inside, 4] = 0.0
    boxes[track.frames, 4] = track.boxes[:, 4]
    return boxes


def _nodes(candidates: Candidates, even: float) -> _Nodes:
    counts = [len(boxes) for boxes in candidates]
    box = np.concatenate([np.zeros((0, 5)), *candidates])
    frame = np.repeat(np.arange(len(counts)), counts)
    starts = np.concatenate([[0], np.cumsum(counts, dtype=int)])
    return _Nodes(frame, box, box[:, 4] - even, np.zeros((len(box), 2)), np.full(len(box), -1), starts)


def _extend(nodes: _Nodes, time: int, terms: Terms) -> None:
    """Give every node of frame `time` its best predecessor among the frames before."""
    now = np.arange(nodes.starts[time], nodes.starts[time + 1])
    before = np.arange(nodes.starts[max(0, time - 1 - terms.max_gap)], nodes.starts[time])
    if not len(before) or not len(now):
        return
    steps = (time - nodes.frame[before])[:, None]  # (P, 1)
    gain, velocity = _link(nodes.box[before], nodes.velocity[before], nodes.box[now], steps, terms)
    total = nodes.worth[before][:, None] + gain - terms.skipped * (steps - 1)  # (P, N)
    best = total.argmax(axis=0)
    columns = np.arange(len(now))
    joins = total[best, columns] > 0  # otherwise the path starts anew here
    nodes.worth[now] += np.where(joins, total[best, columns], 0.0)
    nodes.previous[now] = np.where(joins, before[best], -1)
    fresh = nodes.previous[before[best]] < 0
    smooth = np.where(
        fresh[:, None], velocity[best, columns], (velocity[best, columns] + nodes.velocity[before[best]]) / 2
    )
    nodes.velocity[now] = np.where(joins[:, None], smooth, 0.0)


def _link(
    old: np.ndarray, old_velocity: np.ndarray, new: np.ndarray, steps: np.ndarray, terms: Terms
) -> tuple[np.ndarray, np.ndarray]:
    """Gain `(P, N)` of joining `old (P, 5)` to `new (N, 5)`, `steps (P, 1)` frames later; velocity `(P, N, 2)`."""
    old_extent, new_extent = (np.maximum(b[:, 2:4] - b[:, :2], 1.0) for b in (old, new))
    move = centre(new)[None] - centre(old)[:, None]  # (P, N, 2)
    size = np.sqrt(old_extent.max(axis=1)[:, None] * new_extent.max(axis=1)[None])  # (P, N), longer sides
    surprise = np.linalg.norm(move - old_velocity[:, None] * steps[..., None], axis=-1) / size
    growth = np.log(new_extent[None] / old_extent[:, None])  # (P, N, 2)
    shape_change = np.abs(growth).max(axis=-1)
    longer_change = np.abs(np.log(new_extent.max(axis=1)[None] / old_extent.max(axis=1)[:, None]))
    off = surprise**2 + 0.5 * longer_change**2
    busy = np.minimum(shape_change, 0.3) - 0.1
    gain = terms.activity * busy - terms.motion * np.minimum(off / np.sqrt(steps), 4.0)
    gain = np.where(surprise > 0.8 + 0.2 * (steps - 1), -np.inf, gain)
    return gain, move / steps[..., None]


def _trace_back(nodes: _Nodes) -> np.ndarray:
    path = [int(nodes.worth.argmax())]
    while nodes.previous[path[-1]] >= 0:
        path.append(int(nodes.previous[path[-1]]))
    return np.array(path[::-1])
