"""Pictures for people: many frames of a clip on one sheet."""

from __future__ import annotations

import numpy as np


def contact_sheet(
    frames: np.ndarray,
    *,
    columns: int = 6,
    rows: int = 4,
    first: int = 0,
    last: int | None = None,
    zoom: float = 1.0,
) -> np.ndarray:
    """Frames at equal distances in time on one picture, in reading order.

    Parameters
    ----------
    frames : (T, H, W, 3) uint8
    columns, rows : of the sheet; places left over when the clip is shorter stay black
    first, last : the part of the clip to show, inclusive; `last` None means to the end
    zoom : size of the small pictures

    Returns
    -------
    (rows * h, columns * w, 3) uint8, h and w the zoomed size
    """
    import cv2

    part = np.arange(len(frames))[first : None if last is None else last + 1]
    assert len(part), "no frames between first and last"
    chosen = part[np.unique(np.linspace(0, len(part) - 1, rows * columns).round().astype(int))]
    size = [round(side * zoom) for side in frames.shape[2:0:-1]]  # width, height
    sheet = np.zeros((rows, columns, size[1], size[0], 3), np.uint8)
    for place, index in enumerate(chosen):
        kind = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
        sheet[place // columns, place % columns] = cv2.resize(frames[index], size, interpolation=kind)
    return sheet.transpose(0, 2, 1, 3, 4).reshape(rows * size[1], columns * size[0], 3)
