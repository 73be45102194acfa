"""What top-down back ends share: the way to the crop and back, full batches, steady angles, upright second passes."""

import math

import numpy as np
import pytest

from aqa_pipeline import keypoint_sets
from aqa_pipeline.errors import InputError
from aqa_pipeline.layers import crops
from aqa_pipeline.pose import _top_down
from aqa_pipeline.pose._top_down import Crop, Estimator, steady_path

COCO = keypoint_sets.get("coco_17")
K = 17
SIZE = (48, 64)


def standing(angle, confidence=1.0):
    """A body of two hips and two shoulders whose line to the shoulders points along `angle`, (17, 3)."""
    keypoints = np.zeros((K, 3))
    keypoints[..., 2] = confidence
    for name, along in [("hip", 0.0), ("shoulder", 30.0)]:
        for side, across in [("left", 5.0), ("right", -5.0)]:
            place = along * np.array([math.cos(angle), math.sin(angle)]) + across * np.array(
                [-math.sin(angle), math.cos(angle)]
            )
            keypoints[COCO.index(f"{side}_{name}"), :2] = place
    return keypoints


def test_upright_angles_by_hand():
    up, right, down = -math.pi / 2, 0.0, math.pi / 2  # y points down
    bodies = np.stack([standing(up), standing(right), standing(down), standing(up, confidence=0.1)])
    angles, sure = _top_down.upright_angles(bodies, COCO)
    assert np.cos(angles) == pytest.approx([1, 0, -1, 1], abs=1e-6)
    assert np.sin(angles) == pytest.approx([0, -1, 0, 0], abs=1e-6)  # a body to the right turns counter-clockwise
    assert sure.tolist() == [True, True, True, False]


def brightest(pictures):
    """A look that finds the brightest pixel of each crop, for every keypoint; sure where it is white."""
    found = np.zeros((len(pictures), K, 3))
    for row, picture in enumerate(pictures):
        grey = picture.astype(float).mean(axis=2)
        y, x = np.unravel_index(grey.argmax(), grey.shape)
        found[row] = x, y, grey.max() / 255
    return found


def estimator(look=brightest, **options):
    crop = options.pop("crop", Crop(SIZE))
    return Estimator(look, keypoint_set="coco_17", crop=crop, weights="none", sha256="", **options)


def clip(spots, boxes):
    """Frames (70, 110) with a white dot at each of `spots`."""
    frames = np.zeros((len(spots), 70, 110, 3), np.uint8)
    for frame, (x, y) in zip(frames, spots, strict=True):
        frame[y - 1 : y + 2, x - 1 : x + 2] = 120
        frame[y, x] = 255
    return list(frames), np.array(boxes, np.float32)


SPOTS = [(30, 20), (42, 33), (60, 41), (75, 25)]
BOXES = [[20, 5, 50, 45, 1], [30, 10, 60, 60, 1], [40, 20, 90, 60, 1], [60, 5, 95, 50, 1]]


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("size", [(48, 64), (64, 48), (56, 56)])
@pytest.mark.parametrize("rotations", [1, 4, 7])
def test_the_way_to_the_crop_and_back(corners, size, rotations):
    frames, boxes = clip(SPOTS, BOXES)
    found = estimator(crop=Crop(size, corners=corners), rotations=rotations)(frames, boxes)
    assert found.shape == (4, K, 3)
    assert found.dtype == np.float32
    assert np.abs(found[:, 3, :2] - SPOTS).max() < 1.1  # a pixel of the crop is one of the picture, or less


def test_every_view_holds_the_box():
    """A tall box under 0 and 90 degrees, by hand: 30 x 40 and padding 1.5 in crops of 3 : 4."""
    one = estimator(crop=Crop(SIZE, padding=1.5), rotations=4)
    views = one._first_views(np.array([[10, 20, 40, 60, 1.0]]))
    assert views.centres.tolist() == [[[25, 40]] * 4]
    assert views.widths[0] == pytest.approx([45, 60, 45, 60])  # 60 high asks for 45; turned, 60 wide asks for 60


def test_frames_without_a_box_and_clips_of_unequal_length():
    frames, boxes = clip(SPOTS, BOXES)
    boxes[2] = np.nan
    batches = []

    def look(pictures):
        batches.append(len(pictures))
        return brightest(pictures)

    clips = [("a", frames, boxes), ("nobody", frames[:2], boxes[[2, 2]]), ("b", frames[:1], boxes[:1])]
    found = dict(estimator(look, batch=3, refine=1).many(clips))
    assert list(found) == ["a", "nobody", "b"]
    assert [len(each) for each in found.values()] == [4, 2, 1]
    assert np.isnan(found["a"][2]).all()
    assert np.isfinite(found["a"][[0, 1, 3]]).all()
    assert np.isnan(found["nobody"]).all()
    assert np.isfinite(found["b"]).all()
    assert sorted(batches) == [1, 1, 3, 3]  # four frames with a box, in two passes


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_and_workers_do_not_change_the_answer(workers):
    frames, boxes = clip(SPOTS, BOXES)
    found = [estimator(batch=batch, workers=workers, rotations=4, refine=1)(frames, boxes) for batch in (1, 3, 16)]
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_a_clip_that_cannot_be_read_takes_nobody_with_it():
    class Torn(list):
        def __getitem__(self, index):
            if index == 1:
                raise InputError("frame 1 is torn")
            return super().__getitem__(index)

    frames, boxes = clip(SPOTS, BOXES)
    found = dict(estimator(batch=2, refine=1).many([("a", Torn(frames), boxes), ("b", frames, boxes)]))
    assert str(found["a"]) == "frame 1 is torn"
    assert np.isfinite(found["b"]).all()
    with pytest.raises(InputError, match="torn"):
        estimator()(Torn(frames), boxes)


@pytest.mark.parametrize(("name", "value"), [("rotations", 0), ("refine", -1), ("batch", 0)])
def test_senseless_options_are_named(name, value):
    with pytest.raises(InputError, match=f"{name}: found {value}"):
        estimator(**{name: value})


def test_a_steady_path_by_hand():
    angles = np.tile(2 * math.pi * np.arange(4) / 4, (3, 1))
    sure = np.array([[0.5, 0.0, 0.0, 0.0], [0.5, 0.0, 0.55, 0.0], [0.5, 0.0, 0.0, 0.2]])
    numbers = np.array([0, 1, 2])
    assert steady_path(sure, angles, numbers, steadiness=0.0).tolist() == [0, 2, 0]
    assert steady_path(sure, angles, numbers, steadiness=0.1).tolist() == [0, 0, 0]  # two turns would cost 0.2
    assert steady_path(sure, angles, np.array([0, 10, 20]), steadiness=0.1).tolist() == [0, 2, 0]  # 0.02
    assert steady_path(sure[:0], angles[:0], numbers[:0], steadiness=0.1).tolist() == []


def test_the_second_pass_looks_at_an_upright_body():
    """The first pass's trunk, upside down, must be upright in the crop that the second pass sees."""
    body = standing(math.pi / 2) + np.array([55, 20, 0])
    maps = []

    def look(pictures):
        return np.repeat(np.concatenate([body[:, :2] * 0 + 1, body[:, 2:]], 1)[None], len(pictures), 0)

    one = estimator(look, refine=1, crop=Crop((64, 64)))
    whole = one._work

    def work(ready):
        maps.extend(each for _, each in ready)
        found = whole(ready)
        return [np.broadcast_to(body, each.shape) for each in found]

    one._work = work
    one([np.zeros((90, 140, 3), np.uint8)], np.array([[25, 0, 85, 60, 1]]))
    (first,), (second,) = maps
    assert first[0, 1] == pytest.approx(0)
    hips, shoulders = crops.apply(second[None], body[None, :, :2])[0][
        [COCO.index("left_hip"), COCO.index("left_shoulder")]
    ]
    assert shoulders[1] < hips[1] - 5
    assert shoulders[0] == pytest.approx(hips[0], abs=1e-3)


def test_a_pass_that_is_less_sure_changes_nothing():
    seen = []

    def look(pictures):
        seen.append(len(pictures))
        found = brightest(pictures)
        found[..., 2] = 0.9 if len(seen) == 1 else 0.3
        found[..., 0] += len(seen)
        return found

    frames, boxes = clip(SPOTS, BOXES)
    once, twice = (estimator(look, refine=refine)(frames, boxes) for refine in (0, 1) if not seen.clear())
    assert np.array_equal(once, twice)
