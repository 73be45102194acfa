"""Keypoints from files that another estimator wrote: npz, csv or json, never a pickle. Nothing is estimated here.

npz   `keypoints` (T, K, C); optional `fps` and `keypoint_set`
csv   a row a point: `frame` (from 0), `keypoint` (name, or number from 0), `x`, `y`, with three dimensions `z`, and
      optional `confidence`; points without a row, or with an empty x, were not found
json  `{"keypoint_set": ..., "fps": ..., "keypoints": [[[x, y, confidence], ...], ...]}`, or what mmpose's inferencer
      saves for a video, `{"instance_info": [{"instances": [{"keypoints": ..., "keypoint_scores": ...}]}]}` with an
      entry a frame, of which the most confident person of each frame is taken

json  COCO annotations or results whose people have `keypoints` x, y, v of every point (see `coco.py`); v is 0, 1, 2 in
      annotations, which becomes a confidence of 0, 0.5, 1, and a confidence in results. Points at 0, 0 with v = 0 are
      missing. Of several people in a frame the largest of those with most `score` is taken, by `bbox` or `area`
npz   `pred` (T, 16, 2 or 3), or anything that can be reshaped to it, as the pose files of FineDiving: 16 points of MPII
folder of `*_keypoints.json`, a file a frame, as OpenPose writes them; BODY_25 (`body_25`) or COCO (`openpose_18`).
      The number before `_keypoints` orders the frames; of several people the one with most confidence in all

C is the two or three coordinates of the keypoint set, pixels or metres, and a confidence, which is 1 where it is
missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aqa_pipeline import coco, keypoint_sets, untrusted
from aqa_pipeline.errors import AbsentError, InputError, nearest

if TYPE_CHECKING:
    import pandas as pd

LONGEST = 100_000  # frames: more than an hour at 25 a second; a frame number beyond it is a mistake

_SET_OF_COUNT = {17: "coco_17", 133: "coco_wholebody_133"}  # 16 and 18 points are ordered in more than one way


def of_sample(sample: pd.Series) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and facts of one sample for a keypoint store, cut to its first and last frame.

    Raises
    ------
    InputError
        The file cannot be used, or nothing says how many frames a second it has.
    """
    keypoints, facts = read(Path(sample["path"]), keypoint_set=_given(sample, "keypoint_set"))
    facts.setdefault("fps", _given(sample, "fps"))
    if facts["fps"] is None:
        raise InputError(f"{sample['path']}: says no frames a second, expected them in the file or the samples' fps")
    first, last = _given(sample, "first_frame") or 0, _given(sample, "last_frame")
    last = len(keypoints) - 1 if last is None else last
    if not first <= last < len(keypoints):
        raise InputError(f"{sample['path']}: has {len(keypoints)} frames, expected frames {first} to {last}")
    return {"keypoints": keypoints[first : last + 1]}, facts


def read(path: Path, *, keypoint_set: str | None = None) -> tuple[np.ndarray, dict[str, Any]]:
    """Keypoints of a file and what it says of them.

    Parameters
    ----------
    path : npz, csv or json, or a folder of OpenPose's
    keypoint_set : what the points are, where the file does not say it; 17 and 133 points are taken for those of COCO

    Returns
    -------
    keypoints : (T, K, 3 or 4) float32, coordinates and confidence; NaN where a point was not found
    facts : `keypoint_set`, and `fps` where the file says it

    Raises
    ------
    InputError
        Names the file, and the row where there are rows.
    """
    if path.is_dir():
        return _finished(path, *_read_openpose(path), keypoint_set)
    readers = {".npz": _read_npz, ".csv": _read_csv, ".json": _read_json}
    if path.suffix.lower() not in readers:
        raise InputError(f"{path}: found '{path.suffix}', expected a keypoint file: {', '.join(readers)}")
    if not path.is_file():
        raise AbsentError(f"{path}: no such keypoint file")
    return _finished(path, *readers[path.suffix.lower()](path, keypoint_set), keypoint_set)


def _finished(
    path: Path, raw: np.ndarray, said: Mapping[str, Any], keypoint_set: str | None
) -> tuple[np.ndarray, dict[str, Any]]:
    """Keypoints and facts of what was read, under the set that the file names or the caller."""
    name = said.get("keypoint_set") or keypoint_set or _SET_OF_COUNT.get(raw.shape[1] if raw.ndim == 3 else 0)
    if name is None:
        raise InputError(f"{path}: keypoints of shape {raw.shape} and no keypoint_set, expected its name")
    facts: dict[str, Any] = {"keypoint_set": name}
    if said.get("fps") is not None:
        facts["fps"] = _rate(path, said["fps"])
    return _with_confidence(path, raw, keypoint_sets.get(name)), facts


def _with_confidence(path: Path, raw: np.ndarray, points: keypoint_sets.KeypointSet) -> np.ndarray:
    """(T, K, dimensions + 1) float32 with whole rows of NaN where any number is missing."""
    c = points.dimensions
    if raw.ndim != 3 or raw.shape[0] == 0 or raw.shape[1] != len(points) or raw.shape[2] not in (c, c + 1):
        raise InputError(
            f"{path}: keypoints of shape {raw.shape}, expected (T, {len(points)}, {c} or {c + 1}) for {points.name}"
        )
    if raw.shape[2] == c:
        raw = np.concatenate([raw, np.ones((*raw.shape[:2], 1))], axis=2)
    with np.errstate(over="ignore"):
        keypoints = raw.astype(np.float32)
    if np.isinf(keypoints).any():
        raise InputError(f"{path}: {int(np.isinf(keypoints).sum())} numbers are infinite, expected coordinates")
    keypoints[np.isnan(keypoints).any(axis=2)] = np.nan
    if np.isnan(keypoints).all():
        raise InputError(f"{path}: no point was found in any frame")
    return keypoints


def _read_npz(path: Path, _: str | None) -> tuple[np.ndarray, dict[str, Any]]:
    arrays = untrusted.read_npz(path)
    if "pred" in arrays and "keypoints" not in arrays:
        return _of_finediving(path, _numbers(path, arrays["pred"])), {"keypoint_set": "mpii_16"}
    if "keypoints" not in arrays:
        raise InputError(f"{path}: no array 'keypoints', {nearest('keypoints', arrays)}")
    said = {name: arrays[name].item() for name in ("fps", "keypoint_set") if name in arrays and arrays[name].size == 1}
    return _numbers(path, arrays["keypoints"]), said


def _of_finediving(path: Path, found: np.ndarray) -> np.ndarray:
    """`pred` of a pose file of FineDiving as (T, 16, 2 or 3)."""
    last = found.shape[-1] if found.ndim else 0
    if last == 32:  # x and y of the points, end to end
        return found.reshape(-1, 16, 2)
    if last not in (2, 3) or found.size % (16 * last):
        raise InputError(f"{path}: pred of shape {found.shape}, expected (T, 16, 2) or (T, 16, 3)")
    return found.reshape(-1, 16, last)


def _read_json(path: Path, _: str | None) -> tuple[np.ndarray, dict[str, Any]]:
    found = untrusted.read_json(path)
    if isinstance(found, dict) and "keypoints" in found:
        said = {name: found.get(name) for name in ("fps", "keypoint_set")}
        if not isinstance(said["keypoint_set"], str | None):
            raise InputError(f"{path}: keypoint_set {said['keypoint_set']!r}, expected a name")
        return _numbers(path, found["keypoints"]), said
    if isinstance(found, dict) and isinstance(found.get("instance_info"), list):
        return _of_mmpose(path, found["instance_info"]), {}
    if coco.is_coco(found):
        return _of_coco(path, found), {}
    raise InputError(f"{path}: found neither 'keypoints' nor 'instance_info' nor COCO's form, expected one of them")


def _of_coco(path: Path, found: Any) -> np.ndarray:
    frames, _ = coco.by_frame(path, found)
    are_marks = isinstance(found, Mapping)  # annotations mark points as 0 missing, 1 hidden, 2 seen
    people = [_foremost(path, t, [p for p in people if p.get("keypoints")]) for t, people in enumerate(frames)]
    return _stacked(path, [None if p is None else _triplets(path, t, p, are_marks) for t, p in enumerate(people)])


def _foremost(path: Path, frame: int, people: list[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The person with most score, and among equals the largest."""

    def rank(person: Mapping[str, Any]) -> tuple[float, float]:
        what = f"frame {frame}: score and bbox"
        box = person.get("bbox") or [0, 0, 0, person.get("area") or 0]
        score, *box = untrusted.numbers_of(
            path, [person.get("score") or 0, *(box if isinstance(box, list) else [box])], what
        )
        if len(box) != 4:
            raise InputError(f"{path}: frame {frame}: bbox of {len(box)} numbers, expected 4")
        return score, (box[2] if person.get("bbox") else 1) * box[3]

    return max(people, key=rank, default=None)


def _triplets(path: Path, frame: int, person: Mapping[str, Any], are_marks: bool) -> np.ndarray:
    """(K, 3) of a flat list x, y, v; NaN where a point is missing."""
    points = _numbers(path, person["keypoints"])
    if points.ndim != 1 or points.size % 3:
        raise InputError(f"{path}: frame {frame}: keypoints of shape {points.shape}, expected x, y, v of each point")
    points = points.reshape(-1, 3)
    points[(points == 0).all(axis=1)] = np.nan
    return points / [1, 1, 2 if are_marks else 1]


def _read_openpose(folder: Path) -> tuple[np.ndarray, dict[str, Any]]:
    """The surest person of every file, in the order of their frames."""
    files = {}
    for file in folder.glob("*_keypoints.json"):
        number = file.name.removesuffix("_keypoints.json").rpartition("_")[2]
        if number in files:
            raise InputError(f"{folder}: '{file.name}' and '{files[number].name}' are both of frame {number}")
        files[number] = file
    if not files:
        raise InputError(f"{folder}: holds no '*_keypoints.json', expected those that OpenPose writes, one a frame")
    numbered = sorted((untrusted.index_of(folder, 0, "number of frame", n, most=LONGEST), f) for n, f in files.items())
    if numbered[-1][0] - numbered[0][0] + 1 != len(numbered):
        raise InputError(
            f"{folder}: {len(numbered)} files of frames {numbered[0][0]} to {numbered[-1][0]}, expected all"
        )
    raw = _stacked(folder, [_of_openpose(file) for _, file in numbered])
    names = {25: "body_25", 18: "openpose_18"}
    return raw, {"keypoint_set": names[raw.shape[1]]} if raw.shape[1] in names else {}


def _of_openpose(path: Path) -> np.ndarray | None:
    found = untrusted.read_json(path)
    people = found.get("people") if isinstance(found, Mapping) else None
    if not isinstance(people, list) or not all(isinstance(p, Mapping) and "pose_keypoints_2d" in p for p in people):
        raise InputError(f"{path}: found {untrusted.shown(found)}, expected 'people' with 'pose_keypoints_2d'")
    bodies = [_triplets(path, 0, {"keypoints": person["pose_keypoints_2d"]}, False) for person in people]
    return max(bodies, key=lambda body: np.nansum(body[:, 2]), default=None)


def _of_mmpose(path: Path, frames: list[Any]) -> np.ndarray:
    """The most confident person of every frame; frames without one are NaN."""
    return _stacked(path, [_most_confident(path, number, frame) for number, frame in enumerate(frames)])


def _stacked(path: Path, people: list[np.ndarray | None]) -> np.ndarray:
    """(T, K, C) of one person a frame, NaN where there is none."""
    shapes = {person.shape for person in people if person is not None}
    if len(shapes) != 1:
        raise InputError(f"{path}: people with keypoints of {sorted(shapes) or 'no'} shapes, expected one shape")
    nobody = np.full(shapes.pop(), np.nan)
    return np.stack([nobody if person is None else person for person in people])


def _most_confident(path: Path, number: int, frame: Any) -> np.ndarray | None:
    best, best_score = None, -math.inf
    people = frame.get("instances") if isinstance(frame, Mapping) else None
    if not isinstance(people, list):
        raise InputError(f"{path}: frame {number}: no list 'instances', expected the people of the frame")
    for person in people:
        if not isinstance(person, Mapping) or not {"keypoints", "keypoint_scores"} <= set(person):
            raise InputError(f"{path}: frame {number}: a person without keypoints and keypoint_scores")
        points, scores = _numbers(path, person["keypoints"]), _numbers(path, person["keypoint_scores"])
        if points.ndim != 2 or scores.shape != points.shape[:1]:
            raise InputError(
                f"{path}: frame {number}: keypoints {points.shape} and keypoint_scores {scores.shape} do not fit"
            )
        if scores.size and scores.mean() > best_score:
            best, best_score = np.concatenate([points, scores[:, None]], axis=1), scores.mean()
    return best


def _read_csv(path: Path, keypoint_set: str | None) -> tuple[np.ndarray, dict[str, Any]]:
    header, rows = untrusted.read_csv(path, ("frame", "keypoint", "x", "y"))
    names = keypoint_sets.get(keypoint_set).names if keypoint_set else ()
    values = [column for column in ("x", "y", "z", "confidence") if column in header]
    points: dict[tuple[int, int], list[float]] = {}
    for number, row in rows:
        frame = untrusted.index_of(path, number, "frame", row["frame"], most=LONGEST)
        place = (frame, _keypoint(path, number, row["keypoint"], names))
        if place in points:
            raise InputError(f"{path}: row {number}: keypoint '{row['keypoint']}' stands twice in frame {frame}")
        points[place] = [untrusted.number_of(path, number, column, row[column]) for column in values]
    if not points:
        raise InputError(f"{path}: holds no point, expected at least one row")
    return _placed(path, points, names), {}


def _placed(path: Path, points: dict[tuple[int, int], list[float]], names: tuple[str, ...]) -> np.ndarray:
    """(T, K, C) from numbers by frame and keypoint, NaN elsewhere."""
    last = max(k for _, k in points)
    n_points = len(names) or last + 1
    if not names and n_points not in _SET_OF_COUNT:
        raise InputError(f"{path}: keypoints 0 to {last} and no keypoint_set, expected its name")
    if last >= n_points:
        raise InputError(f"{path}: keypoint {last}, expected 0 to {n_points - 1}")
    array = np.full((1 + max(t for t, _ in points), n_points, len(next(iter(points.values())))), np.nan)
    for place, point in points.items():
        array[place] = point
    return array


def _keypoint(path: Path, row: int, text: str, names: tuple[str, ...]) -> int:
    if text in names:
        return names.index(text)
    if names and not text.isdigit():
        raise InputError(f"{path}: row {row}, column keypoint: found {text!r:.40}, {nearest(text, names)}")
    return untrusted.index_of(path, row, "keypoint", text, most=LONGEST)


def _numbers(path: Path, values: Any) -> np.ndarray:
    return untrusted.array_of(path, values, "keypoints")


def _rate(path: Path, value: Any) -> float:
    if isinstance(value, int | float) and 0 < value < 1e6:
        return float(value)
    raise InputError(f"{path}: fps {value!r}, expected a number above 0")


def _given(sample: Any, column: str) -> Any:
    """A value of a sample, None where the column or the value is missing."""
    import pandas as pd

    value = sample.get(column)
    return None if pd.isna(value) else value
