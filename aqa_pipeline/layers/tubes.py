"""Which cells of a feature map lie in the athlete's box, frame by frame: together they are a tube through the clip.

Shapes: T frames of H x W pixels, a map of h x w cells.
"""

from __future__ import annotations

import numpy as np


def filled(corners: np.ndarray, size: tuple[int, int], cells: tuple[int, int]) -> np.ndarray:
    """Cells (..., h, w) bool of boxes whose corners (..., 4, 2) are x, y in pixels of pictures of `size` (H, W).

    A corner is taken to the cell (of `cells`, h and w) that it lies in; those between the corners and on the edges are
    filled, so that the smallest box has a cell. The corners may come in any order, as those of SiamMask do. A box that
    is not known (NaN) has no cell, nor has what lies beyond the picture.
    """
    import cv2

    (height, width), (h, w) = size, cells
    places = np.floor(corners.astype(np.float64) / [width / w, height / h])  # (..., 4, 2)
    masks = np.zeros((*corners.shape[:-2], h, w), np.uint8)
    for box in map(tuple, np.argwhere(np.isfinite(places).all(axis=(-2, -1)))):
        cv2.fillConvexPoly(masks[box], _around(places[box]).astype(np.int32), 1)
    return masks.astype(bool)


def _around(corners: np.ndarray) -> np.ndarray:
    """The corners (4, 2) of a convex box in their order around its middle."""
    x, y = (corners - corners.mean(axis=0)).T
    return corners[np.argsort(np.arctan2(y, x), kind="stable")]
