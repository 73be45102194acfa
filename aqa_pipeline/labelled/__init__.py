"""Labelled pictures, one file a form: annotations and a folder of pictures in, pictures with known people out.

Each file offers `read(annotations, images, *, ...) -> Labels`; its options are the keyword-only arguments.
A mistake is an InputError that names the file and the record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aqa_pipeline import keypoint_sets, plugins
from aqa_pipeline.errors import InputError, nearest

BODY_OF_BOX = 0.53  # COCO's areas are those of the body's mask, about half its box


@dataclass(frozen=True)
class Person:
    """One labelled person of a picture."""

    box: np.ndarray | None  # (5,) x1 y1 x2 y2 confidence (1), pixels
    keypoints: np.ndarray  # (K, 3) x, y, visibility: 0 not labelled, 1 hidden, 2 seen
    area: float | None  # of the body in square pixels, where the labels say it
    crowd: bool = False  # a region of many people, in which nothing is asked for

    @property
    def labelled(self) -> np.ndarray:
        """Which keypoints have a label (K,)."""
        return self.keypoints[:, 2] > 0

    @property
    def asked(self) -> bool:
        """Whether the keypoints of this person are asked for."""
        return not self.crowd and bool(self.labelled.any())

    @property
    def place(self) -> np.ndarray:
        """The box (4,), else the extent of the labelled keypoints, else NaN."""
        around = extent(self.keypoints) if self.box is None else self.box[:4]
        return np.full(4, np.nan) if around is None else around

    @property
    def body_area(self) -> float:
        """The labelled area, else a body's share of the box around the keypoints."""
        around = extent(self.keypoints)
        if self.area is not None or around is None:
            return self.area or 0.0
        return BODY_OF_BOX * float(np.prod(around[2:] - around[:2]))


@dataclass(frozen=True)
class Picture:
    """One picture and all people labelled in it."""

    path: Path
    image_id: str
    group: str  # pictures that belong together (a clip): they are never parted
    people: tuple[Person, ...]


@dataclass(frozen=True)
class Labels:
    """All pictures of a labelled set."""

    keypoint_set: str
    pictures: tuple[Picture, ...]

    @property
    def groups(self) -> list[str]:
        """Names of the groups, each once, in order."""
        return list(dict.fromkeys(picture.group for picture in self.pictures))

    def of_groups(self, names: Sequence[str]) -> Labels:
        """Only the pictures of these groups."""
        return Labels(self.keypoint_set, tuple(p for p in self.pictures if p.group in set(names)))


def load(block: Mapping[str, Any]) -> Labels:
    """What a block of the configuration names: form, annotations, images, options of its reading, and groups or none.

    Of all groups where none is named; one that is not there is an InputError.
    """
    read = plugins.load("labelled", block["form"]).read
    labels = read(Path(block["annotations"]), Path(block["images"]), **block["options"])
    for group in block["groups"]:
        if group not in labels.groups:
            raise InputError(f"{block['annotations']}: no group '{group}', {nearest(group, labels.groups)}")
    return labels.of_groups(block["groups"]) if block["groups"] else labels


def parted(
    sets: Sequence[Labels], *, groups: Sequence[str] = (), share: float = 0.2, seed: int = 0
) -> tuple[list[Labels], list[Labels]]:
    """Each set without and with only the pictures to keep out: the named `groups`, else a share of each set's groups.

    Of a set with a single group nothing is drawn. A group that no set has is an InputError.
    """
    known = [group for labels in sets for group in labels.groups]
    for group in groups:
        if group not in known:
            raise InputError(f"validation: no group '{group}' in the labelled sets, {nearest(group, known)}")
    rng = np.random.default_rng(seed)
    chosen = [set(groups) or _drawn(labels.groups, share, rng) for labels in sets]
    both = list(zip(sets, chosen, strict=True))
    inside = [labels.of_groups([g for g in labels.groups if g not in own]) for labels, own in both]
    return inside, [labels.of_groups([g for g in labels.groups if g in own]) for labels, own in both]


def _drawn(groups: list[str], share: float, rng: np.random.Generator) -> set[str]:
    if not share or len(groups) < 2:
        return set()
    return set(rng.permutation(groups)[: max(1, round(share * len(groups)))].tolist())


def in_set(keypoints: np.ndarray, own: str, wanted: str) -> np.ndarray:
    """Labelled keypoints `(K, 3)` of the set `own` as those of `wanted`; what it does not have is not labelled."""
    of, to = keypoint_sets.shared(own, wanted)
    moved = np.zeros((len(keypoint_sets.get(wanted)), 3))
    moved[to] = keypoints[of]
    return moved


def extent(keypoints: np.ndarray) -> np.ndarray | None:
    """Box `(4,)` around the labelled ones of `keypoints (K, 3)`; None where they span no area."""
    points = keypoints[keypoints[:, 2] > 0, :2]
    if len(points) < 2 or (points.max(axis=0) <= points.min(axis=0)).any():
        return None
    return np.concatenate([points.min(axis=0), points.max(axis=0)])
