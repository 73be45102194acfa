"""The athlete as the one person whose boxes make the best track through the whole clip.

All candidates of all frames are nodes; a track is a path forward in time that may skip frames. Its worth is the sum of

    confidence   of each box, less the one at which it counts for nothing
    motion       less for boxes that lie off the constant-velocity prediction, or change in size from one to the next
    activity     more for boxes whose shape changes: a diver folds, turns and stretches, people who stand by do not
    gaps         less for every frame skipped

The best path over the whole clip is found by dynamic programming (Viterbi, with the velocity of the best path that ends
in a node taken for the node's own). One confident bystander in one frame, or a still one in all of them, cannot win
against a diver who is seen most of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass
class _Nodes:
    """All candidates of a clip, in order of time, with the best path that ends in each; M in all."""

    frame: np.ndarray  # (M,)
    box: np.ndarray  # (M, 5)
    worth: np.ndarray  # (M,) of the node alone, later of the best path to it
    velocity: np.ndarray  # (M, 2) pixels a frame, along the best path
    previous: np.ndarray  # (M,) index of the node before, -1 at a start


def select(
    candidates: Sequence[np.ndarray],
    *,
    max_gap: int = 8,
    even: float = 0.3,
    motion: float = 4.0,
    activity: float = 2.0,
    skipped: float = 0.1,
) -> np.ndarray:
    """The athlete's track `(T, 5)` float32 among candidates `T x (N, 5)`; NaN before, after, and where there is none.

    Parameters
    ----------
    max_gap : most frames in a row without a box inside the track; they are interpolated and get confidence 0
    even : confidence at which a box counts neither for nor against its track
    motion, activity, skipped : weights of the terms above; distances are taken in box sizes
    """
    nodes = _nodes(candidates, even)
    for time in np.unique(nodes.frame):
        _extend(nodes, int(time), max_gap=max_gap, motion=motion, activity=activity, skipped=skipped)
    track = np.full((len(candidates), 5), np.nan, np.float32)
    if len(nodes.frame) == 0 or nodes.worth.max() <= 0:
        return track
    path = _trace_back(nodes)
    return _interpolated(track, nodes.frame[path], nodes.box[path])


def _nodes(candidates: Sequence[np.ndarray], even: float) -> _Nodes:
    counts = [len(boxes) for boxes in candidates]
    boxes = [np.asarray(boxes, np.float64).reshape(-1, 5) for boxes in candidates]
    box = np.concatenate([np.zeros((0, 5)), *boxes])
    frame = np.repeat(np.arange(len(counts)), counts)
    return _Nodes(frame, box, box[:, 4] - even, np.zeros((len(box), 2)), np.full(len(box), -1))


def _extend(nodes: _Nodes, time: int, *, max_gap: int, motion: float, activity: float, skipped: float) -> None:
    """Give every node of frame `time` its best predecessor among the frames before."""
    now = np.flatnonzero(nodes.frame == time)
    before = np.flatnonzero((nodes.frame < time) & (nodes.frame >= time - 1 - max_gap))
    if not len(before):
        return
    steps = (time - nodes.frame[before])[:, None]  # (P, 1)
    gain, velocity = _link(nodes.box[before], nodes.velocity[before], nodes.box[now], steps, motion, activity)
    total = nodes.worth[before][:, None] + gain - skipped * (steps - 1)  # (P, N)
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
    old: np.ndarray, old_velocity: np.ndarray, new: np.ndarray, steps: np.ndarray, motion: float, activity: float
) -> tuple[np.ndarray, np.ndarray]:
    """Gain `(P, N)` of joining `old (P, 5)` to `new (N, 5)`, `steps (P, 1)` frames later; velocity `(P, N, 2)`."""
    old_extent, new_extent = (np.maximum(b[:, 2:4] - b[:, :2], 1.0) for b in (old, new))
    move = (new[None, :, :2] + new[None, :, 2:4] - old[:, None, :2] - old[:, None, 2:4]) / 2  # (P, N, 2)
    size = np.sqrt(old_extent.max(axis=1)[:, None] * new_extent.max(axis=1)[None])  # (P, N), longer sides
    surprise = np.linalg.norm(move - old_velocity[:, None] * steps[..., None], axis=-1) / size
    growth = np.log(new_extent[None] / old_extent[:, None])  # (P, N, 2)
    shape_change = np.abs(growth).max(axis=-1)
    longer_change = np.abs(np.log(new_extent.max(axis=1)[None] / old_extent.max(axis=1)[:, None]))
    off = surprise**2 + 0.5 * longer_change**2
    busy = np.minimum(shape_change, 0.3) - 0.1
    gain = activity * busy - motion * np.minimum(off / np.sqrt(steps), 4.0)
    gain = np.where(surprise > 0.8 + 0.2 * (steps - 1), -np.inf, gain)
    return gain, move / steps[..., None]


def _trace_back(nodes: _Nodes) -> np.ndarray:
    path = [int(nodes.worth.argmax())]
    while nodes.previous[path[-1]] >= 0:
        path.append(int(nodes.previous[path[-1]]))
    return np.array(path[::-1])


def _interpolated(track: np.ndarray, frames: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Fill `track (T, 5)` from the first to the last of `frames`, straight across gaps, confidence 0 there."""
    inside = np.arange(frames[0], frames[-1] + 1)
    for column in range(4):
        track[inside, column] = np.interp(inside, frames, boxes[:, column])
    track[inside, 4] = 0.0
    track[frames, 4] = boxes[:, 4]
    return track
