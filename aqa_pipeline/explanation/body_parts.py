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
from aqa_pipeline.features import _signals as signals
from aqa_pipeline.features._skeletons import skeleton
from aqa_pipeline.features.body_motion import body_scale, face_one_way
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
    """One athlete's keypoints (T, K, 3), without gaps, facing one way, parted into where the trunk is and the rest."""

    def __init__(self, keypoints: np.ndarray, points: KeypointSet, *, min_confidence: float = 0.05) -> None:
        human = skeleton(points.name, points="body")
        positions = signals.fill_gaps(signals.split(keypoints, min_confidence=min_confidence))
        self.positions = face_one_way(positions, human)  # (T, K, 2)
        self.size = body_scale(human.derive(self.positions), human)
        self.points, self.groups = points, group_of(points)

    def __len__(self) -> int:
        return len(self.positions)

    def _middle(self, positions: np.ndarray, joint: str) -> np.ndarray:
        pair = [self.points.index(f"{side}_{joint}") for side in ("left", "right")]
        return positions[:, pair].mean(axis=1)

    def parts(self, positions: np.ndarray) -> tuple[np.ndarray, ...]:
        """Hips (T, 2), the trunk's rotation (T, 2, 2) and where each point is (T, K, 2) from what it hangs on.

        Points of legs are taken from the hips and those of arms and head from the shoulders, in the frame of the trunk,
        those of the trunk from the hips in the frame of the picture; all but the hips in sizes of the body.
        """
        hips, shoulders = self._middle(positions, "hip"), self._middle(positions, "shoulder")
        along = _unit(shoulders - hips)
        turn = np.stack([along, np.stack([-along[:, 1], along[:, 0]], axis=1)], axis=2)  # trunk to picture
        from_trunk = positions - np.where(self._on_hips, hips[:, None], shoulders[:, None])
        local = np.where(self._is_trunk, from_trunk, np.einsum("tji,tkj->tki", turn, from_trunk))
        return hips, turn, local / self.size

    @property
    def _is_trunk(self) -> np.ndarray:
        return (self.groups == GROUPS.index("trunk"))[None, :, None]

    @property
    def _on_hips(self) -> np.ndarray:
        return self._is_trunk | (self.groups == GROUPS.index("legs"))[None, :, None]

    def assembled(self, hips: np.ndarray, local: np.ndarray) -> np.ndarray:
        """Positions (T, K, 2) of parts (T, K, 2) of whomever, in this body's size, with the hips (T, 2) in place."""
        trunk = hips[:, None] + self.size * local
        middle = self._middle(trunk, "hip"), self._middle(trunk, "shoulder")
        along = _unit(middle[1] - middle[0])
        turn = np.stack([along, np.stack([-along[:, 1], along[:, 0]], axis=1)], axis=2)
        root = np.where(self._on_hips, middle[0][:, None], middle[1][:, None])
        rest = root + self.size * np.einsum("tij,tkj->tki", turn, local)
        return np.where(self._is_trunk, trunk, rest)


def exchanged(
    own: Body, own_bounds: np.ndarray, other: Body, other_bounds: np.ndarray, members: np.ndarray
) -> np.ndarray:
    """Keypoints (T, K, 3) of `own` whose groups that are no `members` (G,) are those of the other at the same moment.

    `own_bounds`, `other_bounds`: first frames of the steps, and the number of frames, as `steps.bounds` gives them.
    """
    hips, _, local = own.parts(own.positions)
    positions = _in_time(other.positions, other_bounds, own_bounds)
    of_other = other.parts(positions)[2]
    is_own = members[own.groups][None, :, None]
    found = own.assembled(hips, np.where(is_own, local, of_other))
    return np.concatenate([found, np.ones((*found.shape[:2], 1))], axis=2)


def _in_time(positions: np.ndarray, bounds: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Positions at the moments of other steps: (T, K, 2) -> (wanted[-1], K, 2), linear between two frames."""
    # Repeated bounds (a step of no frames) would make the map ambiguous; the later one counts.
    times = np.interp(np.arange(wanted[-1]), wanted, bounds).clip(0, len(positions) - 1)
    left = np.minimum(times.astype(int), max(len(positions) - 2, 0))
    share = (times - left)[:, None, None]
    return (1 - share) * positions[left] + share * positions[np.minimum(left + 1, len(positions) - 1)]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
