"""COCO's person keypoints: one JSON of `images`, `categories` and `annotations`, and a folder of pictures.

Lin et al., "Microsoft COCO", ECCV 2014; with `foot_kpts`, `face_kpts`, `lefthand_kpts` and `righthand_kpts` beside the
`keypoints` it is COCO-WholeBody (Jin et al., ECCV 2020).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from aqa_pipeline import keypoint_sets
from aqa_pipeline.errors import nearest
from aqa_pipeline.keypoint_sets import KeypointSet
from aqa_pipeline.labelled import Labels, Person, Picture
from aqa_pipeline.labelled._records import Record, read_json

_WHOLE_BODY = {"keypoints": 17, "foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21, "righthand_kpts": 21}


def read(
    annotations: Path,
    images: Path,
    *,
    keypoint_set: str = "coco_17",
    category: str = "person",
    group: str | None = None,
) -> Labels:
    """Pictures in the order of `images`, also those without people.

    `keypoint_set`: what the columns mean. `group`: key of an image's record that names its clip; without it every
    picture is a group of its own. Annotations of other categories are passed over.

    Parameters
    ----------
    category : name of the category whose annotations are read
    """
    points = keypoint_sets.get(keypoint_set)
    document = Record(annotations, "document", read_json(annotations))
    wanted = _category(document, category, points)
    listed = document.records("images")
    records = {record.text("id"): record for record in listed}
    if len(records) < len(listed):
        document.refuse(f"{len(listed) - len(records)} images share an id with another")
    people: dict[str, list[Person]] = {image_id: [] for image_id in records}
    for record in document.records("annotations"):
        image_id = record.text("image_id")
        if image_id not in people:
            record.refuse(f"'image_id': found {image_id}, expected the id of an image")
        if wanted is None or record.text("category_id") == wanted:
            people[image_id].append(_person(record, points))
    pictures = (
        Picture(record.picture("file_name", images), image_id, record.text(group) if group else image_id, tuple(found))
        for (image_id, record), found in zip(records.items(), people.values(), strict=True)
    )
    return Labels(points.name, tuple(pictures))


def _category(document: Record, name: str, points: KeypointSet) -> str | None:
    """Id of the category, whose own names of keypoints must not gainsay the set's; None where there are none."""
    if "categories" not in document:
        return None
    found = {record.text("name"): record for record in document.records("categories")}
    if name not in found:
        document.refuse(f"no category '{name}': {nearest(name, found)}")
    if "keypoints" in found[name]:
        names = found[name].get("keypoints")
        if not isinstance(names, list) or names != list(points.names[: len(names)]):
            found[name].refuse(f"'keypoints' are other names than those of {points.name}")
    return found[name].text("id")


def _person(record: Record, points: KeypointSet) -> Person:
    box = None
    if "bbox" in record:
        x, y, width, height = record.numbers("bbox", (4,))
        if width < 0 or height < 0:
            record.refuse(f"'bbox': found width {width:g} and height {height:g}, expected none below 0")
        box = np.array([x, y, x + width, y + height, 1.0]) if width * height > 0 else None
    area = record.number("area") if "area" in record else None
    if area is not None and area < 0:
        record.refuse(f"'area': found {area:g}, expected none below 0")
    crowd = "iscrowd" in record and record.number("iscrowd") != 0
    return Person(box, _keypoints(record, points), area, crowd)


def _keypoints(record: Record, points: KeypointSet) -> np.ndarray:
    """Keypoints (K, 3) of a person, all unlabelled where the record has none."""
    if "keypoints" not in record:
        return np.zeros((len(points), 3))
    whole = len(points) == sum(_WHOLE_BODY.values()) and "foot_kpts" in record
    counts = _WHOLE_BODY if whole else {"keypoints": len(points)}
    return np.concatenate([record.numbers(key, (3 * count,)).reshape(count, 3) for key, count in counts.items()])
