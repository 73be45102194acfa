"""BlazePose from boxes: finds the body's axis around the box, turns it upright, and looks from several sides at once.

What makes it fit for people in the air, and fast:

rotations    the surroundings of the box are searched for the body's axis under as many angles, and the axis is the mean
             of those that agree
tilts        the body, upright now, is seen a little turned to either side and in the mirror, and each point is the
             median of what these views say; the spread of the views lowers its confidence
sure, agree  how soon the looking ends where a person is seen for sure and the views are at one
smooth       over a clip, the median of so many frames; 1 treats every frame as a still picture

`turned=False` takes the place and the size of the same axis, but leaves the picture as it is: this is what a top-down
estimator for upright people sees, and shows what turning is worth.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aqa_pipeline import keypoint_sets, streams
from aqa_pipeline.errors import InputError, nearest
from aqa_pipeline.layers import blazepose, crops, litert
from aqa_pipeline.pose._clips import Asked, OfClips, present, whole

KEYPOINT_SETS = ("blazepose_33", "coco_17")

# Sides of squares to search over the box's longer side: the detector wants to see more than the body.
_SURROUNDINGS = (3.0, 4.5)
_LEAST = 0.1  # score of an axis that is taken into account
_GUESSES = 3  # at the axis, of which the second network takes the one that shows a person
_WITHOUT_AXIS = 1.0  # length of the axis over the box's longer side, where none was found
_SPREAD = 0.02  # of the views over the side of the crop: at it the confidence is half

default_weights = ["blazepose_detector", "blazepose_landmarks_full"]


@dataclass(frozen=True, eq=False)
class _Clip:
    """One athlete of one video."""

    key: Hashable
    frames: Sequence[np.ndarray]
    boxes: np.ndarray  # (T, 5)

    def frames_with_a_box(self) -> Iterator[tuple[Sequence[np.ndarray], int, np.ndarray]]:
        return ((self.frames, int(number), self.boxes[number]) for number in present(self.boxes))

    def filled(self, found: Sequence[np.ndarray]) -> np.ndarray:
        """Points (T, 33, 3) of all frames from those (33, 3) of the frames with a box."""
        return whole(len(self.boxes), present(self.boxes), np.reshape(found, (-1, blazepose.POINTS, 3)))


class Estimator(OfClips):
    """From frames and boxes to keypoints, by BlazePose's two networks."""

    weights = ", ".join(default_weights)

    def __init__(
        self,
        *,
        keypoint_set: str,
        rotations: int,
        turned: bool,
        refine: int,
        tilts: Sequence[float],
        mirrored: bool,
        padding: float,
        smooth: int,
        sure: float,
        agree: float,
        threads: int,
    ) -> None:
        self.keypoint_set = keypoint_set
        self._columns, _ = keypoint_sets.shared("blazepose_33", keypoint_set)
        self.sha256 = blazepose.sha256()
        self._find = blazepose.Detector()
        self._look = blazepose.Landmarks()
        self._angles = 2 * np.pi * np.arange(rotations) / rotations
        self._turned, self._refine, self._padding, self._smooth = turned, refine, padding, smooth
        self._tilts = np.deg2rad(sorted(tilts, key=abs))
        self._mirrors = (False, True)[: 1 + mirrored]
        self._sure, self._agree, self._threads = sure, agree, threads

    def many(self, clips: Iterable[Asked]) -> Iterator[tuple[Any, np.ndarray | InputError]]:
        """See `OfClips`; the threads look at frames side by side, of whatever clips."""
        asked = ((clip, clip.frames_with_a_box()) for clip in (_Clip(*each) for each in clips))
        workers = self._threads if self._threads > 1 else 0
        for clip, found in streams.through(asked, self._pose, list, batch=2 * self._threads, workers=workers):
            if isinstance(found, InputError):
                yield clip.key, found
            else:
                yield clip.key, smoothed(clip.filled(found), self._smooth)[:, self._columns]

    def _pose(self, asked: tuple[Sequence[np.ndarray], int, np.ndarray]) -> np.ndarray:
        """The body in one box of a frame, (33, 3)."""
        frames, number, box = asked
        frame = frames[number]
        axis, body = self._start(frame, box)
        for step in range(self._refine):
            axis = (body if step == 0 else self._seen(frame, axis)).axis
        _, side, _ = blazepose.region(axis, padding=self._padding)
        bodies: list[blazepose.Body] = []
        for tilt in self._tilts:
            bodies += [self._seen(frame, axis, tilt=tilt, mirrored=mirrored) for mirrored in self._mirrors]
            if self._agreed(bodies, side):
                break
        return np.column_stack(_median_body(bodies, side))

    def _agreed(self, bodies: Sequence[blazepose.Body], side: float) -> bool:
        """Whether the views so far are at one, so that more of them would move nothing."""
        spread = _spread(np.stack([body.points for body in bodies])) / side
        return len(bodies) > 1 and float(np.mean(spread)) < self._agree

    def _start(self, frame: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, blazepose.Body]:
        """The axis (2, 2) of the body in a box, and what is seen there.

        The wider surroundings are searched only where the narrower do not show a person for sure; where the detector
        sees none in either, the surest of the axes that start there is taken.
        """
        axes, scores = np.zeros((0, 2, 2)), np.zeros(0)
        best, axis, body = -1.0, None, None
        for padding in _SURROUNDINGS:
            found = self._searched(frame, box, padding)
            axes, scores = np.concatenate([axes, found[0]]), np.concatenate([scores, found[1]])
            guesses, likely = blazepose.merged(axes, scores, limit=_GUESSES, one_a_place=False)
            for guess, score in zip(guesses, likely, strict=True):
                seen = self._seen(frame, guess)
                if score * seen.person > best:
                    best, axis, body = score * seen.person, guess, seen
            if best >= self._sure:
                break
        if axis is None or body is None:
            axis = self._guessed_axis(frame, box)
            body = self._seen(frame, axis)
        return axis, body

    def _searched(self, frame: np.ndarray, box: np.ndarray, padding: float) -> tuple[np.ndarray, np.ndarray]:
        """Axes (N, 2, 2) and scores (N,) that begin inside the box, found in its surroundings under every angle."""
        (centre,), (side,) = crops.squares(box[None], padding=padding)
        found = [self._find(frame, centre, side, angle=angle, least=_LEAST) for angle in self._angles]
        axes, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
        inside = ((axes[:, 0] >= box[:2]) & (axes[:, 0] <= box[2:4])).all(axis=1)
        return axes[inside], scores[inside]

    def _guessed_axis(self, frame: np.ndarray, box: np.ndarray) -> np.ndarray:
        (centre,), (length,) = crops.squares(box[None], padding=_WITHOUT_AXIS)
        # The content is turned clockwise by an angle where the axis leans against the clock by it.
        ends = [centre + length * np.array([-np.sin(angle), -np.cos(angle)]) for angle in self._angles]
        bodies = [self._seen(frame, np.stack([centre, end])) for end in ends]
        return max(bodies, key=lambda body: body.person).axis

    def _seen(
        self, frame: np.ndarray, axis: np.ndarray, *, tilt: float = 0.0, mirrored: bool = False
    ) -> blazepose.Body:
        centre, side, angle = blazepose.region(axis, padding=self._padding)
        return self._look(frame, centre, side, angle=tilt + angle * self._turned, mirrored=mirrored)


def _median_body(bodies: Sequence[blazepose.Body], side: float) -> tuple[np.ndarray, np.ndarray]:
    """Points (33, 2) and confidence (33,) of what views of one body, in crops of a `side`, agree on."""
    points = np.stack([body.points for body in bodies])
    middle = np.median(points, axis=0)
    spread = _spread(points) / side
    sure = np.mean([body.confidence * body.person for body in bodies], axis=0)
    return middle, sure / (1 + (spread / _SPREAD) ** 2)


def _spread(points: np.ndarray) -> np.ndarray:
    """Median distance (33,) of the places (V, 33, 2) of V views from their middle."""
    return np.median(np.linalg.norm(points - np.median(points, axis=0), axis=-1), axis=0)


def smoothed(keypoints: np.ndarray, width: int) -> np.ndarray:
    """Median places of `keypoints (T, K, 3)` over `width` frames; a frame without any keeps none and lends none."""
    half, out = width // 2, keypoints.copy()
    for t in np.flatnonzero(np.isfinite(keypoints[..., 0]).all(axis=1)):
        reach = min(half, t, len(keypoints) - 1 - t)  # the same on both sides, or the ends would lag
        out[t, :, :2] = np.nanmedian(keypoints[t - reach : t + reach + 1, :, :2], axis=0)
    return out


def build(
    *,
    device: str = "cpu",
    keypoint_set: str = "coco_17",
    rotations: int = 8,
    turned: bool = True,
    refine: int = 1,
    tilts: Sequence[float] = (-12.0, 0.0, 12.0),
    mirrored: bool = True,
    padding: float = 1.35,
    smooth: int = 1,
    sure: float = 0.7,
    agree: float = 0.01,
    threads: int | None = None,
) -> Estimator:
    """An estimator of `keypoint_set` (blazepose_33 or coco_17); always on the CPU.

    Parameters
    ----------
    rotations : angles under which the body is searched for; 1 is upright people only
    turned : whether the body is turned upright before its points are looked for
    refine : passes that take the body's axis anew from its own points before the last look
    tilts, mirrored : the views of the last look: degrees off the axis, each also in the mirror
    padding : side of the crop over the diameter of the circle around the body
    smooth : odd number of frames of a median over time, 1 for none
    sure : score of an axis times that of the person there, from which on the search ends; above 1 it goes all the way
    agree : mean spread of the views, over the side of the crop, below which no more are asked for; 0 asks for all
    threads : frames that are looked at side by side; by default OMP_NUM_THREADS, else 1
    """
    if keypoint_set not in KEYPOINT_SETS:
        raise InputError(f"keypoint_set: blazepose gives no '{keypoint_set}', {nearest(keypoint_set, KEYPOINT_SETS)}")
    for name, value, least in (("rotations", rotations, 1), ("refine", refine, 0), ("tilts", len(tilts), 1)):
        if value < least:
            raise InputError(f"{name}: found {value}, expected {least} or more")
    if smooth < 1 or smooth % 2 == 0:
        raise InputError(f"smooth: found {smooth}, expected an odd number of frames")
    return Estimator(
        keypoint_set=keypoint_set,
        rotations=rotations,
        turned=turned,
        refine=refine,
        tilts=tilts,
        mirrored=mirrored,
        padding=padding,
        smooth=smooth,
        sure=sure,
        agree=agree,
        threads=litert.threads(threads),
    )
