"""Feedback: which joint should move where, and when, for a higher score.

Pirsiavash, Vondrick, Torralba, "Assessing the Quality of Actions", ECCV 2014: the gradient of the score of Pose+DCT,
seen from the head, joint by joint and frame by frame. It says what the regression has learnt to like in small changes
of this clip, which need not be what a judge would ask for.

Shapes: T frames, K joints, C coordinates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from aqa_pipeline.errors import InputError
from aqa_pipeline.systems import pose_dct


def slopes(weights: Mapping[str, np.ndarray], positions: np.ndarray, *, joints: int, scale: float = 1.0) -> np.ndarray:
    """Growth (T, K, C) of the predicted target with each coordinate of each joint in each frame.

    weights : of a fitted `pose_dct`
    positions : (T, K C) that it read of the clip, as `features/positions.py` makes them with this `scale`
    """
    known = weights["slopes"].shape[2]
    if positions.shape[1] != known or known % joints:
        raise InputError(
            f"feedback: found positions of {positions.shape[1]} columns and {joints} joints, expected {known} columns,"
            " as the run was fitted on, as many of each joint"
        )
    found = pose_dct.gradient(weights, positions.astype(np.float64))
    return scale * found.reshape(len(found), joints, -1)


def arrows(growth: np.ndarray, *, longest: float, strongest: int = 3) -> np.ndarray:
    """Arrows (T, K, 2) to draw of slopes (T, K, 2): those of the `strongest` joints of each frame, the others NaN.

    The longest of the clip is so many pixels long, the others in proportion.
    """
    size = np.linalg.norm(growth, axis=2)  # (T, K)
    kept = np.argsort(-size, axis=1, kind="stable")[:, :strongest]
    shown = np.full_like(growth, np.nan)
    np.put_along_axis(shown, kept[..., None], np.take_along_axis(growth, kept[..., None], axis=1), axis=1)
    return shown * longest / max(size.max(), 1e-12)


def sentences(growth: np.ndarray, names: Sequence[str], *, count: int = 3) -> list[str]:
    """The joints that matter most, each in its best frame: "left knee, frame 41: left and up (+0.3 a pixel)".

    In brackets what that adds to the predicted target. Growth (T, K, 2), whose second coordinate goes down; names (K,).
    """
    size = np.linalg.norm(growth, axis=2)
    found = []
    for joint in np.argsort(-size.max(axis=0), kind="stable")[:count]:
        frame = int(size[:, joint].argmax())
        way = _way(*growth[frame, joint])
        found.append(f"{names[joint].replace('_', ' ')}, frame {frame}: {way} (+{size[frame, joint]:.2g} a pixel)")
    return found


def _way(x: float, y: float) -> str:
    """A direction in words; one word where the other coordinate is less than half."""
    across, along = "right" if x > 0 else "left", "down" if y > 0 else "up"
    if abs(y) < abs(x) / 2:
        return across
    return along if abs(x) < abs(y) / 2 else f"{across} and {along}"
