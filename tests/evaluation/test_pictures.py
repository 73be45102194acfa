import numpy as np
import pytest

from aqa_pipeline.evaluation.pictures import contact_sheet


def clip(length):
    """Frames (length, 5, 7, 3) whose grey level is their number."""
    return np.broadcast_to(np.arange(length, dtype=np.uint8)[:, None, None, None], (length, 5, 7, 3))


def levels(sheet, rows, columns):
    return sheet.reshape(rows, 5, columns, 7, 3)[:, 2, :, 3, 0].ravel().tolist()


def test_frames_stand_in_reading_order():
    sheet = contact_sheet(clip(21), columns=3, rows=2)
    assert sheet.shape == (10, 21, 3)
    assert levels(sheet, 2, 3) == [0, 4, 8, 12, 16, 20]


def test_a_part_of_the_clip():
    assert levels(contact_sheet(clip(21), columns=2, rows=2, first=3, last=6), 2, 2) == [3, 4, 5, 6]


def test_a_short_clip_leaves_black_places():
    assert levels(contact_sheet(clip(4)[1:], columns=5, rows=1), 1, 5) == [1, 2, 3, 0, 0]


@pytest.mark.parametrize(("zoom", "shape"), [(2.0, (10, 42, 3)), (0.6, (3, 12, 3))])
def test_zoom(zoom, shape):
    assert contact_sheet(clip(9), columns=3, rows=1, zoom=zoom).shape == shape
