"""Frames in which left and right changed places, found as the assignment of sides that moves most evenly.

A state a frame says whether the two sides are swapped. The least sum of accelerations over a shot (second differences,
in body sizes, each at most `_MOST`) is found by dynamic programming over pairs of states (Viterbi). Accelerations and
not distances, for in a twist left and right do cross in the picture, at an even speed. Turned and unturned paths are
equally even, so every swapped frame costs a little: most of a shot stays as it was found.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aqa_pipeline.keypoint_sets import KeypointSet
from aqa_pipeline.trajectories import body_size, shots

_MOST = 0.5  # body sizes: an outlier must not outweigh the rest of the body
_PRICE = 0.01  # body sizes a point: of a swapped frame, and of a change of sides
_LIMBS = {  # words in the names of points; who is left is of the head
    "legs": ("hip", "leg", "knee", "ankle", "foot", "toe", "heel", "thigh", "tibia", "asis", "psis"),
    "arms": ("shoulder", "collar", "arm", "elbow", "wrist", "hand", "thumb", "finger"),
}


def swapped(positions: np.ndarray, points: KeypointSet, *, of: str = "limbs", cuts: Sequence[int] = ()) -> np.ndarray:
    """Points `(T, K)` that stand on the wrong side; `of`: limbs (head, arms and legs each alone) or body."""
    answer = np.zeros(positions.shape[:2], bool)
    size = body_size(positions)
    for pairs in groups(points, of):
        both = positions[:, pairs] / size  # (T, P, 2, C)
        both = np.where(np.isfinite(both).all(axis=(2, 3), keepdims=True), both, np.nan)  # else no state is comparable
        for shot in shots(len(positions), cuts):
            answer[shot, pairs.ravel()] = _viterbi(both[shot])[:, None]
    return answer


def mended(keypoints: np.ndarray, which: np.ndarray, points: KeypointSet) -> np.ndarray:
    """Keypoints `(T, K, ...)` with the points `which` (T, K) exchanged for those of the other side."""
    return np.where(which[..., None], keypoints[:, list(points.flipped)], keypoints)


def groups(points: KeypointSet, of: str) -> list[np.ndarray]:
    """Columns (P, 2) of left and right points that swap together."""
    parts: dict[str, list[tuple[int, int]]] = {}
    for pair in points.flip_pairs:
        parts.setdefault("body" if of == "body" else _limb(points.names[pair[0]]), []).append(pair)
    return [np.array(pairs) for pairs in parts.values()]


def _limb(name: str) -> str:
    return next((limb for limb, words in _LIMBS.items() if any(word in name for word in words)), "head")


def _viterbi(both: np.ndarray) -> np.ndarray:
    """The cheapest states (t,) of a shot, `both` (t, P, 2, C): left and right of P pairs in body sizes.

    Frames in which no point of the pairs was found are passed over, as if they had not been filmed.
    """
    states = np.zeros(len(both), bool)
    shown = np.flatnonzero(np.isfinite(both).any(axis=(1, 2, 3)))
    if len(shown) < 3:
        return states
    price = _PRICE * 2 * both.shape[1]
    cost = np.add.outer([0, price], [0, price]) + price * (1 - np.eye(2))  # (state before, state now)
    of_next = price * (np.arange(2) + (1 - np.eye(2)))  # (state now, state next)
    chosen = []
    for trio in _trios(both[shown]):  # (before, now, next)
        unturned, turned = cost[:, :, None] + trio + of_next  # by the state before
        chosen.append(turned < unturned)
        cost = np.minimum(turned, unturned)
    states[shown] = _back(cost, chosen)
    return states


def _trios(both: np.ndarray) -> np.ndarray:
    """Summed accelerations (t - 2, 2, 2, 2) of every three frames, for each of their states."""
    sides = np.stack([both, both[:, :, ::-1]], axis=1)  # (t, state, P, 2, C)
    before, now, following = sides[:-2, :, None, None], 2 * sides[1:-1, None, :, None], sides[2:, None, None, :]
    second = before - now + following  # (t - 2, 2, 2, 2, P, 2, C)
    bent = np.minimum(np.linalg.norm(second, axis=-1), _MOST)
    return np.nansum(bent, axis=(-2, -1))


def _back(cost: np.ndarray, chosen: list[np.ndarray]) -> np.ndarray:
    """States along the cheapest way, from the end back to the beginning."""
    now, following = np.unravel_index(cost.argmin(), cost.shape)
    way = [int(following), int(now)]
    for before in reversed(chosen):
        way.append(int(before[way[-1], way[-2]]))
    return np.array(way[::-1], bool)
