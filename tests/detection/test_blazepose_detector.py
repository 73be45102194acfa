"""BlazePose as a detector, with its real weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aqa_pipeline.detection import blazepose
from aqa_pipeline.errors import InputError
from aqa_pipeline.evaluation import pose_quality
from aqa_pipeline.simdive.clips import simulate_clip
from aqa_pipeline.simdive.dives import draw_dive


def test_a_simulated_diver_is_found_at_every_angle():
    clip = simulate_clip(draw_dive(3, 1))
    numbers = [24, 32, 40]
    found = list(blazepose.build()(clip.frames[numbers]))
    assert all(boxes.dtype == np.float32 and boxes.shape[1] == 5 for boxes in found)
    assert all((np.diff(boxes[:, 4]) <= 0).all() for boxes in found), "best first"
    best = np.stack([boxes[0] for boxes in found])
    assert pose_quality.recall(best, clip.boxes[numbers]) == 1.0


def test_folded_bodies_are_found_from_nearer():
    clip, numbers = simulate_clip(draw_dive(3, 1)), [17, 35]

    def overlaps(**options):
        found = zip(blazepose.build(**options)(clip.frames[numbers]), clip.boxes[numbers], strict=True)
        return np.array([pose_quality.iou(boxes, np.repeat(box[None], len(boxes), 0)).max() for boxes, box in found])

    assert (overlaps(closer=0) < 0.5).all()
    assert (overlaps() > 0.5).all()


def test_an_empty_picture_has_nobody():
    [boxes] = blazepose.build(rotations=2)([np.full((40, 70, 3), 90, np.uint8)])
    assert boxes.shape == (0, 5)


def test_tiles_cover_the_picture_and_overlap_by_half():
    covered = blazepose.tiles((30, 80, 3), [1.0, 0.5])
    assert [side for _, side in covered] == [80, 40, 40, 40]
    assert [centre.tolist() for centre, _ in covered] == [[39.5, 14.5], [19.5, 14.5], [39.5, 14.5], [59.5, 14.5]]


corners = st.tuples(*[st.integers(0, 30)] * 2, *[st.integers(1, 20)] * 2, st.integers(1, 99))


@given(st.lists(corners, max_size=9))
def test_one_box_is_left_of_those_that_lie_over_one_another(drawn):
    boxes = np.array([[x, y, x + w, y + h, c / 100] for x, y, w, h, c in drawn], np.float32).reshape(-1, 5)
    kept = blazepose._one_each(boxes, 0.2)
    assert (np.diff(kept[:, 4]) <= 0).all(), "best first"
    over = np.array([[pose_quality.iou(a[None], b[None])[0] for b in kept] for a in kept]).reshape(len(kept), len(kept))
    assert (np.triu(over, 1) <= 0.5 + 1e-6).all()
    for box in boxes[boxes[:, 4] > 0.2]:
        better = kept[kept[:, 4] >= box[4]]
        assert pose_quality.iou(np.repeat(box[None], len(better), 0), better).max() > 0.5 - 1e-6


@pytest.mark.parametrize(
    "wrong", [dict(closer=-1), dict(rotations=0), dict(scales=()), dict(scales=(1.5,)), dict(threads=0)]
)
def test_wrong_options_are_named(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        blazepose.build(**wrong)
