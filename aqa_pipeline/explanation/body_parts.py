"""Groups of joints, and keypoints made of the parts of two athletes.

A part is moved from one body to another as it lies against the trunk: an arm is where it is seen from the shoulders,
along and across the trunk, a leg from the hips. So a straight arm stays in line with whatever trunk it is given to. The
other athlete's dive is first brought to the time of this one, step by step: when things happen is no part of the body,
and the steps tell of it.

Shapes: T frames, K keypoints, G groups.
"""

from __future__ import annotations

import numpy as np

from aqa_pipeline.errors import InputError
from aqa_pipeline.features import body_motion
from aqa_pipeline.keypoint_sets import KeypointSet

GROUPS = ("legs", "arms", "trunk", "head")
_WORDS = {
    "legs": ("knee", "ankle", "toe", "heel", "foot"),
    "arms": ("elbow", "wrist", "hand", "pinky", "index", "thumb"),
    "head": ("nose", "eye", "ear", "face", "mouth", "head"),
    "trunk": ("shoulder", "hip", "neck"),
}


def group_of(points: KeypointSet) -> np.ndarray:
    """Number (K,) in `GROUPS` of the group of each keypoint; InputError for a set without hips and shoulders."""
    names = [f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "shoulder")]
    if points.dimensions != 2 or not set(names) <= set(points.names):
        raise InputError(f"keypoints of {points.name}: expected a set of two dimensions with both hips and shoulders")
    found = []
    for name in points.names:
        own = [group for group, words in _WORDS.items() if any(word in name for word in words)]
        if not own:
            raise InputError(f"keypoints of {points.name}: '{name}' belongs to none of {', '.join(GROUPS)}")
        found.append(GROUPS.index(own[0]))
    return np.array(found)


class Body:
    """One athlete without gaps, facing one way, of keypoints (T, K, 3)."""

    def __init__(self, keypoints: np.ndarray, points: KeypointSet) -> None:
        human = body_motion.skeleton(points.name, points="body")
        self.positions = body_motion.positions_of(keypoints, human)  # (T, K, 2)
        self.size = body_motion.body_scale(human.derive(self.positions), human)
        groups = group_of(points)
        self.groups = groups  # (K,)
        self._is_trunk = (groups == GROUPS.index("trunk"))[:, None]
        self._on_hips = self._is_trunk | (groups == GROUPS.index("legs"))[:, None]
        self._pairs = [[points.index(f"{side}_{joint}") for side in ("left", "right")] for joint in ("hip", "shoulder")]

    def parts(self, positions: np.ndarray) -> np.ndarray:
        """Where each point is (T, K, 2) from what it hangs on, in sizes of this body.

        Points of legs are taken from the hips and those of arms and head from the shoulders, along and across the
        trunk; those of the trunk from the hips, as they lie in the picture.
        """
        hips, shoulders, turn = self._trunk(positions)
        away = positions - np.where(self._on_hips, hips[:, None], shoulders[:, None])
        return np.where(self._is_trunk, away, np.einsum("tji,tkj->tki", turn, away)) / self.size

    def assembled(self, parts: np.ndarray) -> np.ndarray:
        """Positions (T, K, 2) of parts (T, K, 2) of whomever, in this body's size and with its hips in their place."""
        own_hips = self._trunk(self.positions)[0]
        trunk = own_hips[:, None] + self.size * parts
        hips, shoulders, turn = self._trunk(trunk)
        root = np.where(self._on_hips, hips[:, None], shoulders[:, None])
        rest = root + self.size * np.einsum("tij,tkj->tki", turn, parts)
        return np.where(self._is_trunk, trunk, rest)

    def _trunk(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Middles of hips and shoulders (T, 2), and the rotation (T, 2, 2) from the trunk's axes to the picture's."""
        hips, shoulders = (positions[:, pair].mean(axis=1) for pair in self._pairs)
        along = shoulders - hips
        along = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
        return hips, shoulders, np.stack([along, np.stack([-along[:, 1], along[:, 0]], axis=1)], axis=2)


def exchanged(
    own: Body, own_bounds: np.ndarray, other: Body, other_bounds: np.ndarray, members: np.ndarray
) -> np.ndarray:
    """Keypoints (T, K, 3) of `own` whose groups that are no `members` (G,) are those of the other at the same moment.

    `own_bounds`, `other_bounds`: first frames of the steps, and the number of frames, as `steps.bounds` gives them.
    """
    of_other = other.parts(_in_time(other.positions, other_bounds, own_bounds))
    found = own.assembled(np.where(members[own.groups][:, None], own.parts(own.positions), of_other))
    return np.concatenate([found, np.ones((*found.shape[:2], 1))], axis=2)


def _in_time(positions: np.ndarray, bounds: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Positions at the moments of other steps: (T, K, 2) -> (wanted[-1], K, 2), linear between two frames."""
    times = np.interp(np.arange(wanted[-1]), wanted, bounds).clip(0, len(positions) - 1)
    left = np.minimum(times.astype(int), max(len(positions) - 2, 0))
    share = (times - left)[:, None, None]
    return (1 - share) * positions[left] + share * positions[np.minimum(left + 1, len(positions) - 1)]
