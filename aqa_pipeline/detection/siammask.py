"""The athlete's boxes as TSA-Net's authors give them, tracked by SiamMask; nothing is detected here.

One JSON file holds the videos of a data set, by name: a list with 8 numbers a frame, x and y of the four corners of a
box that may be turned, in pixels of pictures of 640 x 360. It is read as the released code reads that of FR-FS; those
of MTL-AQA and AQA-7 are offered beside it. The third and fourth corner of each first frame are swapped there. Here the
order of the corners does not matter.

As there is one box a frame, `athlete: largest_box` takes it.

Wang et al., "Fast Online Object Tracking and Segmentation: A Unifying Approach", CVPR 2019; Shunli-Wang/TSA-Net.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from aqa_pipeline import untrusted
from aqa_pipeline.errors import AbsentError, InputError, nearest
from aqa_pipeline.untrusted import shown


class Detector:
    """Boxes of a file; see `for_video`."""

    def __init__(self, path: Path, *, name: str, size: tuple[float, float]) -> None:
        videos = untrusted.read_json(path)
        if not isinstance(videos, dict):
            raise InputError(f"{path}: found {shown(videos)}, expected the boxes of videos by name")
        self._path, self._videos, self._form, self._size = path, videos, name, size

    def for_video(self, video_id: str, numbers: np.ndarray) -> Callable[[Iterable[np.ndarray]], Iterator[np.ndarray]]:
        """A detector for the frames of one video, as many as `numbers (T,)`: the upright box around the tracked one.

        Raises
        ------
        AbsentError
            The video is not in the file.
        InputError
            Its boxes cannot be used.
        """
        boxes = self._boxes(video_id)
        if len(boxes) != len(numbers):
            found = f"boxes of {len(boxes)} frames"
            raise InputError(f"{self._path}: {video_id}: {found}, expected the {len(numbers)} of the clip")

        def detect(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
            for frame, box in zip(frames, boxes, strict=True):
                corners = self._scaled(box, frame.shape[1::-1])
                yield np.array([[*corners.min(axis=0), *corners.max(axis=0), 1.0]], np.float32)

        return detect

    def __call__(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        raise InputError("boxes from files belong to a video, expected a call of for_video with its name")

    def corners(self, video_id: str, size: tuple[int, int]) -> np.ndarray:
        """Corners (T, 4, 2) float32 of the tracked box, x and y in pixels of frames of `size` (width, height)."""
        return self._scaled(self._boxes(video_id), size)

    def _scaled(self, boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Corners (..., 4, 2) float32 of boxes (..., 8) in pixels of frames of `size`."""
        return (boxes.reshape(*boxes.shape[:-1], 4, 2) * np.divide(size, self._size)).astype(np.float32)

    def _boxes(self, video_id: str) -> np.ndarray:
        """(T, 8), as in the file."""
        name = self._name(video_id)
        if name not in self._videos:
            raise AbsentError(f"{self._path}: no video '{name}', {nearest(name, list(self._videos)[:50])}")
        boxes = untrusted.array_of(self._path, self._videos[name], f"boxes of '{name}'")
        if boxes.ndim != 2 or boxes.shape[1] != 8 or not np.isfinite(boxes).all():
            raise InputError(f"{self._path}: boxes of '{name}' of shape {boxes.shape}, expected (T, 8), all finite")
        return boxes

    def _name(self, video_id: str) -> str:
        """What the file calls a video."""
        numbers = [int(digits) for digits in re.findall(r"\d+", video_id)]
        try:
            return self._form.format(*numbers) if self._form else video_id
        except (IndexError, KeyError, ValueError, AttributeError) as error:
            raise InputError(f"name: found '{self._form}', which cannot be filled with {numbers} ({error})") from error


def build(*, device: str = "cpu", file: str, name: str = "", size: Sequence[float] = (640, 360)) -> Detector:
    """Boxes of `file`; the device does not matter.

    Parameters
    ----------
    name : how the file calls a video, from the numbers in our name: "{0:02d}_{1:02d}" makes 03_21 of 03.021; by default
        as we do
    size : width and height of the pictures that were tracked in
    """
    if len(size) != 2 or min(size) <= 0:
        raise InputError(f"size: found {list(size)}, expected width and height in pixels")
    return Detector(Path(file), name=name, size=tuple(size))
