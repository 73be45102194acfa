"""What a body is made of, for features: lines between points, angles between lines, distances between extremities.

A skeleton names *derived points* (means of keypoints: the middle of the hips has no keypoint of its own) and says which
of them make a line, which lines meet in a joint, and which distances tell a tuck from a pike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from aqa_pipeline import keypoint_sets
from aqa_pipeline.errors import InputError
from aqa_pipeline.keypoint_sets import KeypointSet

_MIDDLES = {
    "hips": ("left_hip", "right_hip"),
    "shoulders": ("left_shoulder", "right_shoulder"),
    "knees": ("left_knee", "right_knee"),
    "ankles": ("left_ankle", "right_ankle"),
    "wrists": ("left_wrist", "right_wrist"),
    "head": ("nose", "left_ear", "right_ear"),
}
_TRUNK = ("hips", "shoulders")
_MIDDLE_LINES = [_TRUNK, ("shoulders", "head"), ("hips", "knees"), ("knees", "ankles")]
_SIDE_LINES = [("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle")]
_ACROSS = ("wrist", "elbow", "knee", "ankle", "shoulder", "hip")  # left to right
_ALONG = [("wrist", "ankle"), ("wrist", "knee")]  # on the same side
_MIDDLE_DISTANCES = [
    ("shoulders", "ankles"), ("shoulders", "knees"), ("hips", "ankles"),
    ("head", "knees"), ("wrists", "ankles"), ("wrists", "hips"),
]  # fmt: skip


@dataclass(frozen=True)
class Skeleton:
    """Derived points and what is measured between them; indices count derived points, in `pairs` keypoints."""

    points: Sequence[Sequence[int]]  # derived point -> the keypoints it is the mean of
    root: int
    lines: Sequence[tuple[int, int]]  # from, to
    angles: Sequence[tuple[int, int]]  # two lines; 0 where they point the same way
    distances: Sequence[tuple[int, int]]
    pairs: Sequence[tuple[int, int]]  # left and right, exchanged in the mirror
    trunk: int = 0  # the line whose length is the body's scale and whose turning is the somersault
    front: tuple[int, int] | None = None  # two lines: the second bends, seen from the first, to the front

    def derive(self, positions: np.ndarray) -> np.ndarray:
        """Keypoints `(T, K, C)` -> derived points `(T, P, C)`."""
        return np.stack([positions[:, list(of)].mean(axis=1) for of in self.points], axis=1)


def skeleton(name: str, *, points: str) -> Skeleton:
    """The skeleton of a keypoint set by name.

    `points` says how much of it is used: "body" is the 17 points of COCO, "summaries" adds feet, hands and face as a
    few means (most of the 133 whole-body points sit on the face). Any other set is used whole, by its edges ("body").
    """
    chosen = keypoint_sets.get(name)
    is_coco = chosen.name.startswith("coco")
    if points == "body":
        return _human(chosen, {}, []) if is_coco else _from_edges(chosen)
    if points == "summaries" and "left_hand_0" in chosen.names:
        return _human(chosen, _summaries(chosen), _SUMMARY_LINES)
    known = "'body' or 'summaries'" if "left_hand_0" in chosen.names else "'body'"
    raise InputError(f"body_motion.points: found '{points}' for the keypoint set {name}, expected {known}")


_SUMMARY_LINES = [
    (f"{side}_{a}", f"{side}_{b}")
    for side in ("left", "right")
    for a, b in [("ankle", "toes"), ("heel", "toes"), ("wrist", "hand")]
]


def _summaries(chosen: KeypointSet) -> dict[str, Sequence[int]]:
    """Derived points of the whole-body set: toes, heels, palms, middle of the face and of its jaw line."""
    at = chosen.index
    extra: dict[str, Sequence[int]] = {}
    for side in ("left", "right"):
        extra[f"{side}_toes"] = (at(f"{side}_big_toe"), at(f"{side}_small_toe"))
        extra[f"{side}_heel"] = (at(f"{side}_heel"),)
        extra[f"{side}_hand"] = range(at(f"{side}_hand_0"), at(f"{side}_hand_0") + 21)
    return extra | {"face": range(at("face_0"), at("face_0") + 68), "chin": range(at("face_6"), at("face_10") + 1)}


def _human(chosen: KeypointSet, extra: Mapping[str, Sequence[int]], extra_lines: Sequence[tuple[str, str]]) -> Skeleton:
    """The 17 COCO points with middles, usual lines and joints, and whatever a richer set adds to them."""
    points: dict[str, Sequence[int]] = {name: (number,) for number, name in enumerate(chosen.names[:17])}
    points |= {name: [chosen.index(of) for of in parts] for name, parts in _MIDDLES.items()} | extra
    lines, angles = [*_MIDDLE_LINES, *extra_lines], list(combinations(_MIDDLE_LINES, 2))[:1]
    angles += [(_TRUNK, ("hips", "knees")), (("hips", "knees"), ("knees", "ankles"))]
    distances = list(_MIDDLE_DISTANCES)
    for side in ("left", "right"):
        upper, fore, thigh, shank = ((f"{side}_{a}", f"{side}_{b}") for a, b in _SIDE_LINES)
        lines += [upper, fore, thigh, shank]
        angles += [(_TRUNK, upper), (upper, fore), (_TRUNK, thigh), (thigh, shank)]
        angles += [(shank, line) for line in extra_lines if line[0] == f"{side}_ankle"]
        distances += [(f"{side}_{a}", f"{side}_{b}") for a, b in _ALONG]
    distances += [(f"left_{joint}", f"right_{joint}") for joint in _ACROSS]
    at = {name: number for number, name in enumerate(points)}
    number = {line: i for i, line in enumerate(lines)}
    return Skeleton(
        points=list(points.values()),
        root=at["hips"],
        lines=[(at[a], at[b]) for a, b in lines],
        angles=[(number[a], number[b]) for a, b in angles],
        distances=[(at[a], at[b]) for a, b in distances],
        pairs=chosen.flip_pairs,
        front=(number[_TRUNK], number["hips", "knees"]),
    )


def _from_edges(chosen: KeypointSet) -> Skeleton:
    """Any keypoint set: its edges are the lines, an angle where two of them share a point, extremities apart."""
    edges, count = chosen.edges, len(chosen)
    if not edges:
        raise InputError(f"body_motion: the keypoint set {chosen.name} has no edges, expected at least one")
    ends = [p for p in range(count) if sum(p in edge for edge in edges) == 1]
    return Skeleton(
        points=[(p,) for p in range(count)],
        root=edges[0][0],
        lines=edges,
        angles=[(i, j) for i, j in combinations(range(len(edges)), 2) if set(edges[i]) & set(edges[j])],
        distances=list(combinations(ends, 2)),
        pairs=chosen.flip_pairs,
    )
