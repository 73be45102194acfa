"""Camera cuts, found while the frames stream past to whoever wants them.

Frames are reduced to small blurred colour pictures, and two of them are compared at the best shift of one over the
other: a panning camera moves what it shows, a cut replaces it. A cut is where

    nothing returns   no frame of the few before is like one of the few after, so a flash or a splash is none
    it stands out     the change is larger than those of its neighbours, so a fast pan or a shaking hand is none

Black frames are left out of the comparison: the shot goes on behind them, or a new one begins with the first picture.
Dissolves that last longer than those few frames are not found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

WIDTH, HEIGHT, BLUR = 32, 18, 1.0  # of the small pictures; a sharper one makes a pan over a crowd look like a cut
SHIFT = (4, 7)  # rows and columns that the picture may move from one frame to the next, about a fifth of its sides
BLACK = 24  # grey level that a tenth of a black frame's pixels may exceed


class Watch:
    """Pass frames through and keep small copies of them; afterwards `cuts` are the frames that begin a new shot."""

    def __init__(self, *, distance: float = 15.0, peak: float = 1.5, few: int = 3) -> None:
        self._distance, self._peak, self._few = distance, peak, few
        self._seen: list[np.ndarray] = []

    def __call__(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The same frames, one by one; begins a new video."""
        self._seen = []
        for frame in frames:
            self._seen.append(_small(frame))
            yield frame

    @property
    def cuts(self) -> list[int]:
        """Numbers of the frames seen so far that begin a new shot, without frame 0."""
        lit = [number for number, picture in enumerate(self._seen) if np.quantile(picture, 0.9) > BLACK]
        change = _changes([self._seen[number] for number in lit], floor=self._distance, few=self._few)
        return [
            lit[t] for t in np.flatnonzero(change > self._distance) if _stands_out(change, t, self._few, self._peak)
        ]


def cuts(frames: Iterable[np.ndarray], *, distance: float = 15.0, peak: float = 1.5, few: int = 3) -> list[int]:
    """Sorted numbers of the frames that begin a new shot, without frame 0.

    Parameters
    ----------
    frames : RGB pictures (H, W, 3) uint8, read once
    distance : least root mean square change of grey levels (0 to 255) across a cut
    peak : how many times the largest change among the `few` before and after it a cut must be
    few : frames before and after that must be unlike each other; a flash of fewer frames is no cut
    """
    watch = Watch(distance=distance, peak=peak, few=few)
    for _ in watch(frames):
        pass
    return watch.cuts


def _small(frame: np.ndarray) -> np.ndarray:
    import cv2

    reduced = cv2.resize(np.ascontiguousarray(frame), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(reduced, (0, 0), BLUR)


def _changes(pictures: list[np.ndarray], *, floor: float, few: int) -> np.ndarray:
    """How unlike the frames before t and those from t on are, (T,), 0 for the first.

    Only where a frame differs from the one before by more than `floor` are the others looked at.
    """
    change = np.zeros(len(pictures))
    for t in range(1, len(pictures)):
        change[t] = _difference(pictures[t - 1], pictures[t])
        if change[t] > floor:
            before, after = pictures[max(0, t - few) : t], pictures[t : t + few]
            change[t] = min(_difference(a, b) for a in before for b in after)
    return change


def _difference(a: np.ndarray, b: np.ndarray) -> float:
    """Root mean square difference of two small pictures at the best shift; the same either way round."""
    return min(_unlike(a, b), _unlike(b, a))


def _unlike(a: np.ndarray, b: np.ndarray) -> float:
    """Of the middle of `a` from the most similar place in `b`."""
    import cv2

    rows, columns = SHIFT
    middle = np.ascontiguousarray(a[rows:-rows, columns:-columns])
    squares = cv2.matchTemplate(b, middle, cv2.TM_SQDIFF).min()
    return float(np.sqrt(max(squares, 0.0) / middle.size))


def _stands_out(change: np.ndarray, t: int, few: int, peak: float) -> bool:
    around = np.concatenate([change[max(1, t - few) : t], change[t + 1 : t + 1 + few]])
    return change[t] > peak * around.max(initial=0.0)
