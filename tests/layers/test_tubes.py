import numpy as np
import pytest

from aqa_pipeline.layers import tubes

SIZE, CELLS = (40, 60), (4, 5)  # rows are 10 pixels high, columns 12 wide


def box(*corners) -> np.ndarray:
    return np.array(corners, np.float32)


def rows(mask: np.ndarray) -> list[str]:
    return ["".join(".#"[cell] for cell in row) for row in mask.astype(int)]


UPRIGHT = box((13, 5), (47, 5), (47, 29.5), (13, 29.5))


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [0, 1, 3, 2], [2, 0, 1, 3]])
def test_the_cells_that_an_upright_box_touches_in_whatever_order_its_corners_come(order):
    assert rows(tubes.filled(UPRIGHT[order], SIZE, CELLS)) == [".###.", ".###.", ".###.", "....."]


def test_a_turned_box_leaves_out_what_is_in_none_of_its_edges():
    diamond = box((30, 5), (42, 15), (30, 25), (18, 15))  # cells (2, 0), (3, 1), (2, 2), (1, 1)
    assert rows(tubes.filled(diamond, SIZE, CELLS)) == ["..#..", ".###.", "..#..", "....."]


def test_the_smallest_box_has_a_cell_and_nobody_has_none():
    found = tubes.filled(np.stack([box((25, 11), (26, 11), (26, 12), (25, 12)), UPRIGHT * np.nan])[None], SIZE, CELLS)
    assert found.shape == (1, 2, 4, 5)
    assert np.argwhere(found).tolist() == [[0, 0, 1, 2]]


def test_what_lies_beyond_the_picture_is_cut_off():
    assert rows(tubes.filled(np.add(UPRIGHT, (30, 0)), SIZE, CELLS)) == ["...##", "...##", "...##", "....."]
    assert not tubes.filled(np.add(UPRIGHT, (0, -30)), SIZE, CELLS).any()  # ends half a pixel above it
    assert not tubes.filled(np.add(UPRIGHT, (50, 0)), SIZE, CELLS).any()
