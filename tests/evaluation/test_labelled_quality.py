"""Labelled pictures against detectors and poses: by hand, and against pycocotools on random people."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from aqa_pipeline import keypoint_sets
from aqa_pipeline.evaluation import labelled_quality as quality
from aqa_pipeline.evaluation import pose_quality
from aqa_pipeline.evaluation.coco_reference import CocoReference
from aqa_pipeline.labelled import Labels, Person, Picture

POINTS = keypoint_sets.get("coco_17")
K = len(POINTS)
SIGMAS = np.array(POINTS.sigmas)


def labels(*people: tuple[Person, ...], groups=None) -> Labels:
    groups = groups or [str(i) for i in range(len(people))]
    pictures = (
        Picture(Path(f"{i}.jpg"), str(i), g, own) for i, (own, g) in enumerate(zip(people, groups, strict=True))
    )
    return Labels("coco_17", tuple(pictures))


def random_person(rng, crowd=False, known=True) -> Person:
    box = np.array([*rng.uniform(0, 100, 2), 1.0, 1, 1])
    box[2:4] = box[:2] + rng.uniform(20, 150, 2)
    points = np.concatenate([rng.uniform(box[:2], box[2:4], (K, 2)), rng.integers(0, 3, (K, 1))], axis=1)
    return Person(box, points * (1.0 if known else 0.0), float(rng.uniform(300, 15000)), crowd)


def random_scene(rng, n_pictures=9):
    """People of all kinds in pictures, and poses more or less like them."""
    scene = [
        tuple(random_person(rng, rng.random() < 0.15, rng.random() > 0.2) for _ in range(rng.integers(0, 5)))
        for _ in range(n_pictures)
    ]
    boxes, poses = [], []
    for people in scene:
        chosen = [person for person in people if rng.random() < 0.8] + [random_person(rng)] * int(rng.integers(0, 2))
        boxes.append(np.array([[*p.box[:4], rng.uniform(0.2, 1)] for p in chosen]).reshape(-1, 5))
        shaken = [p.keypoints[:, :2] + rng.normal(0, rng.uniform(0, 12), (K, 2)) for p in chosen]
        poses.append(np.array([np.c_[s, rng.uniform(0.1, 1, K)] for s in shaken]).reshape(-1, K, 3))
    return labels(*scene), boxes, poses


def published(known: Labels, boxes, poses, folder: Path) -> COCOeval:
    """The same through files and pycocotools' own front door."""
    people = [(i, p) for i, picture in enumerate(known.pictures) for p in picture.people]
    annotations = [
        dict(
            id=n, image_id=i, category_id=1, iscrowd=int(p.crowd), area=p.area, keypoints=p.keypoints.ravel().tolist(),
            num_keypoints=int(p.labelled.sum()), bbox=[*p.box[:2], *(p.box[2:4] - p.box[:2])],
        )
        for n, (i, p) in enumerate(people, start=1)
    ]  # fmt: skip
    images = [dict(id=i) for i in range(len(known.pictures))]
    truth = dict(images=images, categories=[dict(id=1, name="person")], annotations=annotations)
    found = [
        dict(image_id=i, category_id=1, keypoints=k.ravel().tolist(), score=float(b[4] * k[:, 2].mean()))
        for i, (own, posed) in enumerate(zip(boxes, poses, strict=True))
        for b, k in zip(own, posed, strict=True)
    ]
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "found.json").write_text(json.dumps(found))
    with contextlib.redirect_stdout(io.StringIO()):
        index = COCO(str(folder / "truth.json"))
        evaluation = COCOeval(index, index.loadRes(str(folder / "found.json")), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


@pytest.mark.parametrize("seed", range(4))
def test_our_oks_and_ap_are_those_of_pycocotools(seed, tmp_path):
    known, boxes, poses = random_scene(np.random.default_rng(seed))
    coco = published(known, boxes, poses, tmp_path)
    found = CocoReference(known, boxes, poses, list(range(K)), SIGMAS).measures(np.arange(len(boxes)))
    names = ("ap", "ap_50", "ap_75", "ap_medium", "ap_large", "ar")
    assert [found.get(name, -1) for name in names] == pytest.approx(coco.stats[:6].tolist(), abs=1e-12)
    asked = 0
    for i, picture in enumerate(known.pictures):
        order = np.argsort([-b[4] * k[:, 2].mean() for b, k in zip(boxes[i], poses[i], strict=True)], kind="mergesort")
        for j, person in enumerate(picture.people):
            if person.labelled.any() and len(order):  # crowds as well; with nobody to ask pycocotools measures the box
                truth = np.where(person.labelled[:, None], person.keypoints[:, :2], np.nan)
                gaps = pose_quality.errors(poses[i][order], np.broadcast_to(truth, (len(order), K, 2)))
                own = pose_quality.oks(gaps, np.full(len(order), person.area), SIGMAS)
                np.testing.assert_allclose(own, np.asarray(coco.ious[i, 1])[:, j], atol=1e-9, rtol=0)
                asked += len(order)
    assert asked > 10


def test_a_picture_drawn_twice_is_two_pictures():
    known, boxes, poses = random_scene(np.random.default_rng(7))
    chosen = np.array([2, 2, 5, 8, 0, 2])
    several = Labels("coco_17", tuple(known.pictures[i] for i in chosen))
    again = CocoReference(several, [boxes[i] for i in chosen], [poses[i] for i in chosen], list(range(K)), SIGMAS)
    once = CocoReference(known, boxes, poses, list(range(K)), SIGMAS)
    assert once.measures(chosen) == pytest.approx(again.measures(np.arange(6)))


def upright(x=0.0, size=100.0, visible=K) -> Person:
    """Keypoints on a line down the middle of a box of 40 x `size`, shoulders above hips."""
    y = np.linspace(0, size, K)
    xs = x + np.where(np.arange(K) % 2, 0.0, 40.0)
    seen = (np.arange(K) < visible) * 2.0
    return Person(np.array([x, 0, x + 40, size, 1]), np.stack([xs, y, seen], axis=1), area=None)


def turned(person: Person) -> Person:
    points = person.keypoints.copy()
    points[:, 1] = 100 - points[:, 1]
    return Person(person.box, points, person.area)


def rows_of(rows):
    return {(row["metric"], row["group"]): row for row in rows}


def test_pck_by_hand_with_misses_and_without():
    known = labels((upright(), upright(300)), (turned(upright()),), ())
    boxes = [np.array([[0, 0, 40, 100, 0.9], [600, 0, 640, 100, 0.8]]), np.empty((0, 5)), np.array([[0, 0, 9, 9, 0.5]])]
    pose = upright().keypoints.copy()
    pose[3, 1] += 15  # right at 0.2 of 100 pixels, wrong at 0.1
    poses = [np.stack([pose, pose]), np.empty((0, K, 3)), pose[None]]
    resampling = quality.Resampling.of(known, n_draws=50, seed=0)
    rows = rows_of(quality.pose_rows("x", known, boxes, poses, "coco_17", resampling))
    value = {key: row["value"] for key, row in rows.items()}
    assert value["people_with_pose", "all"] == pytest.approx(1 / 3)
    assert value["pictures_with_pose", "all"] == pytest.approx(1 / 2)
    assert value["pck_20", "all"] == pytest.approx(17 / 51)
    assert value["pck_10_found", "all"] == pytest.approx(16 / 17)
    assert value["pck_20", "upside_down"] == 0
    assert ("pck_20_found", "upside_down") not in rows
    assert rows["pck_20", "all"]["n"] == 51
    expected = (16 + np.exp(-(15**2) / (2 * 0.53 * 4000 * (2 * SIGMAS[3]) ** 2))) / 17
    assert value["oks_found", "all"] == pytest.approx(expected)
    assert value["oks", "all"] == pytest.approx(expected / 3)
    assert rows["pck_20", "all"]["ci_low"] <= 1 / 3 <= rows["pck_20", "all"]["ci_high"]
    found = rows_of(quality.detection_rows("x", known, boxes, resampling))
    assert found["recall_iou_50", "all"]["value"] == pytest.approx(1 / 3)
    assert found["pictures_with_box", "all"]["value"] == pytest.approx(1 / 2)


def test_people_side_by_side_keep_their_own_poses():
    """The detector's best box lies on the second person; either pose belongs to the one whose box it meets."""
    known = labels((upright(), upright(30)))
    boxes = [np.array([[30, 0, 70, 100, 0.9], [0, 0, 40, 100, 0.5]])]
    poses = [np.stack([upright(30).keypoints, upright().keypoints])]
    rows = rows_of(
        quality.pose_rows("x", known, boxes, poses, "coco_17", quality.Resampling.of(known, n_draws=5, seed=1))
    )
    assert rows["pck_05", "all"]["value"] == rows["ap", "all"]["value"] == 1


def test_heads_and_trunks_are_measured_where_the_set_has_them():
    points = keypoint_sets.get("mpii_16")
    truth = np.zeros((16, 3))
    truth[:, :2] = np.arange(32).reshape(16, 2) * 10.0
    truth[:, 2] = 2
    known = Labels("mpii_16", (Picture(Path("a"), "a", "a", (Person(None, truth, None),)),))
    pose = truth.copy()
    head = np.hypot(*(truth[points.index("head_top")] - truth[points.index("upper_neck")])[:2])  # 10, 10 apart: 28.3
    pose[0, 0] += 0.49 * head
    pose[1, 0] += 0.51 * head
    rows = quality.pose_rows(
        "x", known, quality.given(known), [pose[None]], "mpii_16", quality.Resampling.of(known, n_draws=5, seed=0)
    )
    assert rows_of(rows)["pckh_50", "all"]["value"] == pytest.approx(15 / 16)
    assert quality.sigmas_of(points)[points.index("left_shoulder")] == 0.079  # COCO's, not mmpose's 0.179


def test_whole_clips_are_drawn_where_there_are_enough_of_them():
    many = labels(*[(upright(),)] * 24, groups=[str(i // 2) for i in range(24)])
    resampling = quality.Resampling.of(many, n_draws=4, seed=0)
    assert resampling.over == "groups"
    for counts in resampling.weights(np.ones(24, bool)):
        assert (counts[::2] == counts[1::2]).all()
        assert counts.sum() == 24
    few = labels(*[(upright(),)] * 6, groups=["a"] * 2 + ["b"] * 4)
    assert quality.Resampling.of(few, n_draws=4, seed=0).over == "pictures"
    assert list(quality.picture_groups(few)) == ["all", "upright", "group a", "group b"]
