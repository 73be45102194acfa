"""Crops: a point lands where the map says, and comes back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aqa_pipeline.layers import crops

SIZE = 32


def test_squares_by_hand():
    centres, sides = crops.squares([[10, 20, 30, 80, 0.9], [5, 5, 6, 6, 1]], padding=1.5, least=8)
    assert centres.tolist() == [[20, 50], [5.5, 5.5]]
    assert sides.tolist() == [90, 8]


def test_an_upright_crop_is_a_scale_and_a_shift():
    # A square of side 64 around (100, 50) in a crop of 32: half the size, its middle in the middle (15.5, 15.5).
    maps = crops.matrices([[100, 50]], [64], size=SIZE)
    points = np.array([[[100, 50], [102, 50], [100, 46]]])
    assert crops.apply(maps, points)[0].tolist() == [[15.5, 15.5], [16.5, 15.5], [15.5, 13.5]]


def test_a_quarter_turn_is_clockwise_as_one_looks_at_it():
    maps = crops.matrices([[100, 50]], [SIZE], size=SIZE, angles=np.array([np.pi / 2]))
    right_of_centre = np.array([[[104.0, 50.0]]])
    assert crops.apply(maps, right_of_centre)[0, 0] == pytest.approx([15.5, 19.5])  # now below it


@settings(max_examples=50, deadline=None)
@given(angle=st.floats(-4, 4), side=st.floats(10, 500), x=st.floats(-50, 400), y=st.floats(-50, 400))
def test_there_and_back(angle, side, x, y):
    maps = crops.matrices([[120, 90], [30, 40]], [side, 77], size=SIZE, angles=np.array([angle, -angle]))
    points = np.array([[[x, y], [0, 1], [2, 3]], [[4, 5], [6, 7], [x, 9]]])
    back = crops.apply(crops.invert(maps), crops.apply(maps, points))
    assert back == pytest.approx(points, abs=1e-6)


@pytest.mark.parametrize("side", [20.0, 32.0, 70.0, 150.0])
@pytest.mark.parametrize("angle", [0.0, 0.6])
def test_a_bright_spot_is_found_where_the_map_says(side, angle):
    y, x = np.mgrid[:180, :240]
    spot = 255 * np.exp(-((x - 110) ** 2 + (y - 70) ** 2) / (2 * (side / 16) ** 2))
    frame = np.repeat(spot[..., None], 3, axis=2).astype(np.uint8)
    matrix = crops.matrices([[105, 73]], [side], size=SIZE, angles=np.array([angle]))
    crop = crops.cut(frame, matrix[0], size=SIZE)[..., 1].astype(float)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    found = [(crop * columns).sum() / crop.sum(), (crop * rows).sum() / crop.sum()]
    assert crop.shape == (SIZE, SIZE)
    assert found == pytest.approx(crops.apply(matrix, np.array([[[110.0, 70.0]]]))[0, 0], abs=0.1)


def test_beyond_the_picture_is_black():
    frame = np.full((40, 60, 3), 200, np.uint8)
    crop = crops.cut(frame, crops.matrices([[0, 20]], [SIZE], size=SIZE)[0], size=SIZE)
    assert (crop[:, :15] == 0).all()
    assert (crop[:, 17:] == 200).all()


def test_cells_lie_in_the_middle_of_their_pixels():
    pixels = crops.cells_to_pixels(np.array([0.0, 2.0]), 4)
    assert pixels.tolist() == [1.5, 9.5]  # pixels 0 1 2 3, and 8 9 10 11
    assert crops.pixels_to_cells(pixels, 4).tolist() == [0, 2]


def test_mirroring_pixels_mirrors_cells():
    pixel = np.array([7.0])
    cells = SIZE // 4
    assert crops.pixels_to_cells(SIZE - 1 - pixel, 4) == cells - 1 - crops.pixels_to_cells(pixel, 4)
