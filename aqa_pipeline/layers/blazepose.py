"""BlazePose: a detector that finds bodies by hips and height, and a network that finds the points of one body.

Bazarevsky et al. 2020, "BlazePose: On-device Real-time Body Pose tracking" (arXiv 2006.10204). The weights are the
files of the distribution mediapipe 0.10.21 (Apache-2.0). Of its code nothing is used; what the outputs mean was taken
from its published graphs, and the results agree with those of mediapipe itself.

A body is known by its axis, two points `(2, 2)`: the middle of the hips, and the end of the body's height beyond the
head, as far from the hips as the circle around the whole body reaches. The axis says where the body is, how large, and
which way up, so that the second network always sees an upright person. Shapes: N bodies, 33 points; picture pixels,
integers are pixel centres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aqa_pipeline import keypoint_sets, weights
from aqa_pipeline.layers import crops, litert

DETECTOR, LANDMARKS = "blazepose_detector", "blazepose_landmarks_full"  # registered weights

POINTS = 33
_FLIPPED = np.array(keypoint_sets.get("blazepose_33").flipped)
_AXIS = slice(33, 35)  # the landmarks after the body's: its axis
_CELLS = ((28, 2), (14, 2), (7, 6))  # cells across the detector's input and anchors in each
_WINDOW, _PEAK = 3, 0.5  # of mediapipe's refinement: 7 x 7 cells, where the heatmap reaches one half


@dataclass(frozen=True)
class Body:
    """What the second network says of one crop."""

    points: np.ndarray  # (33, 2)
    confidence: np.ndarray  # (33,), visible and inside the crop
    axis: np.ndarray  # (2, 2)
    person: float  # whether there is a person at all


class Detector:
    """Finds the axes of bodies in a square piece of a picture; it knows upright people best."""

    def __init__(self) -> None:
        self._network = litert.Network(weights.path(DETECTOR))
        self._anchors = anchors()

    def __call__(
        self, frame: np.ndarray, centre: np.ndarray, side: float, *, angle: float = 0.0, least: float = 0.1
    ) -> tuple[np.ndarray, np.ndarray]:
        """Axes `(N, 2, 2)` and scores `(N,)` of at least `least`; many a body is found more than once."""
        crop, back = _piece(frame, centre, side, angle, self._network.size)
        raw, logits = self._network(crop.astype(np.float32) / 127.5 - 1)  # (A, 12), (A, 1)
        scores = _sigmoid(logits[:, 0])
        sure = scores >= least
        # A row is a box of the face, of no use here, then four points: the first two are the axis.
        axes = raw[sure].reshape(-1, 6, 2)[:, 2:4] + self._anchors[sure, None] * self._network.size[0] - 0.5
        return crops.apply(np.repeat(back, len(axes), axis=0), axes), scores[sure]


class Landmarks:
    """Finds the points of the body that fills a square piece of a picture, its axis pointing up."""

    def __init__(self) -> None:
        self._network = litert.Network(weights.path(LANDMARKS))

    def __call__(
        self, frame: np.ndarray, centre: np.ndarray, side: float, *, angle: float = 0.0, mirrored: bool = False
    ) -> Body:
        """The body in one piece; `mirrored`: seen in a mirror, the answer is not."""
        crop, back = _piece(frame, centre, side, angle, self._network.size)
        crop = np.ascontiguousarray(crop[:, ::-1]) if mirrored else crop
        flat, person, _, heatmaps, _ = self._network(crop.astype(np.float32) / 255)
        rows = flat.reshape(-1, 5)  # x, y, z, logits of visible and of present
        places = refined(rows[:, :2], heatmaps, size=self._network.size[0])
        if mirrored:
            places[:, 0] = self._network.size[0] - 1 - places[:, 0]
            places[:POINTS], rows = places[_FLIPPED], rows[_FLIPPED]
        places = crops.apply(back, places[None])[0]
        confidence = _sigmoid(rows[:POINTS, 3]) * _sigmoid(rows[:POINTS, 4])
        return Body(places[:POINTS], confidence, places[_AXIS], float(person[0]))


def anchors() -> np.ndarray:
    """Places `(2254, 2)` in the unit square that the detector's rows are counted from: the middles of its cells."""
    levels = []
    for cells, repeats in _CELLS:
        y, x = np.mgrid[:cells, :cells]
        levels.append(np.repeat((np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) / cells, repeats, axis=0))
    return np.concatenate(levels)


def region(axis: np.ndarray, *, padding: float = 1.25) -> tuple[np.ndarray, float, float]:
    """Centre, side and angle of the square in which the body of `axis (2, 2)` stands upright.

    `padding`: side over the diameter of the circle around the body; mediapipe takes 1.25.
    """
    hips, end = np.asarray(axis, np.float64)
    along = end - hips
    return hips, 2 * padding * max(float(np.hypot(*along)), 4.0), -np.pi / 2 - float(np.arctan2(along[1], along[0]))


def merged(
    axes: np.ndarray, scores: np.ndarray, *, limit: int, near: float = 0.5, one_a_place: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Bodies `(M, 2, 2)`, M <= `limit`, and their best scores `(M,)` out of axes `(N, 2, 2)` that many views found.

    Where most of the score agrees there is a body, and its axis is the mean of those that agree: both ends within
    `near` times the axis' length. All that have their hips there are taken away with it, or, not `one_a_place`, only
    those that also point the same way: two guesses at the same body may differ in what is up.
    """
    found, best = np.zeros((0, 2, 2)), np.zeros(0)
    while len(axes) and len(found) < limit:
        length = np.linalg.norm(axes[:, 1] - axes[:, 0], axis=-1)
        gaps = np.linalg.norm(axes[:, None] - axes[None], axis=-1) / np.maximum(length, 1e-9)[:, None, None]
        kin = np.exp(-((gaps.max(axis=-1) / near) ** 2))  # (N, N)
        votes = scores**2  # a few that are sure outweigh the many doubtful ones that every turned body brings
        leader = int((kin @ votes).argmax())
        weight = np.where(gaps[leader].max(axis=-1) < near, kin[leader] * votes, 0.0)
        found = np.concatenate([found, (axes * weight[:, None, None]).sum(axis=0, keepdims=True) / weight.sum()])
        best = np.append(best, scores[weight > 0].max())
        apart = (gaps[leader, :, 0] if one_a_place else gaps[leader].max(axis=-1)) >= near
        axes, scores = axes[apart], scores[apart]
    return found, best


def refined(places: np.ndarray, heatmaps: np.ndarray, *, size: int) -> np.ndarray:
    """Places `(K, 2)` in crop pixels moved to the centre of what their heatmaps `(h, w, K)`, logits, hold around them.

    Only where the heatmap is high enough near by, as mediapipe does it.
    """
    beliefs = _sigmoid(heatmaps)
    height, width, _ = beliefs.shape
    moved = np.array(places, np.float64)
    for k, (x, y) in enumerate(np.floor(places * (width / size)).astype(int)):
        if not (0 <= x < width and 0 <= y < height):
            continue
        left, top = max(0, x - _WINDOW), max(0, y - _WINDOW)
        window = beliefs[top : y + _WINDOW + 1, left : x + _WINDOW + 1, k].astype(np.float64)
        if window.max() >= _PEAK:
            rows, columns = np.indices(window.shape)
            centre = np.array([(columns * window).sum(), (rows * window).sum()]) / window.sum() + (left, top)
            moved[k] = centre * (size / width)
    return moved


def _piece(
    frame: np.ndarray, centre: np.ndarray, side: float, angle: float, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """A crop and the map `(1, 2, 3)` from its pixels back to the picture's."""
    matrix = crops.matrices(np.asarray(centre)[None], np.array([side]), size=size, angles=angle)
    return crops.cut(frame, matrix[0], size=size), crops.invert(matrix)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    return expit(logits)


def sha256() -> str:
    """SHA-256 of both networks, for the attributes of a store."""
    return ", ".join(weights.sha256(name) for name in (DETECTOR, LANDMARKS))
