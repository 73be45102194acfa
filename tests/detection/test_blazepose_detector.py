"""BlazePose as a detector, with its real weights."""

import numpy as np
import pytest

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


def test_an_empty_picture_has_nobody():
    [boxes] = blazepose.build(rotations=2)([np.full((40, 70, 3), 90, np.uint8)])
    assert boxes.shape == (0, 5)


def test_tiles_cover_the_picture_and_overlap_by_half():
    covered = blazepose.tiles((30, 80, 3), [1.0, 0.5])
    assert [side for _, side in covered] == [80, 40, 40, 40]
    assert [centre.tolist() for centre, _ in covered] == [[39.5, 14.5], [19.5, 14.5], [39.5, 14.5], [59.5, 14.5]]


@pytest.mark.parametrize("wrong", [dict(rotations=0), dict(scales=()), dict(scales=(1.5,)), dict(threads=0)])
def test_wrong_options_are_named(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        blazepose.build(**wrong)
