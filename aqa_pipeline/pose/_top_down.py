"""What every top-down back end shares: from frames and boxes to crops, and from the crops' keypoints to the picture's.

A back end hands in its network as a function of crops. Here they are cut, turned, batched across frames and videos, and
brought back. Networks trained on upright people see an athlete in the air poorly; two options help them:

rotations   every frame is looked at under as many angles, and over a clip that path of angles is taken which is surest
            and turns steadily, for a body does not flip from one frame to the next
refine      again so many passes over crops around the keypoints of the pass before, turned so that the trunk is upright

Shapes: N frames with an athlete, V views (crops) a frame, K keypoints.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aqa_pipeline import keypoint_sets, streams
from aqa_pipeline.errors import InputError
from aqa_pipeline.layers import crops
from aqa_pipeline.pose._clips import Asked, OfClips, present, whole

Look = Callable[[np.ndarray], np.ndarray]
"""Crops (B, h, w, 3) uint8 RGB to keypoints (B, K, 3): x and y in crop pixels, confidence."""


@dataclass(frozen=True)
class Crop:
    """How a back end wants its crops."""

    size: tuple[int, int]  # width, height
    padding: float = 1.25  # times the box
    corners: bool = False  # see crops.matrices
    reduced: bool = True  # see crops.cut
    square_around_longer: bool = False  # a square on the box's longer side under every angle


@dataclass(frozen=True)
class Views:
    """Pieces of pictures to look at: V of each of N frames."""

    centres: np.ndarray  # (N, V, 2)
    widths: np.ndarray  # (N, V)
    angles: np.ndarray  # (N, V), see layers.crops


@dataclass
class _Clip:
    """One athlete of one video on the way through the passes."""

    key: Hashable
    frames: Sequence[np.ndarray]
    present: np.ndarray  # (N,) numbers of the frames with a box
    count: int  # of all frames, T
    views: Views
    keypoints: np.ndarray | None = None  # (N, K, 3) of the last pass
    error: InputError | None = None


class Estimator(OfClips):
    """From frames and boxes to keypoints, by a network that looks at crops."""

    def __init__(
        self,
        look: Look,
        *,
        keypoint_set: str,
        crop: Crop,
        weights: str,
        sha256: str,
        rotations: int = 1,
        refine: int = 0,
        steadiness: float = 0.1,
        batch: int = 16,
        workers: int = 0,
    ) -> None:
        for name, value, least in (("rotations", rotations, 1), ("refine", refine, 0), ("batch", batch, 1)):
            if value < least:
                raise InputError(f"{name}: found {value}, expected {least} or more")
        self.keypoint_set, self.weights, self.sha256 = keypoint_set, weights, sha256
        self._points = keypoint_sets.get(keypoint_set)
        self._look, self._crop = look, crop
        self._angles = 2 * math.pi * np.arange(rotations) / rotations
        self._refine, self._steadiness = refine, steadiness
        self._batch, self._workers = batch, workers

    def many(self, clips: Iterable[Asked]) -> Iterator[tuple[Any, np.ndarray | InputError]]:
        """See `OfClips`; batches hold frames of several clips."""
        underway = self._looked_at(self._begun(clips), len(self._angles))
        for _ in range(self._refine):
            underway = self._looked_at(map(self._upright, underway), 1)
        for clip in underway:
            yield clip.key, clip.error or self._whole(clip)

    def _begun(self, clips: Iterable[Asked]) -> Iterator[_Clip]:
        for key, frames, boxes in clips:
            boxes, numbers = np.asarray(boxes), present(boxes)
            yield _Clip(key, frames, numbers, len(boxes), self._first_views(boxes[numbers]))

    def _first_views(self, boxes: np.ndarray) -> Views:
        """The box under every angle."""
        centres, widths = zip(*(self._piece(boxes, self._crop.padding, a) for a in self._angles), strict=True)
        angles = np.broadcast_to(self._angles, (len(boxes), len(self._angles)))
        return Views(np.stack(centres, axis=1), np.stack(widths, axis=1), angles)

    def _piece(self, boxes: np.ndarray, padding: float, angles: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        if self._crop.square_around_longer:
            return crops.squares(boxes, padding=padding)
        width, height = self._crop.size
        return crops.regions(boxes, aspect=width / height, padding=padding, angles=angles)

    def _looked_at(self, clips: Iterable[_Clip], n_views: int) -> Iterator[_Clip]:
        """One pass: every clip gets the keypoints of the views, `n_views` a frame, that are surest."""

        def items() -> Iterator[tuple[_Clip, Iterator[tuple[_Clip, int]]]]:
            for clip in clips:
                # A clip that failed in an earlier pass goes on, empty, to keep its place.
                yield clip, ((clip, row) for row in range(0 if clip.error else len(clip.present)))

        batch = max(1, self._batch // n_views)
        for clip, found in streams.through(items(), self._cut, self._work, batch=batch, workers=self._workers):
            if isinstance(found, InputError):
                clip.error = found
            elif clip.error is None:
                views = np.array(found, np.float32).reshape(len(clip.present), n_views, len(self._points), 3)
                self._choose(clip, views)
            yield clip

    def _cut(self, item: tuple[_Clip, int]) -> tuple[np.ndarray, np.ndarray]:
        """Crops (V, h, w, 3) of one frame and the maps (V, 2, 3) that made them."""
        clip, row = item
        views = clip.views
        maps = crops.matrices(
            views.centres[row], views.widths[row], size=self._crop.size, angles=views.angles[row],
            corners=self._crop.corners,
        )  # fmt: skip
        frame = clip.frames[int(clip.present[row])]
        pictures = [crops.cut(frame, each, size=self._crop.size, reduced=self._crop.reduced) for each in maps]
        return np.stack(pictures), maps

    def _work(self, ready: list[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
        """Keypoints (V, K, 3) in picture pixels of each frame of a batch."""
        pictures, maps = (np.concatenate(parts) for parts in zip(*ready, strict=True))
        found = self._look(pictures)  # (B, K, 3)
        places = crops.apply(crops.invert(maps), np.asarray(found[..., :2], np.float64))
        found = np.concatenate([places, found[..., 2:]], axis=-1)
        return np.split(found, np.cumsum([len(part) for part, _ in ready])[:-1])

    def _choose(self, clip: _Clip, found: np.ndarray) -> None:
        """Keep of `found (N, V, K, 3)` the steadiest sure path; after a second pass, what was surer before."""
        sure = found[..., 2].mean(axis=2)  # (N, V)
        path = steady_path(sure, clip.views.angles, clip.present, steadiness=self._steadiness)
        row = np.arange(len(path))
        chosen = found[row, path]
        clip.views = Views(
            *(each[row, path][:, None] for each in (clip.views.centres, clip.views.widths, clip.views.angles))
        )
        if clip.keypoints is not None:
            worse = chosen[..., 2].mean(axis=1) < clip.keypoints[..., 2].mean(axis=1)
            chosen = np.where(worse[:, None, None], clip.keypoints, chosen)
        clip.keypoints = chosen

    def _upright(self, clip: _Clip) -> _Clip:
        """The views of another pass: around the keypoints, turned upright where they show the trunk."""
        if clip.error is None and len(clip.present):
            angles, certain = upright_angles(clip.keypoints, self._points)
            extent = _extent(clip.keypoints)
            centres, widths = self._piece(extent, _OUTLINE * self._crop.padding, angles)
            before = clip.views.centres[:, 0], clip.views.widths[:, 0]
            # A pass that sees half a body must not shrink the crop to that half.
            widths = np.where(certain, np.clip(widths, 0.6 * before[1], 1.4 * before[1]), before[1])
            centres = np.where(certain[:, None], centres, before[0])
            angles = np.where(certain, angles, clip.views.angles[:, 0])
            clip.views = Views(centres[:, None], widths[:, None], angles[:, None])
        return clip

    def _whole(self, clip: _Clip) -> np.ndarray:
        nobody = np.empty((0, len(self._points), 3))
        return whole(clip.count, clip.present, nobody if clip.keypoints is None else clip.keypoints)


def steady_path(sure: np.ndarray, angles: np.ndarray, numbers: np.ndarray, *, steadiness: float) -> np.ndarray:
    """The view `(N,)` of each frame on the path with the highest sum of `sure (N, V)` less its turns.

    A turn by `d` from one frame to the next costs `steadiness * (1 - cos d) / 2`, less across a gap between frame
    `numbers (N,)`. Found by dynamic programming.
    """
    n, v = sure.shape
    if n == 0:
        return np.zeros(0, int)
    total, previous = sure[0].astype(np.float64), np.zeros((n, v), int)
    for row in range(1, n):
        turn = (1 - np.cos(angles[row][None, :] - angles[row - 1][:, None])) / 2  # (from, to)
        joined = total[:, None] - steadiness * turn / (numbers[row] - numbers[row - 1])
        previous[row] = joined.argmax(axis=0)
        total = sure[row] + joined.max(axis=0)
    path = [int(total.argmax())]
    for row in range(n - 1, 0, -1):
        path.append(int(previous[row, path[-1]]))
    return np.array(path[::-1])


_OUTLINE = 1.15  # the body's outline over the extent of its joints: head, hands and feet reach beyond them


def upright_angles(
    keypoints: np.ndarray, points: keypoint_sets.KeypointSet, *, least: float = 0.2
) -> tuple[np.ndarray, np.ndarray]:
    """Angles `(N,)` that turn each body's line from hips to shoulders upright, and whether the trunk is seen `(N,)`.

    `keypoints (N, K, 3)`; a trunk is seen where its four points have a mean confidence of at least `least`.
    """
    hips = [points.index("left_hip"), points.index("right_hip")]
    shoulders = [points.index("left_shoulder"), points.index("right_shoulder")]
    line = keypoints[:, shoulders, :2].mean(axis=1) - keypoints[:, hips, :2].mean(axis=1)  # (N, 2)
    sure = keypoints[:, hips + shoulders, 2].mean(axis=1) >= least
    return -np.pi / 2 - np.arctan2(line[:, 1], line[:, 0]), sure


def _extent(keypoints: np.ndarray, least: float = 0.1) -> np.ndarray:
    """Boxes `(N, 4)` around the keypoints that are seen, all of them where none is."""
    seen = keypoints[..., 2] >= least
    seen |= ~seen.any(axis=1, keepdims=True)
    low = np.where(seen[..., None], keypoints[..., :2], np.inf).min(axis=1)
    high = np.where(seen[..., None], keypoints[..., :2], -np.inf).max(axis=1)
    return np.concatenate([low, high], axis=1)
