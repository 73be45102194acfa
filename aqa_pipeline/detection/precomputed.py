"""People's boxes from files that another detector wrote, one a video; nothing is detected here.

A file lies at `<folder>/<video id>` with one of these endings:

.csv    a row a box: `frame`, `x1`, `y1`, `x2`, `y2` in pixels, and optional `confidence`; other columns do not matter
.npz    `boxes` (T, C) or, with up to N people a frame, (T, N, C), C = 4 or 5: x1, y1, x2, y2 and a confidence, NaN
        where there is nobody; optional `frame` (T,), the number of the frame of each row
.json   COCO annotations or results, whose `bbox` is x, y, width, height and whose `score` is optional (see `coco.py`);
        or records with `image`, `center` and `scale` as MPII has them: a square of 200 scale pixels around the centre,
        in the frame whose number ends the name of the image

Frame numbers are those of the video, from 0 (for a folder of pictures those in their names), also where a clip begins
later. Rows that bear no number must be as many as the clip's frames. A missing confidence is 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from aqa_pipeline import coco, untrusted
from aqa_pipeline.errors import AbsentError, InputError, nearest
from aqa_pipeline.untrusted import shown

LONGEST = 10_000_000  # frames: whole broadcasts in one folder of pictures
NOBODY = np.zeros((0, 5), np.float32)

_LAST_DIGITS = re.compile(r"([0-9]{1,9})[^0-9]*$")


@dataclass(frozen=True)
class Boxes:
    """People of a file: a row of boxes (N, 5) a frame, and the frames' numbers where it says them."""

    rows: list[np.ndarray]
    numbers: list[int] | None

    def of_frames(self, path: Path, wanted: np.ndarray) -> list[np.ndarray]:
        """The boxes of the frames numbered `wanted (T,)`, best first."""
        if self.numbers is None:
            if len(self.rows) != len(wanted):
                raise InputError(f"{path}: boxes of {len(self.rows)} frames, expected the {len(wanted)} of the clip")
            return self.rows
        known = dict(zip(self.numbers, self.rows, strict=True))
        if not known.keys() & set(wanted.tolist()):
            raise InputError(f"{path}: no box in frames {wanted[0]} to {wanted[-1]}, which are the clip's")
        return [known.get(int(number), NOBODY) for number in wanted]


class Detector:
    """Boxes from the files of a folder; see `for_video`."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InputError(f"folder: found '{folder}', expected a folder with a file of boxes for each video")
        self._folder = folder

    def for_video(self, video_id: str, numbers: np.ndarray) -> Callable[[Iterable[np.ndarray]], Iterator[np.ndarray]]:
        """A detector for the frames of one video, which bear the `numbers (T,)`.

        Raises
        ------
        AbsentError
            The video has no file.
        InputError
            Its file cannot be used.
        """
        path = self._file(video_id)
        boxes = read(path).of_frames(path, np.asarray(numbers))

        def detect(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
            for _, found in zip(frames, boxes, strict=True):
                yield found

        return detect

    def __call__(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        raise InputError("boxes from files belong to a video, expected a call of for_video with its name")

    def _file(self, video_id: str) -> Path:
        if ".." in PurePosixPath(video_id).parts or PurePosixPath(video_id).is_absolute():
            raise InputError(f"video '{video_id}' leads out of {self._folder}, expected a name inside it")
        for suffix in READERS:
            path = self._folder / f"{video_id}{suffix}"
            if path.is_file():
                return path
        raise AbsentError(f"{self._folder / video_id}: no file of boxes, expected {' or '.join(READERS)}")


def build(*, device: str = "cpu", folder: str) -> Detector:
    """Boxes of the files in `folder`; the device does not matter."""
    return Detector(Path(folder))


def read(path: Path) -> Boxes:
    """The boxes of a file.

    Raises
    ------
    InputError
        Names the file, and the row or frame.
    """
    if path.suffix.lower() not in READERS:
        raise InputError(f"{path}: found '{path.suffix}', expected a file of boxes: {', '.join(READERS)}")
    return READERS[path.suffix.lower()](path)


def _read_csv(path: Path) -> Boxes:
    header, rows = untrusted.read_csv(path, ("frame", "x1", "y1", "x2", "y2"))
    columns = ["x1", "y1", "x2", "y2", *(["confidence"] if "confidence" in header else [])]
    found: dict[int, list[list[float]]] = {}
    for number, row in rows:
        frame = untrusted.index_of(path, number, "frame", row["frame"], most=LONGEST)
        box = [untrusted.number_of(path, number, column, row[column]) for column in columns]
        found.setdefault(frame, []).append(box)
    return _by_number(path, found)


def _read_npz(path: Path) -> Boxes:
    arrays = untrusted.read_npz(path)
    if "boxes" not in arrays:
        raise InputError(f"{path}: no array 'boxes', {nearest('boxes', arrays)}")
    boxes = untrusted.array_of(path, arrays["boxes"], "boxes")
    if boxes.ndim not in (2, 3) or boxes.shape[-1] not in (4, 5):
        raise InputError(f"{path}: boxes of shape {boxes.shape}, expected (T, 4 or 5) or (T, N, 4 or 5)")
    rows = [_people(path, f"row {row}", people) for row, people in enumerate(boxes)]
    if "frame" not in arrays:
        return Boxes(rows, None)
    numbers = arrays["frame"]
    if numbers.dtype.kind not in "iu" or numbers.shape != (len(rows),) or len(set(numbers.tolist())) != len(rows):
        raise InputError(f"{path}: frame of shape {numbers.shape}, expected a whole number of its own for each row")
    return Boxes(rows, numbers.tolist())


def _read_json(path: Path) -> Boxes:
    value = untrusted.read_json(path)
    if coco.is_coco(value):
        frames, are_all = coco.by_frame(path, value)
        rows = [_people(path, f"frame {t}", [_of_coco(path, p) for p in people]) for t, people in enumerate(frames)]
        return Boxes(rows, None if are_all else list(range(len(rows))))
    if isinstance(value, list) and value and all(_is_mpii(record) for record in value):
        found: dict[int, list[Any]] = {}
        for record in value:
            found.setdefault(_number_of(path, record["image"]), []).append(_of_mpii(path, record))
        return _by_number(path, found)
    raise InputError(f"{path}: found {shown(value)}, expected COCO annotations or results, or records as MPII has them")


def _of_coco(path: Path, person: Mapping[str, Any]) -> list[float]:
    x, y, width, height = _numbers(path, person.get("bbox"), 4, "bbox")
    (score,) = _numbers(path, [1.0 if person.get("score") is None else person["score"]], 1, "score")
    return [x, y, x + width, y + height, score]


def _is_mpii(record: Any) -> bool:
    return isinstance(record, Mapping) and {"image", "center", "scale"} <= set(record)


def _of_mpii(path: Path, record: Mapping[str, Any]) -> list[float]:
    x, y = _numbers(path, record["center"], 2, "center")
    (half,) = _numbers(path, [record["scale"]], 1, "scale")
    return [x - 100 * half, y - 100 * half, x + 100 * half, y + 100 * half]


def _number_of(path: Path, image: Any) -> int:
    digits = _LAST_DIGITS.search(PurePosixPath(image).stem) if isinstance(image, str) else None
    if digits is None:
        raise InputError(f"{path}: image {shown(image)}, expected a name that ends with the number of its frame")
    return int(digits[1])


def _numbers(path: Path, values: Any, count: int, what: str) -> list[float]:
    found = list(untrusted.numbers_of(path, values, what))
    if len(found) != count:
        raise InputError(f"{path}: {what} of {len(found)} numbers, expected {count}")
    return found


def _by_number(path: Path, found: Mapping[int, list[Any]]) -> Boxes:
    if not found:
        raise InputError(f"{path}: holds no box, expected at least one")
    return Boxes([_people(path, f"frame {n}", people) for n, people in found.items()], list(found))


def _people(path: Path, where: str, boxes: Any) -> np.ndarray:
    """(N, 5) float32 of those that are there, best first."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, np.shape(boxes)[-1] if np.size(boxes) else 5)
    if boxes.shape[1] == 4:
        boxes = np.concatenate([boxes, np.ones((len(boxes), 1))], axis=1)
    boxes = boxes[~np.isnan(boxes).any(axis=1)]
    with np.errstate(over="ignore"):
        boxes = boxes.astype(np.float32)
    wrong = ~np.isfinite(boxes).all(axis=1) | (boxes[:, 2:4] < boxes[:, :2]).any(axis=1)
    if wrong.any():
        raise InputError(f"{path}: {where}: box {boxes[wrong][0].tolist()}, expected x1 <= x2 and y1 <= y2 in pixels")
    return boxes[np.argsort(-boxes[:, 4], kind="stable")]


READERS = {".csv": _read_csv, ".npz": _read_npz, ".json": _read_json}
