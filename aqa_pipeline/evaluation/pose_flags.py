"""Frames whose keypoints look wrong, without any truth: what the clip itself says against them.

no_box             no athlete was found
few_points         most points are missing or unsure
low_confidence     the mean confidence of the points found is low
implausible_bones  a bone is longer than nearly ever in the clip: a camera can shorten it, never stretch it
jump               a point accelerates as no body can
swap               left and right are on the wrong side, by the frames around

Each flag is a number from 0 to 1 a frame, 0 where it is not raised; their sum is the severity. What the flags are worth
on dives whose truth is known is measured in `benchmarks/smoothing.md`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from aqa_pipeline.keypoint_sets import KeypointSet
from aqa_pipeline.trajectories import body_size, shots, swaps

_FULL = 0.9  # quantile of a bone's lengths in a clip at which it counts as seen from the side

FLAGS = ("no_box", "few_points", "low_confidence", "implausible_bones", "jump", "swap")


def flags_of_clip(
    keypoints: np.ndarray,
    points: KeypointSet,
    *,
    fps: float,
    cuts: Sequence[int] = (),
    sure: float = 0.3,
    least_points: float = 0.5,
    least_confidence: float = 0.5,
    longest_bone: float = 1.6,
    acceleration: float = 500.0,
) -> dict[str, np.ndarray]:
    """The value `(T,)` of every flag in the frames of one clip.

    Parameters
    ----------
    keypoints : (T, K, C + 1), the last channel the confidence; NaN where there is none
    points : what the K points are
    fps, cuts : frames a second, and frames that begin a new shot
    sure : confidence from which a point is believed; bones, jumps and swaps are of such points alone
    least_points : share of the points below which too few are sure
    least_confidence : mean confidence of the found points below which it is low
    longest_bone : times the length that the bone, or its partner on the other side, exceeds in a tenth of the clip
    acceleration : in body sizes a second squared; a somersault of 2.5 turns a second needs about 120 at a foot

    `no_box` is 0 before the first and after the last frame with an athlete: there is nobody to be missed.
    """
    found = np.isfinite(keypoints).all(axis=2)
    trusted = found & (np.nan_to_num(keypoints[..., -1]) >= sure)
    present = found.any(axis=1)
    places = np.where(trusted[..., None], keypoints[..., :-1], np.nan).astype(np.float64)
    share = trusted.mean(axis=1)
    confidence = _mean(np.where(found, keypoints[..., -1], 0.0), found)
    moved = _moved(places, fps, acceleration, cuts)
    swapped = swaps.swapped(places, points, of="limbs", cuts=cuts) & trusted
    return {
        "no_box": _between(present) & ~present,
        "few_points": np.where(present & (share < least_points), 1 - share, 0.0),
        "low_confidence": np.where(present & (confidence < least_confidence), 1 - confidence, 0.0),
        "implausible_bones": _long_bones(places, points, longest_bone),
        "jump": moved.any(axis=1) * (0.5 + 0.5 * _mean(moved, trusted)),
        "swap": swapped.any(axis=1) * (0.5 + 0.5 * _mean(swapped, trusted)),
    }


def severity(flags: Mapping[str, np.ndarray]) -> np.ndarray:
    """Sum of the flags of every frame, `(T,)`: 0 for a frame with nothing against it."""
    return np.sum([np.asarray(value, np.float64) for value in flags.values()], axis=0)


def names(flags: Mapping[str, np.ndarray], frame: int) -> list[str]:
    """The flags raised in a frame."""
    return [name for name, value in flags.items() if value[frame] > 0]


def worst(severities: np.ndarray, *, n: int, apart: int = 5) -> list[int]:
    """The `n` most severe frames of a clip's severities `(T,)`, worst first, each at least `apart` from the others."""
    chosen: list[int] = []
    for frame in sorted(np.flatnonzero(severities).tolist(), key=lambda frame: -severities[frame]):
        if len(chosen) < n and all(abs(frame - at) >= apart for at in chosen):
            chosen.append(frame)
    return chosen


def _moved(places: np.ndarray, fps: float, acceleration: float, cuts: Sequence[int]) -> np.ndarray:
    """Points (T, K) that lie off the middle of their neighbours by more than a body can, and by a tenth of it."""
    limit = body_size(places) * max(acceleration / fps**2 / 2, 0.1)
    moved = np.zeros(places.shape[:2], bool)
    for shot in shots(len(places), cuts):
        path = places[shot]
        if len(path) > 2:
            off = np.linalg.norm(path[1:-1] - (path[:-2] + path[2:]) / 2, axis=2)
            moved[shot][1:-1] = np.nan_to_num(off) > limit
    return moved


def _long_bones(places: np.ndarray, points: KeypointSet, most: float) -> np.ndarray:
    """Share of the bones (T,) that are too long, at least one half where there is one."""
    edges = np.array(points.edges)
    lengths = np.linalg.norm(places[:, edges[:, 0]] - places[:, edges[:, 1]], axis=2)  # (T, E)
    full = _quantile(lengths, _FULL)
    full = np.fmax(full, full[_partners(points)])
    long = np.nan_to_num(lengths) > most * np.nan_to_num(full, nan=np.inf)
    return long.any(axis=1) * (0.5 + 0.5 * _mean(long, np.isfinite(lengths)))


@cache
def _partners(points: KeypointSet) -> list[int]:
    """For each edge the number of the same edge on the other side of the body; itself where there is none."""
    edges = [frozenset(edge) for edge in points.edges]
    mirrored = [frozenset(points.flipped[k] for k in edge) for edge in points.edges]
    return [edges.index(other) if other in edges else e for e, other in enumerate(mirrored)]


def _between(present: np.ndarray) -> np.ndarray:
    """Frames from the first to the last with an athlete."""
    return np.maximum.accumulate(present) & np.maximum.accumulate(present[::-1])[::-1]


def _mean(values: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Mean along the last axis of what is asked; 0 where nothing is."""
    return np.where(asked, values, 0).sum(axis=1) / np.maximum(asked.sum(axis=1), 1)


def _quantile(values: np.ndarray, share: float) -> np.ndarray:
    """Quantile of each column without its NaN; NaN where nothing is left."""
    ordered = np.sort(values, axis=0)  # NaN come last; np.nanquantile goes through the columns one by one
    place = share * np.maximum((~np.isnan(values)).sum(axis=0) - 1, 0)
    low = place.astype(int)
    below, above = (np.take_along_axis(ordered, rows[None], axis=0)[0] for rows in (low, np.ceil(place).astype(int)))
    return below + (above - below) * (place - low)
