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
OWN = 0.2  # IoU above which a box may be that of one of a pair whose tracks are known roughly


def pair(people: Sequence[np.ndarray], track: _paths.Track, terms: _paths.Terms, least: float) -> np.ndarray:
    """Boxes (2, T, 5) of the athlete of `track` and a partner, the one further left first; NaN where there is none."""
    first = _paths.filled(track, len(people))
    second = _partner(_paths.without(people, track), first, terms)
    if second is None or not _alike(first, second, least):
        return np.stack([first, np.full_like(first, np.nan)])
    both = np.stack([first, second])
    merged = _merged(both, people)
    if merged:
        both = _again(both, people, merged, terms)
        both = _part(both, people, _merged(both, people))
    places = _paths.centre(both[:, _together(both)[0]])[:, 0]
    return both if places[0] <= places[1] else both[::-1]


def _again(both: np.ndarray, people: Sequence[np.ndarray], merged: dict[int, int], terms: _paths.Terms) -> np.ndarray:
    """The pair `both (2, T, 5)` tracked without the boxes that lie over both, on which they may have changed places."""
    theirs = []
    for frame, boxes in enumerate(people):
        boxes = np.delete(boxes, merged[frame], axis=0) if frame in merged else boxes
        theirs.append(boxes[np.fmax(*(_overlap(boxes, own[frame]) for own in both)) > OWN])
    track = _paths.best(theirs, terms)
    if track is None:
        return both
    first = _paths.filled(track, len(people))
    second = _partner(_paths.without(theirs, track), first, terms)
    again = both if second is None else np.stack([first, second])
    return again if len(_together(again)) else both


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


def _merged(both: np.ndarray, people: Sequence[np.ndarray]) -> dict[int, int]:
    """Frames, and rows of `people` there, of boxes that are more like one over both athletes than like either's own."""
    together = _together(both)
    found = {}
    for frame in range(together[0], together[-1]):
        if frame in together or not len(people[frame]):
            continue
        own, union = _expected(both, together, frame)
        alike = _overlap(people[frame], union)
        row = int(alike.argmax())
        if alike[row] > max(_overlap(people[frame][[row]], box)[0] for box in own):
            found[frame] = row
    return found


def _together(both: np.ndarray) -> np.ndarray:
    """Frames in which each of the two was seen by itself."""
    return np.flatnonzero((both[:, :, 4] > 0).all(axis=0))


def _expected(both: np.ndarray, together: np.ndarray, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (2, 4) at `frame` by those before and after, and the box (4,) over both."""
    own = np.stack([_between(boxes, together, frame) for boxes in both])
    return own, np.concatenate([own[:, :2].min(axis=0), own[:, 2:].max(axis=0)])


def _part(both: np.ndarray, people: Sequence[np.ndarray], merged: dict[int, int]) -> np.ndarray:
    """Boxes (2, T, 5) with those over both athletes parted as the pair lies before and after."""
    parted, together = both.copy(), _together(both)
    for frame, row in merged.items():
        parted[:, frame] = _fitted(*_expected(both, together, frame), people[frame][row])
    return parted


def _between(boxes: np.ndarray, frames: np.ndarray, frame: int) -> np.ndarray:
    """Box (4,) at `frame`, interpolated from `boxes (T, 5)` at `frames`."""
    return np.array([np.interp(frame, frames, boxes[frames, column]) for column in range(4)])


def _fitted(own: np.ndarray, union: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Boxes (2, 5): `own (2, 4)` moved and stretched as their `union (4,)` becomes `whole (5,)`."""
    scale = (whole[2:4] - whole[:2]) / np.maximum(union[2:] - union[:2], 1.0)
    corners = [(own[:, at : at + 2] - union[:2]) * scale + whole[:2] for at in (0, 2)]
    return np.concatenate([*corners, np.full((2, 1), whole[4])], axis=1)


def _overlap(boxes: np.ndarray, other: np.ndarray) -> np.ndarray:
    """IoU (N,) of boxes (N, 4+) with one box (4+,)."""
    inner = np.minimum(boxes[:, 2:4], other[2:4]) - np.maximum(boxes[:, :2], other[:2])
    inner = np.prod(np.clip(inner, 0, None), axis=1)
    areas = np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1) + np.prod(other[2:4] - other[:2])
    return inner / np.maximum(areas - inner, 1e-9)
