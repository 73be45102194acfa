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

    A box turned by 90 degrees changes its sides, one turned by less has something between. The precision is that of
    the boxes.
    """
    boxes = np.asarray(boxes)
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
    if corners:
        return _of_three_points(centres, sides, (width, height), angles)
    scale = width / np.asarray(sides, np.float64)
    cos, sin = np.cos(angles) * scale, np.sin(angles) * scale
    linear = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)  # (N, 2, 2)
    middle = (np.array([width, height]) - 1) / 2
    offset = middle - np.einsum("nij,nj->ni", linear, centres)
    return np.concatenate([linear, offset[..., None]], axis=-1)


def _of_three_points(
    centres: np.ndarray, sides: np.ndarray, size: tuple[int, int], angles: np.ndarray | float
) -> np.ndarray:
    """As mmpose finds its maps: from three points in single precision, or a pixel in 10,000 comes out otherwise."""
    sides, angles = np.broadcast_arrays(np.asarray(sides, np.float32), angles)
    left = np.stack([-np.cos(angles), np.sin(angles)], axis=-1) * (0.5 * sides[:, None].astype(np.float64))
    taken = _right_angle(np.asarray(centres, np.float32), left)  # (N, 3, 2)
    brought = _right_angle(np.array([size], np.float32) / 2, np.array([[-size[0] / 2, 0.0]]))[0]
    taken = np.concatenate([taken, np.ones_like(taken[..., :1])], axis=-1).astype(np.float64)
    return np.linalg.solve(taken, np.broadcast_to(brought, (len(taken), 3, 2)).astype(np.float64)).swapaxes(1, 2)


def _right_angle(middle: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Points `(N, 3, 2)` float32: the middle, what lies `left` of it, and the corner of a right angle there."""
    second = (middle + left).astype(np.float32)
    back = middle - second
    return np.stack([middle, second, second + np.stack([-back[:, 1], back[:, 0]], axis=-1)], axis=1)


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
