"""Tiny real videos and folders of pictures whose frames differ in brightness."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np


def video(path: Path, n_frames: int, width: int = 24, height: int = 16, fps: float = 25.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), fps, (width, height))
    for number in range(n_frames):
        writer.write(_picture(number, width, height))
    writer.release()


def pictures(folder: Path, numbers: Iterable[int], name: str, width: int = 24, height: int = 16) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        cv2.imwrite(str(folder / name.format(number)), _picture(number, width, height))


def _picture(number: int, width: int, height: int) -> np.ndarray:
    return np.full((height, width, 3), number % 256, np.uint8)
