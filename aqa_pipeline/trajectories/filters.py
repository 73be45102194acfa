"""Gaps closed and paths smoothed, in unbroken runs of found points only.

Every filter leaves a point that moves at a constant speed where it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from aqa_pipeline.errors import InputError
from aqa_pipeline.trajectories import runs, shots


def fill(positions: np.ndarray, *, longest: int, how: str = "linear", cuts: Sequence[int] = ()) -> np.ndarray:
    """Positions with gaps of at most `longest` frames closed, `how`: linear or pchip.

    A gap has a found point on either side in its shot: before the first and after the last nothing is made up.
    """
    from scipy.interpolate import PchipInterpolator

    filled = positions.copy()
    for shot in shots(len(positions), cuts):
        for k in range(positions.shape[1]):
            found = np.isfinite(positions[shot, k]).all(axis=1)
            if not (gaps := _gaps(found, longest)):
                continue
            seen, missing = np.flatnonzero(found), np.concatenate([np.arange(a, b) for a, b in gaps])
            path = positions[shot, k][seen]
            if how == "pchip":
                filled[shot.start + missing, k] = PchipInterpolator(seen, path)(missing)
            else:
                filled[shot.start + missing, k] = np.stack([np.interp(missing, seen, c) for c in path.T], axis=1)
    return filled


def savgol(positions: np.ndarray, *, window: int, order: int = 2, cuts: Sequence[int] = ()) -> np.ndarray:
    """Savitzky-Golay: the middle of a polynomial of `order` fitted to `window` frames; shorter runs get less of it."""
    from scipy.signal import savgol_filter

    def smooth(path: np.ndarray) -> np.ndarray:
        width = min(window, len(path) - 1 + len(path) % 2)  # the longest odd window that fits
        return savgol_filter(path, width, order, axis=0) if width > order else path

    return _in_runs(positions, smooth, cuts)


def median(positions: np.ndarray, *, window: int, cuts: Sequence[int] = ()) -> np.ndarray:
    """Running median of `window` frames, each coordinate on its own; the window shrinks towards the ends of a run."""

    def smooth(path: np.ndarray) -> np.ndarray:
        reach = np.minimum(window // 2, np.minimum(np.arange(len(path)), np.arange(len(path))[::-1]))
        return np.stack([np.median(path[t - r : t + r + 1], axis=0) for t, r in enumerate(reach)])

    return _in_runs(positions, smooth, cuts)


def butterworth(
    positions: np.ndarray, *, cutoff: float, fps: float, order: int = 2, cuts: Sequence[int] = ()
) -> np.ndarray:
    """Low-pass of `order` run forwards and backwards, which shifts nothing; -3 dB at `cutoff` Hz in all.

    Each pass alone lies higher, so that the two together have the cut-off asked for: Robertson & Dowling 2003,
    "Design and responses of Butterworth and critically damped digital filters", J. Electromyogr. Kinesiol. 13.

    Raises
    ------
    InputError
        The cut-off does not lie below half the frame rate.
    """
    from scipy.signal import butter, sosfiltfilt

    if not 0 < cutoff < fps / 2:
        raise InputError(f"cutoff: found {cutoff:g} Hz, expected less than half of the {fps:g} frames a second")
    per_pass = math.tan(math.pi * cutoff / fps) / (math.sqrt(2) - 1) ** (1 / (2 * order))
    sections = butter(order, math.atan(per_pass) * fps / math.pi, fs=fps, output="sos")

    def smooth(path: np.ndarray) -> np.ndarray:
        if len(path) < 4:
            return path
        line = np.linspace(path[0], path[-1], len(path))  # taken off, for the filter starts from rest
        return line + sosfiltfilt(sections, path - line, axis=0, padlen=min(3 * (order + 1), len(path) - 1))

    return _in_runs(positions, smooth, cuts)


def _gaps(found: np.ndarray, longest: int) -> list[tuple[int, int]]:
    """Runs of False with True on either side, none longer than `longest`."""
    return [(a, b) for a, b in runs(~found) if a > 0 and b < len(found) and b - a <= longest]


def _in_runs(positions: np.ndarray, smooth: Callable[[np.ndarray], np.ndarray], cuts: Sequence[int] = ()) -> np.ndarray:
    """`smooth` of every unbroken run (n, C) of each point; the rest stays as it is."""
    result = positions.copy()
    for shot in shots(len(positions), cuts):
        for k in range(positions.shape[1]):
            for a, b in runs(np.isfinite(positions[shot, k]).all(axis=1)):
                part = slice(shot.start + a, shot.start + b)
                result[part, k] = smooth(positions[part, k])
    return result
