"""Video in, frames out. The only room that reads video files.

Frames are RGB uint8 arrays `(H, W, 3)`; a frame store keeps them as JPEG, all of one video in one run of bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aqa_pipeline import stores
from aqa_pipeline.errors import InputError


@dataclass(frozen=True)
class VideoFacts:
    """What the container says of a video; `n_frames` is its claim, decoding may find fewer."""

    width: int
    height: int
    fps: float
    n_frames: int


def probe(path: Path) -> VideoFacts:
    """Facts of a video file; InputError where it is missing, empty or no video."""
    import cv2

    capture = _open(path)
    try:
        properties = (
            cv2.CAP_PROP_FRAME_WIDTH,
            cv2.CAP_PROP_FRAME_HEIGHT,
            cv2.CAP_PROP_FPS,
            cv2.CAP_PROP_FRAME_COUNT,
        )
        width, height, fps, n_frames = (capture.get(p) for p in properties)
    finally:
        capture.release()
    return VideoFacts(int(width), int(height), float(fps), int(n_frames))


def decode(path: Path, *, first: int = 0, last: int | None = None) -> Iterator[tuple[int, float, np.ndarray]]:
    """Frame number, time in seconds and RGB picture of frames `first` to `last` (inclusive, counted from 0).

    Read in sequence: seeking lands on key frames and is slower than decoding what lies between.
    """
    import cv2

    capture = _open(path)
    try:
        fps = capture.get(cv2.CAP_PROP_FPS) or 25.0
        number = 0
        while last is None or number <= last:
            if number < first:
                if not capture.grab():
                    return
            else:
                found, bgr = capture.read()
                if not found:
                    return
                yield number, number / fps, bgr[:, :, ::-1]
            number += 1
    finally:
        capture.release()


def extract(
    path: Path, *, first: int = 0, last: int | None = None, quality: int = 90, max_height: int | None = None
) -> tuple[dict[str, np.ndarray], dict[str, float | int]]:
    """Arrays and facts of one video for a frame store.

    Parameters
    ----------
    path : the video file
    first, last : frames to keep, inclusive; `last` None means to the end
    quality : of the JPEG pictures, 1 to 100
    max_height : taller frames are reduced to this height, with their aspect ratio kept

    Returns
    -------
    arrays : `jpeg` (bytes of all pictures, end to end), `offset` (T + 1,), `frame_number` (T,), `time` (T,) in seconds
    facts : width, height (of the stored pictures), source_height, fps
    """
    import cv2

    facts = probe(path)
    pictures, numbers, times = [], [], []
    shape = (0, 0)
    for number, time, rgb in decode(path, first=first, last=last):
        if max_height is not None and rgb.shape[0] > max_height:
            width = round(rgb.shape[1] * max_height / rgb.shape[0])
            rgb = cv2.resize(rgb, (width, max_height), interpolation=cv2.INTER_AREA)
        shape = rgb.shape[:2]
        pictures.append(encode_jpeg(rgb, quality))
        numbers.append(number)
        times.append(time)
    if not pictures:
        raise InputError(
            f"{path}: no frame could be read from frame {first} on, expected a video of {facts.n_frames} frames"
        )
    if last is not None and numbers[-1] < last:
        raise InputError(f"{path}: ends at frame {numbers[-1]}, expected frames {first} to {last}")
    offset = np.cumsum([0, *(len(picture) for picture in pictures)], dtype=np.int64)
    arrays = {
        "jpeg": np.concatenate(pictures),
        "offset": offset,
        "frame_number": np.array(numbers, np.int32),
        "time": np.array(times),
    }
    return arrays, dict(width=shape[1], height=shape[0], source_height=facts.height, fps=facts.fps)


def expect_length(path: Path | str, found: int, least: int) -> None:
    """InputError where a video has fewer frames than are needed."""
    if found < least:
        raise InputError(f"{path}: has {found} frames, expected at least {least}")


class StoredFrames(Sequence):
    """The frames of one video in an open frame store; pictures are decoded when they are asked for."""

    def __init__(self, store: stores.Reader, video_id: str) -> None:
        self._store, self._video_id = store, video_id
        self._offset = store.array(video_id, "offset")
        self.facts = store.facts(video_id)

    def __len__(self) -> int:
        return len(self._offset) - 1

    def __getitem__(self, index: int) -> np.ndarray:
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        start, end = self._offset[index % len(self)], self._offset[index % len(self) + 1]
        return decode_jpeg(self._store.array(self._video_id, "jpeg", slice(start, end)))

    def __iter__(self) -> Iterator[np.ndarray]:
        jpeg = self._store.array(self._video_id, "jpeg")  # one read a clip: a few MB, against one a frame
        for start, end in zip(self._offset[:-1], self._offset[1:], strict=True):
            yield decode_jpeg(jpeg[start:end])


def encode_jpeg(rgb: np.ndarray, quality: int = 90) -> np.ndarray:
    """RGB (H, W, 3) uint8 to JPEG bytes."""
    import cv2

    return cv2.imencode(".jpg", rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]


def decode_jpeg(jpeg: np.ndarray) -> np.ndarray:
    """JPEG bytes to RGB (H, W, 3) uint8."""
    import cv2

    return cv2.imdecode(jpeg, cv2.IMREAD_COLOR_RGB)  # a reversed view of BGR would be copied by whoever reads it


def _open(path: Path):
    import cv2

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such video file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty, expected a video")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise InputError(f"{path}: cannot be opened as a video")
    return capture
