"""Video in, frames out. The only room that reads video files and folders of pictures, and that writes films.

Frames are RGB uint8 arrays `(H, W, 3)`; a frame store keeps them as JPEG, all of one video in one run of bytes.

The frames of a video file count from 0, stand upright as its container says, and have its times, so that a phone's
film, whose rate varies, keeps its clock. Those of a folder bear the numbers in the files' names: `img_00012.jpg` is
frame 12, and names without a number, or that start with a dot, are no frames.
"""

from __future__ import annotations

import itertools
import logging
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aqa_pipeline import stores
from aqa_pipeline.errors import AbsentError, InputError

PICTURES = (".jpg", ".jpeg", ".png")
FOLDER_FPS = 25.0  # of a folder of pictures whose data set does not know its rate

log = logging.getLogger("aqa_pipeline")

LONGEST_STEP = 10.0  # seconds between two frames: a time stamp further on is a fault of the container

_LAST_DIGITS = re.compile(r"([0-9]+)[^0-9]*$")
_LONGEST_NUMBER = 9  # digits: a longer one is a date or a hash, and would not fit the store


@dataclass(frozen=True)
class VideoFacts:
    """What the container says of a video; `n_frames` is its claim, decoding may find fewer."""

    width: int
    height: int
    fps: float
    n_frames: int


def probe(path: Path, *, fps: float | None = None) -> VideoFacts:
    """Facts of a video file or of a folder of pictures, which has `fps` or 25 frames a second.

    Raises
    ------
    AbsentError
        Nothing is there.
    InputError
        It is empty, or neither a video nor a folder of pictures.
    """
    import cv2

    if Path(path).is_dir():
        pictures = _all_numbered(Path(path))
        height, width = _read_picture(Path(path) / pictures[0][1])[0].shape[:2]
        return VideoFacts(width, height, fps or FOLDER_FPS, len(pictures))
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


def decode(
    path: Path, *, first: int | None = None, last: int | None = None, fps: float | None = None
) -> Iterator[tuple[int, float, np.ndarray]]:
    """Frame number, time in seconds and RGB picture of frames `first` to `last`, inclusive; None: from end to end.

    `fps` is for folders of pictures, as in `probe`.
    """
    for number, time, rgb, _ in _frames(path, first, last, fps):
        yield number, time, rgb


def _frames(
    path: Path, first: int | None, last: int | None, fps: float | None
) -> Iterator[tuple[int, float, np.ndarray, np.ndarray | None]]:
    """As `decode`, with the bytes of the picture where it lay there as JPEG."""
    if Path(path).is_dir():
        for number, picture in _numbered(Path(path), first, last):
            yield number, number / (fps or FOLDER_FPS), *_read_picture(picture)
    else:
        for number, time, rgb in _decode_video(path, first or 0, last):
            yield number, time, rgb, None


def _decode_video(path: Path, first: int, last: int | None) -> Iterator[tuple[int, float, np.ndarray]]:
    """Read in sequence: seeking lands on key frames and is slower than decoding what lies between."""
    import cv2

    capture = _open(path)
    try:
        clock = _Clock(capture.get(cv2.CAP_PROP_FPS) or FOLDER_FPS)
        number = 0
        while (last is None or number <= last) and capture.grab():
            time = clock.at(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
            if number >= first:
                found, bgr = capture.retrieve()
                if not found:
                    return
                yield number, time, bgr[:, :, ::-1]
            number += 1
    finally:
        capture.release()


class _Clock:
    """Seconds since the first frame, by the time stamps of a container as long as they go on in order."""

    def __init__(self, fps: float) -> None:
        self._step, self._stamp, self._time = 1 / fps, None, 0.0

    def at(self, stamp: float) -> float:
        if self._stamp is not None:
            step = stamp - self._stamp
            self._time += step if 0 < step <= LONGEST_STEP else self._step
        self._stamp = stamp
        return self._time


def _rate(times: list[float], claimed: float) -> float:
    """Frames a second: what the container claims where its own time stamps bear it out, else their mean."""
    seconds = np.array(times) - times[0]
    if np.abs(seconds * claimed - np.arange(len(times))).max() < 0.5:
        return claimed
    return float((len(times) - 1) / seconds[-1])


def _numbered(folder: Path, first: int | None, last: int | None) -> list[tuple[int, Path]]:
    """Number and file of the pictures from `first` to `last`, in order and without a gap."""
    pictures = _all_numbered(folder)
    first = pictures[0][0] if first is None else first
    last = pictures[-1][0] if last is None else last
    pictures = [(number, name) for number, name in pictures if first <= number <= last]
    for (number, name), (following, other) in itertools.pairwise(pictures):
        if number == following:
            raise InputError(f"{folder}: frame {number} is there twice, '{name}' and '{other}'")
    wanted = last - first + 1
    if len(pictures) < wanted:
        raise InputError(f"{folder}: lacks {wanted - len(pictures)} of {wanted} pictures, frames {first} to {last}")
    return [(number, folder / name) for number, name in pictures]


def _all_numbered(folder: Path) -> list[tuple[int, str]]:
    """Number and file name of all pictures, sorted; of whole broadcasts there are 100,000 in one folder."""
    pictures = []
    for name in os.listdir(folder):
        stem, suffix = os.path.splitext(name)
        digits = _LAST_DIGITS.search(stem)
        if digits and suffix.lower() in PICTURES and not name.startswith("."):
            if len(digits[1].lstrip("0")) > _LONGEST_NUMBER:
                raise InputError(
                    f"{folder}: '{name}' has number {digits[1]}, expected {_LONGEST_NUMBER} digits at most"
                )
            pictures.append((int(digits[1]), name))
    if not pictures:
        raise InputError(f"{folder}: holds no picture with a number in its name, expected {', '.join(PICTURES)}")
    return sorted(pictures)


def numbered(folder: Path) -> dict[int, Path]:
    """The pictures of a folder by their numbers; InputError where it holds none."""
    return {number: Path(folder) / name for number, name in _all_numbered(Path(folder))}


def read_picture(path: Path) -> np.ndarray:
    """RGB picture `(H, W, 3)` of a file; AbsentError where there is none, InputError where it cannot be read."""
    if not Path(path).is_file():
        raise AbsentError(f"{path}: no such picture")
    return _read_picture(Path(path))[0]


def _read_picture(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """RGB picture of a file, and its bytes where they are JPEG."""
    import cv2

    data = np.fromfile(path, np.uint8)
    try:
        rgb = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB) if data.size else None
    except cv2.error:  # larger than OpenCV reads
        rgb = None
    if rgb is None:
        raise InputError(f"{path}: {data.size} bytes that cannot be read as a picture")
    return rgb, data if data[:2].tobytes() == b"\xff\xd8" else None


def extract(
    path: Path,
    *,
    first: int | None = None,
    last: int | None = None,
    quality: int = 90,
    max_height: int | None = None,
    fps: float | None = None,
) -> tuple[dict[str, np.ndarray], dict[str, float | int]]:
    """Arrays and facts of one video for a frame store.

    Parameters
    ----------
    path : a video file, or a folder of numbered pictures
    first, last : frames to keep, inclusive; None means from the beginning, to the end
    quality : of the JPEG pictures, 1 to 100; JPEG files that keep their size also keep their bytes
    max_height : taller frames are reduced to this height, with their aspect ratio kept
    fps : frames a second of a folder, 25 where it is None; a video file says it itself

    Returns
    -------
    arrays : `jpeg` (bytes of all pictures, end to end), `offset` (T + 1,), `frame_number` (T,), `time` (T,) in seconds
    facts : width, height (of the stored pictures), source_height, fps (the mean where the rate varies)

    Raises
    ------
    AbsentError
        Nothing is there.
    InputError
        It cannot be read, lacks frames, has one twice, or its pictures differ in size.
    """
    import cv2

    facts = probe(path, fps=fps)
    pictures, numbers, times = [], [], []
    source, shape = None, (0, 0)
    for number, time, rgb, jpeg in _frames(path, first, last, fps):
        source = source or rgb.shape[:2]
        if rgb.shape[:2] != source:
            raise InputError(
                f"{path}: frame {number} has {_size(rgb.shape)} pixels, expected {_size(source)} as before"
            )
        if max_height is not None and rgb.shape[0] > max_height:
            width = max(1, round(rgb.shape[1] * max_height / rgb.shape[0]))
            rgb, jpeg = cv2.resize(rgb, (width, max_height), interpolation=cv2.INTER_AREA), None
        shape = rgb.shape[:2]
        pictures.append(encode_jpeg(rgb, quality) if jpeg is None else jpeg)
        numbers.append(number)
        times.append(time)
    if not pictures:
        raise InputError(
            f"{path}: no frame could be read from frame {first or 0} on, expected a video of {facts.n_frames} frames"
        )
    if last is not None and numbers[-1] < last:
        raise InputError(f"{path}: ends at frame {numbers[-1]}, expected frames {first or 0} to {last}")
    if last is None and not Path(path).is_dir() and numbers[-1] + 1 < facts.n_frames:
        log.warning("%s: ends after %d of about %d frames, it may be cut short", path, numbers[-1] + 1, facts.n_frames)
    offset = np.cumsum([0, *(len(picture) for picture in pictures)], dtype=np.int64)
    arrays = {
        "jpeg": np.concatenate(pictures),
        "offset": offset,
        "frame_number": np.array(numbers, np.int32),
        "time": np.array(times),
    }
    rate = facts.fps if Path(path).is_dir() else _rate(times, facts.fps or FOLDER_FPS)
    return arrays, dict(width=shape[1], height=shape[0], source_height=source[0], fps=rate)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]}"


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

    def take(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        """The pictures of some frames, in any order, by one read of the bytes between the first and the last."""
        begin = self._offset[min(indices)]
        jpeg = self._store.array(self._video_id, "jpeg", slice(begin, self._offset[max(indices) + 1]))
        for index in indices:
            start, end = self._offset[index] - begin, self._offset[index + 1] - begin
            yield decode_jpeg(jpeg[start:end])


def write_video(path: Path, pictures: Iterable[np.ndarray], *, fps: float) -> None:
    """Pictures (H, W, 3) uint8 RGB of one size to an MPEG-4 file, which appears under its name when it is whole.

    OpenCV is silent when a film cannot be written; InputError where fewer frames stand in it than were given.
    """
    import cv2

    given, writer = 0, None
    with stores.replacing(path, suffix=Path(path).suffix) as temporary:
        try:
            for picture in pictures:
                if writer is None:
                    size = (picture.shape[1], picture.shape[0])
                    writer = cv2.VideoWriter(str(temporary), cv2.VideoWriter_fourcc(*"mp4v"), fps, size)
                writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))  # a tenth of the time of a reversed view's copy
                given += 1
        finally:
            if writer is not None:
                writer.release()
        written = _frames_in(temporary)
        if not given or written != given:
            raise InputError(f"{path}: {written} of {given} frames could be written as MPEG-4 video; is the disk full?")


def _frames_in(path: Path) -> int:
    """Frames of a film by its index, which is written last; 0 where it cannot be opened."""
    try:
        return probe(path).n_frames
    except InputError:
        return 0


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
        raise AbsentError(f"{path}: no such video file or folder of pictures")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty, expected a video")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise InputError(f"{path}: cannot be opened as a video")
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # turns a phone's film upright, sides included
    return capture
