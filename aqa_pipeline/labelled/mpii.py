"""MPII's single people: a JSON list of records `image, joints (16 x 2), joints_vis, center, scale`, as mmpose has it.

Andriluka et al., "2D Human Pose Estimation", CVPR 2014. `scale` times 200 pixels is the side of a loose square around
`center`. A record may name its `clip`. Records of one picture are people of that picture.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from aqa_pipeline import keypoint_sets
from aqa_pipeline.errors import InputError
from aqa_pipeline.labelled import Labels, Person, Picture, extent
from aqa_pipeline.labelled._records import Record, read_json

_SIDE = 200.0  # pixels of a person of scale 1


def read(
    annotations: Path,
    images: Path,
    *,
    keypoint_set: str = "mpii_16",
    boxes: Literal["joints", "scale"] = "joints",
    outline: float = 1.15,
    first_pixel: int = 0,
    group: str = "clip",
) -> Labels:
    """Pictures in the order in which they first occur.

    `boxes`: a person's box is the extent of the labelled joints times `outline`, for head, hands and feet reach beyond
    their joints; or the square of `center` and `scale`. `first_pixel`: 1 for files that count pixels from 1, as MPII's
    own do. `group`: key of a record that names its clip; without it every picture is a group of its own.
    """
    if boxes not in ("joints", "scale"):
        raise InputError(f"boxes: found '{boxes}', expected joints or scale")
    points = keypoint_sets.get(keypoint_set)
    document = Record(annotations, "document", {"records": read_json(annotations)})
    pictures: dict[str, Picture] = {}
    for record in document.records("records"):
        name = record.text("image")
        before = pictures.get(name)
        path = before.path if before else record.picture("image", images)
        own_group = record.text(group) if group in record else name
        if before and before.group != own_group:
            record.refuse(f"'{group}': found {own_group}, expected {before.group} as in the picture's other records")
        person = _person(record, len(points), first_pixel, outline if boxes == "joints" else None)
        pictures[name] = Picture(path, name, own_group, (*(before.people if before else ()), person))
    return Labels(points.name, tuple(pictures.values()))


def _person(record: Record, count: int, first_pixel: int, outline: float | None) -> Person:
    joints, seen = record.numbers("joints", (count, 2)), record.numbers("joints_vis", (count,))
    keypoints = np.concatenate([joints - first_pixel, np.where(seen > 0, 2.0, 0.0)[:, None]], axis=1)
    if outline is None:
        centre, side = record.numbers("center", (2,)) - first_pixel, record.number("scale") * _SIDE
        if side <= 0:
            record.refuse(f"'scale': found {side / _SIDE:g}, expected more than 0")
        box = np.concatenate([centre - side / 2, centre + side / 2])
    else:
        box = _widened(extent(keypoints), outline)
    return Person(None if box is None else np.append(box, 1.0), keypoints, area=None)


def _widened(box: np.ndarray | None, factor: float) -> np.ndarray | None:
    """A box (4,) around the same middle with sides `factor` times as long."""
    if box is None:
        return None
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
    return np.concatenate([middle - factor * half, middle + factor * half])
