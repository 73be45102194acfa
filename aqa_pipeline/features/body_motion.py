"""How a body moves, in a form that neither camera nor body size changes: what a regressor can learn from.

Raw pixel coordinates say mostly where the camera pointed; a regressor fed with them learnt nothing in our trials. So
the points are taken from the middle of the hips, divided by one body size a clip, mirrored until every athlete bends to
the same side, and joined by joint angles, directions of body lines, distances between limbs, the turning of the trunk,
and the rates at which these change.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from aqa_pipeline.errors import InputError
from aqa_pipeline.features import _signals as signals
from aqa_pipeline.features._skeletons import Skeleton, skeleton

source = "keypoints"

Extractor = Callable[..., np.ndarray]


def build(
    *,
    points: str = "body",
    coordinates: str = "derived",
    smoothing: float = 0.7,
    min_confidence: float = 0.05,
    canonical_facing: bool = True,
) -> Extractor:
    """Extractor of `(T, D)` float32 from keypoints `(T, K, 3)`, or `(T, K, 4)` with three coordinates.

    points
        "body", or "summaries" for feet, hands and face too where the set has them.
    coordinates
        "derived", "all" (every keypoint of the set) or "none".
    smoothing
        Gaussian sigma in frames, after a running median of three.
    min_confidence
        Points below it count as not found and are interpolated.
    canonical_facing
        Whether athletes who face the other way are mirrored, so that all face one way.
    """
    if coordinates not in ("derived", "all", "none"):
        raise InputError(f"body_motion.coordinates: found '{coordinates}', expected 'derived', 'all' or 'none'")

    def extract(keypoints: np.ndarray, *, keypoint_set: str, fps: float, **_size: float) -> np.ndarray:
        body = skeleton(keypoint_set, points=points)
        positions = positions_of(keypoints, body, min_confidence=min_confidence, canonical_facing=canonical_facing)
        positions = signals.smooth(signals.median_of_three(positions), smoothing)
        derived = body.derive(positions)  # (T, P, C)
        root, scale = derived[:, body.root, None], body_scale(derived, body)
        shown = {"derived": derived, "all": positions, "none": derived[:, :0]}[coordinates]
        centred = ((shown - root) / scale).reshape(len(derived), -1)
        motion = measure(derived / scale, body, fps)
        return np.concatenate([centred, *motion], axis=1).astype(np.float32)

    return extract


def positions_of(
    keypoints: np.ndarray, body: Skeleton, *, min_confidence: float = 0.05, canonical_facing: bool = True
) -> np.ndarray:
    """Positions `(T, K, C)` of keypoints without gaps, every athlete facing one way; nothing is smoothed yet."""
    positions = signals.fill_gaps(signals.split(keypoints, min_confidence=min_confidence))
    # before any smoothing, for a median of coordinates depends on how they lie
    return face_one_way(positions, body) if canonical_facing else positions


def body_scale(derived: np.ndarray, body: Skeleton) -> float:
    """One length for the whole clip: the 80th percentile of the trunk, for a trunk seen end on is foreshortened."""
    start, end = body.lines[body.trunk]
    lengths = np.linalg.norm(derived[:, end] - derived[:, start], axis=1)
    scale = float(np.percentile(lengths, 80))
    return scale if scale > 1e-6 else 1.0  # no athlete found: all points coincide


def face_one_way(positions: np.ndarray, body: Skeleton) -> np.ndarray:
    """Points `(T, K, C)` turned or mirrored so that every athlete faces the same way.

    Two coordinates: hips bend forward only, so the side to which they bend over the clip is the front; where it lies to
    the left the picture is mirrored and left and right are exchanged. Three coordinates: turned about the vertical (the
    second coordinate) until the line from right to left points along the first.
    """
    if positions.shape[2] == 2:
        return _mirrored(positions, body) if body.front and _bend(positions, body) < 0 else positions
    left, right = (list(side) for side in zip(*body.pairs, strict=True))
    across = (positions[:, left] - positions[:, right]).mean(axis=(0, 1))
    angle = np.arctan2(across[2], across[0])
    turn = np.array([[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]])
    return positions @ turn


def _bend(positions: np.ndarray, body: Skeleton) -> float:
    """Sum over the clip of the sine of the front angle: its sign is the side to which the hips bend."""
    derived = body.derive(positions)
    first, second = (_directions(derived, [body.lines[line]])[:, 0] for line in body.front)
    return float((first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]).sum())


def _mirrored(positions: np.ndarray, body: Skeleton) -> np.ndarray:
    order = np.arange(positions.shape[1])
    for left, right in body.pairs:
        order[left], order[right] = right, left
    return positions[:, order] * np.array([-1.0, 1.0])


def measure(derived: np.ndarray, body: Skeleton, fps: float) -> list[np.ndarray]:
    """Directions, angles, distances, turning, and the rates of the last three: a list of `(T, ...)` arrays.

    Rates are per tenth of a second, which brings them to the size of what they are rates of.
    """
    directions = _directions(derived, body.lines)  # (T, L, C)
    angles = np.concatenate([_cosine_sine(directions[:, i], directions[:, j]) for i, j in body.angles], axis=1)
    distances = np.stack([np.linalg.norm(derived[:, a] - derived[:, b], axis=1) for a, b in body.distances], axis=1)
    turning = _turning(directions[:, body.trunk], fps)
    rates = [signals.rate(values, fps) / 10 for values in (angles, distances, turning)]
    return [directions.reshape(len(derived), -1), angles, distances, turning, *rates]


def _directions(derived: np.ndarray, lines: list[tuple[int, int]]) -> np.ndarray:
    """Unit vectors `(T, L, C)` along body lines; zero where a line has no length."""
    vectors = np.stack([derived[:, b] - derived[:, a] for a, b in lines], axis=1)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=2, keepdims=True), 1e-9)


def _cosine_sine(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The angle between unit vectors `(T, C)` as `(T, 2)`: an angle itself would jump at half a turn.

    The sine carries the side in two dimensions and has none in three.
    """
    cosine = (first * second).sum(axis=1)
    if first.shape[1] == 2:
        sine = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    else:
        sine = np.linalg.norm(np.cross(first, second), axis=1)
    return np.stack([cosine, sine], axis=1)


def _turning(trunk: np.ndarray, fps: float) -> np.ndarray:
    """Angular velocity of the trunk as `(T, 1)`, in tenths of a radian a tenth of a second; in space, its size."""
    if trunk.shape[1] == 2:
        angle = np.unwrap(np.arctan2(trunk[:, 1], trunk[:, 0]))
        return signals.rate(angle, fps)[:, None] / 10
    return np.linalg.norm(signals.rate(trunk, fps), axis=1, keepdims=True) / 10
