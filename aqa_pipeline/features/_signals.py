"""Keypoint tracks made fit for derivatives: gaps filled, single outliers removed, lightly smoothed."""

from __future__ import annotations

import numpy as np


def split(keypoints: np.ndarray, *, min_confidence: float) -> np.ndarray:
    """Coordinates `(T, K, 2 or 3)` of keypoints `(T, K, 3 or 4)`, whose last channel is the confidence.

    A point that was not found, or is less certain than `min_confidence`, becomes NaN.
    """
    positions = np.array(keypoints[..., :-1], dtype=np.float64)
    confidence = keypoints[..., -1]
    positions[~(confidence >= min_confidence)] = np.nan  # NaN confidences compare as false
    return positions


def fill_gaps(positions: np.ndarray) -> np.ndarray:
    """`(T, K, C)` without NaN: interpolated in time, held at both ends.

    A point never seen takes the mean of the points seen in the same frame; where no point is ever seen all is zero.
    """
    filled = positions.copy()
    times = np.arange(len(filled))
    missing = np.isnan(filled).any(axis=2)  # (T, K)
    for k in np.flatnonzero(missing.any(axis=0)):
        seen = ~missing[:, k]
        if seen.any():
            for c in range(filled.shape[2]):
                filled[:, k, c] = np.interp(times, times[seen], positions[seen, k, c])
    never = missing.all(axis=0)
    if never.any():
        centre = filled[:, ~never].mean(axis=1, keepdims=True) if not never.all() else 0.0
        filled[:, never] = centre
    return filled


def median_of_three(positions: np.ndarray) -> np.ndarray:
    """Running median of three frames along the first axis; the ends stay as they are."""
    result = positions.copy()
    if len(positions) > 2:
        result[1:-1] = np.median(np.stack([positions[:-2], positions[1:-1], positions[2:]]), axis=0)
    return result


def smooth(positions: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian smoothing along the first axis, `sigma` in frames, ends held; 0 leaves the signal alone."""
    if sigma <= 0:
        return positions
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(positions, sigma, axis=0, mode="nearest")


def rate(signal: np.ndarray, fps: float) -> np.ndarray:
    """Change per second along the first axis, central differences; zero where there is one frame only."""
    return np.gradient(signal, axis=0) * fps if len(signal) > 1 else np.zeros_like(signal)
