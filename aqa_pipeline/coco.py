"""COCO json of people: annotations with `images`, or a list of results as detectors and pose estimators write it.

Both become records by frame. Where `images` are listed, their ids in order are frames 0, 1, 2 ...; a list of results
does not say which frames have nobody, so its `image_id` is taken for the frame number itself, from 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aqa_pipeline.errors import InputError
from aqa_pipeline.untrusted import shown

LONGEST = 100_000  # frames: more than an hour at 25 a second; an image id beyond it is no frame number

Record = Mapping[str, Any]


def is_coco(value: Any) -> bool:
    """Whether a value out of a JSON file has one of the two forms."""
    if isinstance(value, Mapping):
        return {"images", "annotations"} <= set(value)
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping) and "image_id" in value[0]


def by_frame(path: Path, value: Any) -> tuple[list[list[Record]], bool]:
    """The people of every frame, T lists of records, and whether `images` said that these are all frames.

    Other objects are left out: a person is what `categories` call so, or else what has category 1 or none.

    Raises
    ------
    InputError
        The form is broken, an image id is not listed, or ids without `images` are no frame numbers.
    """
    listed = isinstance(value, Mapping)
    records = _records(path, value["annotations"] if listed else value)
    people = _person_ids(path, value.get("categories")) if listed else {1}
    place = _listed(path, value["images"]) if listed else _numbered(path, records)
    frames: list[list[Record]] = [[] for _ in range(1 + max(place.values(), default=-1))]
    for record in records:
        if record["image_id"] not in place:
            raise InputError(f"{path}: image_id {shown(record['image_id'])} is not among the images")
        if record.get("category_id") in (*people, None):
            frames[place[record["image_id"]]].append(record)
    return frames, listed


def _records(path: Path, value: Any) -> list[Record]:
    if not isinstance(value, list):
        raise InputError(f"{path}: annotations {shown(value)}, expected a list of them")
    for record in value:
        if not isinstance(record, Mapping) or not _is_whole(record.get("image_id")):
            raise InputError(f"{path}: found {shown(record)}, expected a record with a whole number as image_id")
        if not isinstance(record.get("category_id"), int | None):
            raise InputError(f"{path}: category_id {shown(record['category_id'])}, expected a whole number")
    return value


def _person_ids(path: Path, categories: Any) -> set[int]:
    if not categories:
        return {1}
    if not isinstance(categories, list) or not all(
        isinstance(c, Mapping) and _is_whole(c.get("id")) for c in categories
    ):
        raise InputError(f"{path}: categories {shown(categories)}, expected a list with id and name")
    named = {category["id"] for category in categories if category.get("name") == "person"}
    if not named and len(categories) > 1:
        raise InputError(f"{path}: {len(categories)} categories, expected one that is called 'person'")
    return named or {categories[0]["id"]}


def _listed(path: Path, images: Any) -> dict[int, int]:
    """Frame of each image id."""
    if not isinstance(images, list) or not all(isinstance(i, Mapping) and _is_whole(i.get("id")) for i in images):
        raise InputError(f"{path}: images {shown(images)}, expected a list with an id for each")
    ids = sorted({image["id"] for image in images})
    if len(ids) != len(images):
        raise InputError(f"{path}: {len(images)} images with {len(ids)} ids, expected an id of its own for each")
    return {image_id: frame for frame, image_id in enumerate(ids)}


def _numbered(path: Path, records: list[Record]) -> dict[int, int]:
    ids = {record["image_id"] for record in records}
    for image_id in ids:
        if not 0 <= image_id < LONGEST:
            raise InputError(
                f"{path}: image_id {image_id}, expected frame numbers from 0, or a file that lists its images"
            )
    return {image_id: image_id for image_id in ids}


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
