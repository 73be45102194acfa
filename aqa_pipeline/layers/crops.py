"""Crops around boxes: where they lie, cutting them out, and the way back to the picture.

A crop is an affine map `(2, 3)` from picture pixels to crop pixels; integers are pixel centres in both.
Angles are in radians and turn the picture's content clockwise as it is looked at (y points down). Shapes: N
crops, K points.
"""

from __future__ import annotations

import numpy as np


def squares(boxes: np.ndarray, *, padding: float = 1.25, least: float = 8.0) -> tuple[np.ndarray, np.ndarray]:
    """Centres `(N, 2)` and sides `(N,)` of squares around boxes `(N, 4+)`, `padding` times the longer side."""
    boxes = np.asarray(boxes, np.float64)
    centres = (boxes[:, :2] + boxes[:, 2:4]) / 2
    longer = (boxes[:, 2:4] - boxes[:, :2]).max(axis=1)
    return centres, np.maximum(longer * padding, least)


def regions(
    boxes: np.ndarray, *, aspect: float, padding: float = 1.25, angles: np.ndarray | float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Centres `(N, 2)` and widths `(N,)` of rectangles of `aspect` (width / height) that hold boxes `(N, 4+)`.

    A box turned by 90 degrees changes its sides, one turned by less has something between.
    """
    boxes = np.asarray(boxes, np.float64)
    centres = (boxes[:, :2] + boxes[:, 2:4]) / 2
    wide, high = (boxes[:, 2:4] - boxes[:, :2]).T * padding
    straight = np.cos(angles) ** 2
    width = wide * straight + high * (1 - straight)
    height = high * straight + wide * (1 - straight)
    return centres, np.maximum(width, height * aspect)


def matrices(
    centres: np.ndarray,
    sides: np.ndarray,
    *,
    size: int | tuple[int, int],
    angles: np.ndarray | float = 0.0,
    corners: bool = False,
) -> np.ndarray:
    """Maps `(N, 2, 3)` that bring a piece of the picture, turned by `angles`, to a crop of `size` pixels.

    Parameters
    ----------
    centres, sides : `(N, 2)` middle and `(N,)` width of the piece, in picture pixels
    size : of the crop, one number for a square or (width, height)
    corners : the piece's middle falls on pixel (width / 2, height / 2), as in mmpose, where others let it fall on the
        middle of the pixels, half a pixel before
    """
    width, height = (size, size) if isinstance(size, int) else size
    scale = width / np.asarray(sides, np.float64)
    cos, sin = np.cos(angles) * scale, np.sin(angles) * scale
    linear = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)  # (N, 2, 2)
    middle = (np.array([width, height]) - (0 if corners else 1)) / 2
    offset = middle - np.einsum("nij,nj->ni", linear, centres)
    return np.concatenate([linear, offset[..., None]], axis=-1)


def cut(frame: np.ndarray, matrix: np.ndarray, *, size: int | tuple[int, int], reduced: bool = True) -> np.ndarray:
    """One crop `(size, size, 3)` of a frame `(H, W, 3)`, or of `size` (width, height); black beyond the picture.

    A picture that shrinks to less than half is first `reduced` by averaging, or fine patterns would alias.
    """
    import cv2

    shrink = int(1 / max(np.sqrt(abs(np.linalg.det(matrix[:, :2]))), 1e-6)) if reduced else 1
    if shrink >= 2:
        height, width = frame.shape[0] // shrink, frame.shape[1] // shrink
        frame = cv2.resize(frame[: height * shrink, : width * shrink], (width, height), interpolation=cv2.INTER_AREA)
        matrix = matrix @ np.array([[shrink, 0, (shrink - 1) / 2], [0, shrink, (shrink - 1) / 2], [0, 0, 1]])
    size = (size, size) if isinstance(size, int) else size
    return cv2.warpAffine(frame, matrix, size, flags=cv2.INTER_LINEAR)


def apply(matrices_: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Picture points `(N, K, 2)` in the pixels of their crops."""
    return np.einsum("nij,nkj->nki", matrices_[:, :, :2], points) + matrices_[:, None, :, 2]


def invert(matrices_: np.ndarray) -> np.ndarray:
    """Maps from crop pixels back to picture pixels, `(N, 2, 3)`."""
    linear = np.linalg.inv(matrices_[:, :, :2])
    return np.concatenate([linear, -linear @ matrices_[:, :, 2:]], axis=-1)


def cells_to_pixels(cells: np.ndarray, stride: int) -> np.ndarray:
    """Heatmap cells to crop pixels: cell 0 covers pixels 0 to `stride` - 1 and its centre lies in their middle."""
    return cells * stride + (stride - 1) / 2


def pixels_to_cells(pixels: np.ndarray, stride: int) -> np.ndarray:
    """Crop pixels to heatmap cells, the inverse of `cells_to_pixels`."""
    return (pixels - (stride - 1) / 2) / stride
