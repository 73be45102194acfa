"""Keypoints of a whole clip as paths in time: outliers, gaps, filters, left and right; numpy and scipy only.

Shapes: T frames, K points, C coordinates (2 or 3). Positions `(T, K, C)` are NaN where a point was not found. Nothing
here looks across a cut: `runs` and `shots` say where a path begins and ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np


def shots(n_frames: int, cuts: Sequence[int] = ()) -> list[slice]:
    """Parts of a clip between cuts; a cut is the number of the frame that begins a new shot."""
    inner = sorted({int(cut) for cut in cuts if 0 < cut < n_frames})
    return [slice(a, b) for a, b in zip([0, *inner], [*inner, n_frames], strict=True)]


def runs(found: np.ndarray) -> Iterator[tuple[int, int]]:
    """First frame and the frame after the last of every unbroken run of True in `found` (T,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], np.asarray(found, bool), [False]]).astype(np.int8)))
    return zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def body_size(positions: np.ndarray) -> float:
    """Median over the frames of the longest side of the box around all points; 1 where no frame shows two points.

    The unit of lengths and speeds here: a film in another resolution has the same numbers.
    """
    seen = np.isfinite(positions).all(axis=2)
    frames = positions[seen.sum(axis=1) >= 2]
    if not len(frames):
        return 1.0
    size = float(np.median(np.max(np.nanmax(frames, axis=1) - np.nanmin(frames, axis=1), axis=1)))
    return size if size > 0 else 1.0
