"""BlazePose as a detector of people: it looks at every frame under several angles, then at every body it found.

The first network was trained on upright people; turning the frame lets it find those in the air. It gives a place and
an axis, the second network the body's points, and the box is what these span. Of the two scores the product is the
confidence: bystanders get a high one too, and which of the candidates is the athlete is decided in `athlete/`.

A folded body is often seen at once but too large or the wrong way up, and the second network then shows no person. Such
places are searched again from nearer, and several guesses at the axis are tried there.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from aqa_pipeline import streams
from aqa_pipeline.errors import InputError
from aqa_pipeline.layers import blazepose, litert

_NEARER = 5.0  # side of the square that is looked at again, over the length of the axis found there
_GUESSES = 4  # at the axis in it
_SAME = 0.5  # IoU from which on two boxes are the same person's

default_weights = ["blazepose_detector", "blazepose_landmarks_full"]


class Detector:
    """Callable from frames `(H, W, 3)` to candidate boxes `(N, 5)`, x1 y1 x2 y2 confidence in picture pixels."""

    weights = ", ".join(default_weights)

    def __init__(
        self,
        *,
        rotations: int,
        scales: Sequence[float],
        limit: int,
        least: float,
        closer: int,
        sure: float,
        threads: int,
    ) -> None:
        self.sha256 = blazepose.sha256()
        self._find = blazepose.Detector()
        self._look = blazepose.Landmarks()
        self._angles = 2 * np.pi * np.arange(rotations) / rotations
        self._scales, self._limit, self._least = scales, limit, least
        self._closer, self._sure, self._threads = closer, sure, threads

    def __call__(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """All candidates of every frame, best first; two frames a thread are held at a time."""
        return streams.mapped(self._detect, frames, workers=self._threads)

    def _detect(self, frame: np.ndarray) -> np.ndarray:
        axes, scores = self._search(frame, tiles(frame.shape, self._scales))
        axes, scores = blazepose.merged(axes, scores, limit=self._limit)
        boxes = [self._box(frame, axis, score) for axis, score in zip(axes, scores, strict=True)]
        doubtful = [axis for axis, box in zip(axes, boxes, strict=True) if box[4] < self._sure][: self._closer]
        boxes += [box for axis in doubtful for box in self._look_closer(frame, axis)]
        return _one_each(np.array(boxes, np.float32).reshape(-1, 5), self._least)[: self._limit]

    def _search(self, frame: np.ndarray, squares: Sequence[tuple[np.ndarray, float]]) -> tuple[np.ndarray, np.ndarray]:
        """Axes (N, 2, 2) and scores (N,) seen in squares (centre, side) under every angle."""
        views = itertools.product(squares, self._angles)
        found = [self._find(frame, *square, angle=angle, least=self._least) for square, angle in views]
        axes, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return axes, scores

    def _look_closer(self, frame: np.ndarray, axis: np.ndarray) -> list[np.ndarray]:
        """Boxes of what is seen where an axis was found: the first sight of a folded body is often too large."""
        near = [(axis[0], _NEARER * float(np.linalg.norm(axis[1] - axis[0])))]
        guesses = blazepose.merged(*self._search(frame, near), limit=_GUESSES, one_a_place=False)
        return [self._box(frame, *guess) for guess in zip(*guesses, strict=True)]

    def _box(self, frame: np.ndarray, axis: np.ndarray, score: float) -> np.ndarray:
        """What the points of one body span, cut at the picture's edge, (5,)."""
        centre, side, angle = blazepose.region(axis)
        body = self._look(frame, centre, side, angle=angle)
        height, width = frame.shape[:2]
        low = body.points.min(axis=0).clip(0, (width, height))
        high = body.points.max(axis=0).clip(0, (width, height))
        return np.array([*low, *high, score * body.person])


def _one_each(boxes: np.ndarray, least: float) -> np.ndarray:
    """Of boxes (N, 5) those of a confidence of `least` that lie over no better one, best first."""
    import cv2

    corners, sides = boxes[:, :2], boxes[:, 2:4] - boxes[:, :2]
    rectangles = np.concatenate([corners, sides], axis=1).astype(np.float64)
    rows = cv2.dnn.NMSBoxes(rectangles.tolist(), boxes[:, 4].tolist(), least, _SAME) if len(boxes) else []
    return boxes[np.asarray(rows, int)]


def tiles(shape: Sequence[int], scales: Sequence[float]) -> list[tuple[np.ndarray, float]]:
    """Centres and sides of squares that cover a picture of `shape` (height, width, ...).

    For each of `scales` squares of that side over the picture's longer one, neighbours overlapping by half or more.
    """
    height, width = shape[:2]
    found = []
    for side in (scale * max(height, width) for scale in scales):
        rows, columns = ([(0.5 * extent)] if extent <= side else _along(extent, side) for extent in (height, width))
        found += [(np.array([x, y]) - 0.5, side) for y in rows for x in columns]
    return found


def _along(extent: int, side: float) -> np.ndarray:
    """Middles of intervals of length `side` that cover `extent` pixels and overlap by half or more."""
    return np.linspace(side / 2, extent - side / 2, int(np.ceil(2 * (extent - side) / side)) + 1)


def build(
    *,
    device: str = "cpu",
    rotations: int = 8,
    scales: Sequence[float] = (1.0,),
    limit: int = 8,
    least: float = 0.2,
    closer: int = 3,
    sure: float = 0.6,
    threads: int | None = None,
) -> Detector:
    """At most `limit` candidates a frame with a confidence of at least `least`; always on the CPU.

    Parameters
    ----------
    rotations : looks at every frame, turned by 360 / `rotations` degrees from one to the next; 1 is upright people only
    scales : sides of the squares that are looked at over the picture's longer side; (1.0, 0.5) also finds people of
        half the size, which 1.0 alone loses where they are lower than about a tenth of the picture's width
    closer : so many places of a frame, where somebody is seen with a confidence below `sure`, are searched again from
        nearer, which takes as long as the whole frame for each; 0 for none
    threads : frames that are looked at side by side; by default OMP_NUM_THREADS, else 1
    """
    for name, value, fewest in (("rotations", rotations, 1), ("closer", closer, 0)):
        if value < fewest:
            raise InputError(f"{name}: found {value}, expected {fewest} or more")
    if not scales or not all(0 < scale <= 1 for scale in scales):
        raise InputError(f"scales: found {list(scales)}, expected numbers above 0 and up to 1")
    return Detector(
        rotations=rotations,
        scales=scales,
        limit=limit,
        least=least,
        closer=closer,
        sure=sure,
        threads=litert.threads(threads),
    )
