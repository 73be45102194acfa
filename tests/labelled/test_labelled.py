"""Both forms of labelled pictures: what is read, worked by hand, and what is refused."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aqa_pipeline import frames, keypoint_sets, plugins
from aqa_pipeline.errors import InputError
from aqa_pipeline.labelled import Labels, Picture, extent, in_set, parted

COCO = keypoint_sets.get("coco_17")
MPII = keypoint_sets.get("mpii_16")


def person(first=(10, 20, 2), last=(30, 60, 1), **others):
    points = [*first, *[0] * 45, *last]
    record = dict(image_id=7, category_id=1, keypoints=points, bbox=[8, 18, 24, 44], area=500.5, iscrowd=0)
    return {**record, **others}


def coco(people=None, **others):
    return {
        "images": [{"id": 7, "file_name": "a.jpg", "clip": "x"}, {"id": 9, "file_name": "b/c.png", "clip": "y"}],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO.names)}, {"id": 2, "name": "dog"}],
        "annotations": [person()] if people is None else people,
        **others,
    }


def mpii(image="a.jpg", **others):
    joints = [[float(10 + i), float(40 - 2 * i)] for i in range(16)]
    record = dict(image=image, joints=joints, joints_vis=[1] * 15 + [0], center=[20, 25.5], scale=0.2)
    return {**record, **others}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two pictures, one in a folder of its own."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "b").mkdir()
    for name in ("a.jpg", "b/c.png"):
        (folder / name).write_bytes(frames.encode_jpeg(np.zeros((6, 8, 3), np.uint8)).tobytes())
    return folder


def read(folder, form, document, **options) -> Labels:
    path = folder / f"{form}.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return plugins.load("labelled", form).read(path, folder, **options)


def test_coco_by_hand(folder):
    people = [person(), person(category_id=2), person(iscrowd=1, keypoints=None), person(bbox=[1, 1, 0, 5])]
    found = read(folder, "coco", coco(people))
    assert (found.keypoint_set, [p.image_id for p in found.pictures], found.groups) == (
        "coco_17",
        ["7", "9"],
        ["7", "9"],
    )
    first, crowd, no_box = found.pictures[0].people
    assert first.box.tolist() == [8, 18, 32, 62, 1]
    assert first.keypoints[[0, 16]].tolist() == [[10, 20, 2], [30, 60, 1]]
    assert (first.labelled.sum(), first.area, first.crowd) == (2, 500.5, False)
    assert (crowd.crowd, crowd.labelled.any(), no_box.box) == (True, False, None)
    assert found.pictures[1].people == ()
    assert found.pictures[1].path == folder / "b" / "c.png"
    assert read(folder, "coco", coco(), group="clip").of_groups(["y"]).groups == ["y"]


def test_whole_body_is_put_together_of_five_lists(folder):
    counts = {"foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21, "righthand_kpts": 21}
    parts = {key: [i + 1, 0, 1] * count for i, (key, count) in enumerate(counts.items())}
    found = read(folder, "coco", coco([person(**parts)]), keypoint_set="coco_wholebody_133")
    x = found.pictures[0].people[0].keypoints[:, 0]
    assert x[[0, 16, 17, 22, 23, 90, 91, 111, 112, 132]].tolist() == [10, 30, 1, 1, 2, 2, 3, 3, 4, 4]


def test_mpii_by_hand(folder):
    found = read(folder, "mpii", [mpii(clip="A"), mpii("b/c.png"), mpii(clip="A")], outline=1.5)
    assert (found.keypoint_set, found.groups) == ("mpii_16", ["A", "b/c.png"])
    assert [len(picture.people) for picture in found.pictures] == [2, 1]
    one = found.pictures[0].people[0]
    assert extent(one.keypoints).tolist() == [10, 12, 24, 40]  # the last joint is not labelled
    assert one.box.tolist() == [6.5, 5, 27.5, 47, 1]
    assert one.keypoints[[0, 15]].tolist() == [[10, 40, 2], [25, 10, 0]]
    square = read(folder, "mpii", [mpii()], boxes="scale", first_pixel=1).pictures[0].people[0]
    assert square.box.tolist() == pytest.approx([-1, 4.5, 39, 44.5, 1])


def test_points_of_the_same_name_in_two_sets():
    points = np.arange(48.0).reshape(16, 3)
    moved = in_set(points, "mpii_16", "coco_17")
    assert moved[COCO.index("left_wrist")].tolist() == [45, 46, 47]
    assert moved[COCO.index("nose")].tolist() == [0, 0, 0]


def test_clips_are_never_parted():
    sets = [
        Labels("mpii_16", tuple(Picture(Path(f"{i}"), f"{i}", groups[i % len(groups)], ()) for i in range(20)))
        for groups in ("abcde", "f", "gh")
    ]
    inside, out = parted(sets, share=0.4, seed=3)
    assert [len(labels.groups) for labels in out] == [2, 0, 1]
    for whole, one, other in zip(sets, inside, out, strict=True):
        assert not set(one.groups) & set(other.groups)
        assert sorted(one.pictures + other.pictures, key=str) == sorted(whole.pictures, key=str)
    assert parted(sets, share=0.4, seed=3)[1] == out
    inside, out = parted(sets, groups=["b", "f"])
    assert [labels.groups for labels in inside] == [list("acde"), [], list("gh")]
    with pytest.raises(InputError, match="validation: no group 'x'"):
        parted(sets, groups=["x"])


@pytest.mark.parametrize(
    ("form", "document", "message"),
    [
        ("coco", "{", r"coco.json: not JSON"),
        ("coco", [], "document: found .*, expected an object"),
        ("coco", coco(images=None), "has no 'images'"),
        ("coco", coco(images=[{"id": 7, "file_name": "a.jpg"}] * 2), "1 images share an id"),
        ("coco", coco(images=[{"id": 7, "file_name": "../a.jpg"}]), r"images\[0\]: 'file_name': .* inside"),
        ("coco", coco(images=[{"id": 7, "file_name": "z.jpg"}]), r"images\[0\]: 'file_name': no file .*z.jpg"),
        ("coco", coco([person(image_id=8)]), r"annotations\[0\]: 'image_id': found 8"),
        ("coco", coco([person(), person(keypoints=[1] * 50)]), r"annotations\[1\]: 'keypoints': .* 51 numbers"),
        ("coco", coco([person(bbox=[0, 0, -1, 5])]), r"annotations\[0\]: 'bbox': found width -1"),
        ("coco", coco([person(area=float("nan"))]), r"annotations\[0\]: 'area': .* expected a number"),
        ("coco", coco(categories=[{"id": 1, "name": "persons"}]), "no category 'person': did you mean 'persons'"),
        ("coco", coco(categories=[{"id": 1, "name": "person", "keypoints": ["head"]}]), "other names than those"),
        ("mpii", {}, "'records': found .*, expected a list"),
        ("mpii", [mpii(), mpii(joints=[[1, 2]] * 15)], r"records\[1\]: 'joints': .* expected 16 x 2 numbers"),
        ("mpii", [mpii(joints=[[1, 2]] * 15 + [[1, 1e300]])], r"records\[0\]: 'joints'"),
        ("mpii", [mpii(joints_vis=["1"] * 16)], r"records\[0\]: 'joints_vis'"),
        ("mpii", [mpii(clip="A"), mpii(clip="B")], r"records\[1\]: 'clip': found B, expected A"),
        ("mpii", [mpii(joints_vis=[10**400] * 16)], r"records\[0\]: 'joints_vis'"),
    ],
)  # fmt: skip
def test_mistakes_are_named(folder, form, document, message):
    with pytest.raises(InputError, match=message) as caught:
        read(folder, form, document)
    assert "\n" not in str(caught.value)


def test_a_scale_that_is_none(folder):
    with pytest.raises(InputError, match=r"records\[0\]: 'scale': found 0, expected more than 0"):
        read(folder, "mpii", [mpii(scale=0)], boxes="scale")
    with pytest.raises(InputError, match="boxes: found 'square', expected joints or scale"):
        read(folder, "mpii", [mpii()], boxes="square")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)


def places(value, path=()):
    """Every place in a document, as the keys that lead to it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, entry in inner for place in places(entry, (*path, key)))]


@pytest.mark.parametrize(("form", "document"), [("coco", coco()), ("mpii", [mpii(clip="A"), mpii("b/c.png")])])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), value=VALUES)
def test_whatever_stands_in_a_file_is_read_or_refused(folder, form, document, data, value):
    """One value anywhere in a good file replaced by any other: finite labels, or one line of refusal."""
    place = data.draw(st.sampled_from(places(document)))
    spoilt = copy.deepcopy([document])
    inner = spoilt
    for key in (0, *place[:-1]) if place else ():
        inner = inner[key]
    inner[place[-1] if place else 0] = value
    try:
        found = read(folder, form, spoilt[0])
    except InputError as error:
        refusal = str(error)
        assert refusal.startswith(str(folder))
        assert "\n" not in refusal
    else:
        for one in (one for picture in found.pictures for one in picture.people):
            assert np.isfinite(one.keypoints).all()
            assert one.box is None or (np.isfinite(one.box).all() and (one.box[2:4] > one.box[:2]).all())
