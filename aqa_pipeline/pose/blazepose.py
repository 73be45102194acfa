"""BlazePose from boxes: finds the body's axis around the box, turns it upright, and looks from several sides at once.

Three things make it fit for people in the air:

rotations    the surroundings of the box are searched for the body's axis under as many angles, and the axis is the mean
             of those that agree
tilts        the body, upright now, is seen a little turned to either side and in the mirror, and each point is the
             median of what these views say; the spread of the views lowers its confidence
smooth       over a clip, the median of so many frames; 1 treats every frame as a still picture

`turned=False` takes the place and the size of the same axis, but leaves the picture as it is: this is what a top-down
estimator for upright people sees, and shows what turning is worth.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from aqa_pipeline import keypoint_sets
from aqa_pipeline.errors import InputError, nearest
from aqa_pipeline.layers import blazepose, crops, litert

KEYPOINT_SETS = ("blazepose_33", "coco_17")

_SURROUNDINGS = (
    3.0,
    4.5,
)  # sides of squares to search over the box's longer side: the detector wants to see more than the body
_LEAST = 0.1  # score of an axis that is taken into account
_GUESSES = 3  # at the axis, of which the second network takes the one that shows a person
_WITHOUT_AXIS = 1.0  # length of the axis over the box's longer side, where none was found
_SPREAD = 0.02  # of the views over the side of the crop: at it the confidence is half

default_weights = ["blazepose_detector", "blazepose_landmarks_full"]


class Estimator:
    """Callable from frames `(H, W, 3)` and boxes `(T, 5)` to keypoints `(T, K, 3)` in picture pixels."""

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
        threads: int,
    ) -> None:
        self.keypoint_set = keypoint_set
        self._columns, _ = keypoint_sets.shared("blazepose_33", keypoint_set)
        self.sha256 = blazepose.sha256()
        self._find = blazepose.Detector(threads=threads)
        self._look = blazepose.Landmarks(threads=threads)
        self._angles = 2 * np.pi * np.arange(rotations) / rotations
        self._turned, self._refine, self._padding, self._smooth = turned, refine, padding, smooth
        self._views = [(np.deg2rad(tilt), mirror) for tilt in tilts for mirror in (False, True)[: 1 + mirrored]]

    def __call__(self, frames: Iterable[np.ndarray], boxes: np.ndarray) -> np.ndarray:
        """Keypoints `(T, K, 3)` float32: x, y, confidence; NaN where the box is NaN.

        A keypoint that cannot be seen keeps a place and gets a low confidence.
        """
        boxes = np.asarray(boxes)
        found = np.full((len(boxes), blazepose.POINTS, 3), np.nan, np.float32)
        for row, frame, box in zip(found, frames, boxes, strict=True):
            if np.isfinite(box[:4]).all():
                row[:] = self._pose(frame, box)
        return smoothed(found, self._smooth)[:, self._columns]

    def many(
        self, clips: Iterable[tuple[Hashable, Sequence[np.ndarray], np.ndarray]]
    ) -> Iterator[tuple[Any, np.ndarray | InputError]]:
        """Key and keypoints of every clip `(key, frames, boxes (T, 5))`; its InputError where it cannot be read.

        One after the other: batches across clips would gain nothing, see `litert.Network`.
        """
        for key, frames, boxes in clips:
            try:
                yield key, self(frames, boxes)
            except InputError as error:
                yield key, error

    def _pose(self, frame: np.ndarray, box: np.ndarray) -> np.ndarray:
        """The body in one box, (33, 3)."""
        axis = self._axis(frame, box)
        for _ in range(self._refine):
            axis = self._seen(frame, axis).axis
        bodies = [self._seen(frame, axis, tilt=tilt, mirrored=mirrored) for tilt, mirrored in self._views]
        _, side, _ = blazepose.region(axis, padding=self._padding)
        return np.column_stack(_median_body(bodies, side))

    def _axis(self, frame: np.ndarray, box: np.ndarray) -> np.ndarray:
        """The axis (2, 2) of the body in a box; where the detector sees none, the surest of those that start there."""
        found = [
            self._find(frame, centres[0], sides[0], angle=angle, least=_LEAST)
            for centres, sides in (crops.squares(box[None], padding=padding) for padding in _SURROUNDINGS)
            for angle in self._angles
        ]
        axes, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
        inside = ((axes[:, 0] >= box[:2]) & (axes[:, 0] <= box[2:4])).all(axis=1)
        if not inside.any():
            return self._guessed_axis(frame, box)
        guesses, scores = blazepose.merged(axes[inside], scores[inside], limit=_GUESSES, one_a_place=False)
        persons = [self._seen(frame, guess).person for guess in guesses]
        return guesses[np.argmax(scores * persons)]

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
    spread = np.median(np.linalg.norm(points - middle, axis=-1), axis=0) / side
    sure = np.mean([body.confidence * body.person for body in bodies], axis=0)
    return middle, sure / (1 + (spread / _SPREAD) ** 2)


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
    threads : of LiteRT; by default OMP_NUM_THREADS, else 1
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
        threads=litert.threads(threads),
    )
