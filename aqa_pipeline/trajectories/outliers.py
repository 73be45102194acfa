"""Which points of a path do not belong to it. Nothing is changed here; the answers are `(T, K)` booleans."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aqa_pipeline.trajectories import body_size, shots

_MAD_TO_SD = 1.4826  # of a normal distribution
_STILL = 0.01  # body sizes: the least spread that counts, or a path that rests would reject its first move


def hampel(positions: np.ndarray, *, limit: float, window: int = 7, cuts: Sequence[int] = ()) -> np.ndarray:
    """Points with a coordinate further than `limit` robust standard deviations from the line of their neighbours.

    Around each frame the median slope between any two of `window` frames (odd) is taken off, or the speed of a diver
    would pass for spread; then the frame is compared with the median. The standard deviation is 1.4826 times the median
    absolute deviation, and one hundredth of the body's size at least. Windows are shorter at the ends of a shot.

    Pearson, Neuvo, Astola & Gabbouj 2016, "Generalized Hampel filters", EURASIP J. Adv. Signal Process. 2016:87;
    the slope is Theil's and Sen's.
    """
    rejected = np.zeros(positions.shape[:2], bool)
    least = _STILL * body_size(positions)
    for shot in shots(len(positions), cuts):
        around = _levelled(_windows(positions[shot], window))  # (t, K, C, window)
        middle = _nanmedian(around)
        spread = _MAD_TO_SD * _nanmedian(np.abs(around - middle[..., None]))
        distance = np.abs(positions[shot] - middle)
        rejected[shot] = (distance > limit * np.maximum(spread, least)).any(axis=2)
    return rejected


def spikes(positions: np.ndarray, *, speed: float, fps: float, cuts: Sequence[int] = ()) -> np.ndarray:
    """Points that come and go faster than `speed` body sizes a second, from the last and to the next place seen.

    Both ways must be too fast: of a single step nobody can tell which end is wrong.
    """
    rejected = np.zeros(positions.shape[:2], bool)
    limit = speed * body_size(positions) / fps  # a frame
    for shot in shots(len(positions), cuts):
        for k in range(positions.shape[1]):
            path = positions[shot, k]
            seen = np.flatnonzero(np.isfinite(path).all(axis=1))
            fast = np.linalg.norm(np.diff(path[seen], axis=0), axis=1) > limit * np.diff(seen)
            rejected[shot.start + seen[1:-1][fast[:-1] & fast[1:]], k] = True
    return rejected


def _windows(path: np.ndarray, window: int) -> np.ndarray:
    """Every frame's neighbours on a last axis of `window`; NaN beyond the ends."""
    padded = np.pad(path, [(window // 2, window // 2)] + [(0, 0)] * (path.ndim - 1), constant_values=np.nan)
    return np.lib.stride_tricks.sliding_window_view(padded, window, axis=0)


def _levelled(around: np.ndarray) -> np.ndarray:
    """Windows (..., window) turned about their middle until their median slope is 0."""
    window = around.shape[-1]
    first, second = np.triu_indices(window, 1)
    slope = _nanmedian((around[..., second] - around[..., first]) / (second - first))
    return around - np.nan_to_num(slope)[..., None] * (np.arange(window) - window // 2)


def _nanmedian(values: np.ndarray) -> np.ndarray:
    """Median along the last axis of what is not NaN; NaN, and no warning, where nothing is left."""
    nothing = np.isnan(values).all(axis=-1)
    return np.where(nothing, np.nan, np.nanmedian(np.where(nothing[..., None], 0.0, values), axis=-1))
