"""Boxes and keypoints of a store in the forms that other programs read: COCO's JSON, CSV and parquet.

CSV and parquet hold a row a point: `video_id`, `frame` (from 0 within the video), `time` in seconds, `keypoint`, `x`,
`y`, for three dimensions `z`, and `confidence`; of boxes a row a frame with `x1`, `y1`, `x2`, `y2` and `confidence`.
A point that was not found keeps its row, with nothing in it. Where any video of the store holds a synchronised pair, a
column `athlete` (0 or 1) follows the `video_id`. The CSV of one video is read back by `pose/precomputed.py`.

COCO's JSON has an image a frame and an annotation an athlete; frames without one have no annotation. Beside it,
`NAME.results.json` holds the annotations alone, with confidences, as pycocotools' `loadRes` takes them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from aqa_pipeline import keypoint_sets, stores
from aqa_pipeline.errors import InputError, nearest

if TYPE_CHECKING:
    import pandas as pd

FORMATS = {"coco": ".json", "csv": ".csv", "parquet": ".parquet"}


@dataclass(frozen=True)
class _Source:
    """An open store, what it holds, which of its videos are meant, and the frame store that knows their times."""

    store: stores.Reader
    kind: str
    videos: Sequence[str]
    frames: Path | None = None

    def athletes(self, video_id: str) -> list[np.ndarray]:
        """The arrays of the athlete and, where there is one, of the partner."""
        names = self.store.names(video_id, self.kind, f"partner_{self.kind}")
        return [self.store.array(video_id, name) for name in names]

    def times(self, video_id: str, n_frames: int) -> np.ndarray:
        if self.frames is None:
            return np.arange(n_frames) / float(self.store.facts(video_id)["fps"])
        with stores.read(self.frames, kind="frames") as clips:
            times = clips.array(video_id, "time")
        if len(times) != n_frames:
            raise InputError(f"{self.frames}: '{video_id}' has {len(times)} frames, {self.store.path} has {n_frames}")
        return times


def export(store: Path, out: Path, *, to: str = "", frames: Path | None = None, videos: Sequence[str] = ()) -> None:
    """Write the boxes or keypoints of a store to OUT, video by video; it appears under its name when it is whole.

    Parameters
    ----------
    to : coco, csv or parquet, by default what the suffix of `out` says
    frames : the frame store, whose times are given where the rate varies; otherwise time is frame / fps
    videos : ids, by default all

    Raises
    ------
    InputError
        Not a store of boxes or keypoints, no such video, an unknown format, or keypoints that COCO cannot hold.
    """
    to = to or next((name for name, suffix in FORMATS.items() if suffix == out.suffix.lower()), out.suffix)
    if to not in FORMATS:
        raise InputError(f"--to: no '{to}', {nearest(to, FORMATS)}")
    kind = stores.kind(store)
    if kind not in ("boxes", "keypoints"):
        raise InputError(f"{store}: holds {kind}, expected boxes or keypoints")
    with stores.read(store, kind=kind) as found:
        for video_id in videos or found:
            if video_id not in found:
                raise InputError(f"--video: {store} has no '{video_id}', {nearest(video_id, found)}")
        if not len(found):
            raise InputError(f"{store}: holds no video, expected at least one")
        source = _Source(found, kind, list(videos or found), frames)
        {"coco": _to_coco, "csv": _to_csv, "parquet": _to_parquet}[to](source, out)


def tables(source: _Source) -> Iterator[pd.DataFrame]:
    """The rows of one video after the other, all with the same columns."""
    import pandas as pd

    paired = any(len(source.athletes(video_id)) > 1 for video_id in source.videos)
    for video_id in source.videos:
        parts = []
        for athlete, array in enumerate(source.athletes(video_id)):
            times = source.times(video_id, len(array))
            table = _table(source.store.facts(video_id), source.kind, array, times)
            table.insert(0, "video_id", video_id)
            if paired:
                table.insert(1, "athlete", athlete)
            parts.append(table)
        yield pd.concat(parts, ignore_index=True)


def _table(facts: dict[str, Any], kind: str, array: np.ndarray, times: np.ndarray) -> pd.DataFrame:
    """A row a frame of boxes (T, 5), a row a point of keypoints (T, K, 3 or 4)."""
    import pandas as pd

    number = np.arange(len(array), dtype=np.int32)
    if kind == "boxes":
        columns = dict(zip(("x1", "y1", "x2", "y2", "confidence"), array.T, strict=True))
        return pd.DataFrame({"frame": number, "time": times, **columns})
    points = keypoint_sets.get(facts["keypoint_set"])
    names = [*"xyz"[: points.dimensions], "confidence"]
    columns = dict(zip(names, array.reshape(-1, array.shape[2]).T, strict=True))
    each = len(points)
    return pd.DataFrame(
        {"frame": number.repeat(each), "time": times.repeat(each), "keypoint": points.names * len(array), **columns}
    )


def _to_csv(source: _Source, out: Path) -> None:
    with stores.replacing(out) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        for number, table in enumerate(tables(source)):
            table.to_csv(file, index=False, header=number == 0, lineterminator="\n")


def _to_parquet(source: _Source, out: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    writer = None
    with stores.replacing(out) as temporary:
        try:
            for table in tables(source):
                rows = pyarrow.Table.from_pandas(table, preserve_index=False)
                writer = writer or parquet.ParquetWriter(temporary, rows.schema)
                writer.write_table(rows)
        finally:
            if writer is not None:
                writer.close()


def _to_coco(source: _Source, out: Path) -> None:
    category = _category(source)
    with stores.replacing(out) as temporary, temporary.open("w") as file:
        file.write(f'{{"categories": {json.dumps([category])}, "images": [')
        _write_list(file, _images(source))
        file.write('], "annotations": [')
        _write_list(file, _annotations(source))
        file.write("]}\n")
    with stores.replacing(out.with_name(f"{out.stem}.results.json")) as temporary, temporary.open("w") as file:
        file.write("[")
        _write_list(file, _results(source))
        file.write("]\n")


def _write_list(file: TextIO, entries: Iterator[dict[str, Any]]) -> None:
    for number, entry in enumerate(entries):
        file.write(f"{',' if number else ''}\n{json.dumps(entry)}")


def _category(source: _Source) -> dict[str, Any]:
    """A person, with the names of its keypoints and its skeleton, whose numbers begin at 1 in COCO."""
    category: dict[str, Any] = {"id": 1, "name": "person", "supercategory": "person"}
    if source.kind == "boxes":
        return category
    names = {source.store.facts(video_id)["keypoint_set"] for video_id in source.videos}
    if len(names) != 1:
        raise InputError(f"{source.store.path}: keypoints of {sorted(names)}, expected one keypoint set for COCO")
    points = keypoint_sets.get(names.pop())
    if points.dimensions != 2:
        raise InputError(f"{source.store.path}: {points.name} has {points.dimensions} dimensions, expected 2 for COCO")
    return {**category, "keypoints": list(points.names), "skeleton": [[a + 1, b + 1] for a, b in points.edges]}


def _images(source: _Source) -> Iterator[dict[str, Any]]:
    image = 0
    for video_id in source.videos:
        facts = {name: value for name, value in source.store.facts(video_id).items() if name in ("width", "height")}
        for frame in range(len(source.athletes(video_id)[0])):
            image += 1
            name = f"{video_id}/{frame:06d}.jpg"
            yield {"id": image, "file_name": name, "video_id": video_id, "frame": frame, **facts}


def _results(source: _Source) -> Iterator[dict[str, Any]]:
    """What was found, frame by frame: COCO's form for results."""
    begun = 1
    for video_id in source.videos:
        athletes = source.athletes(video_id)
        for frame in range(len(athletes[0])):
            for athlete, array in enumerate(athletes):
                found = array[frame].astype(float)
                if np.isfinite(found).any():
                    of_pair = {"athlete": athlete} if len(athletes) > 1 else {}
                    yield {"image_id": begun + frame, "category_id": 1, **of_pair, **_result(found, source.kind)}
        begun += len(athletes[0])


def _result(found: np.ndarray, kind: str) -> dict[str, Any]:
    """A box (5,) as x, y, width, height; keypoints (K, 3) in one row, zeros where a point was not found."""
    if kind == "boxes":
        x1, y1, x2, y2, confidence = found.round(3).tolist()
        return {"bbox": [x1, y1, round(x2 - x1, 3), round(y2 - y1, 3)], "score": confidence}
    return {"keypoints": np.nan_to_num(found).round(3).ravel().tolist(), "score": float(np.nanmean(found[:, 2]))}


def _annotations(source: _Source) -> Iterator[dict[str, Any]]:
    """As `_results`, in COCO's form for labels: a point is there (2) or not (0)."""
    for number, result in enumerate(_results(source), start=1):
        if source.kind == "keypoints":
            points = np.reshape(result["keypoints"], (-1, 3))
            seen = points.any(axis=1)
            low, high = points[seen, :2].min(axis=0), points[seen, :2].max(axis=0)
            points[:, 2] = np.where(seen, 2, 0)
            result["keypoints"], result["num_keypoints"] = points.ravel().tolist(), int(seen.sum())
            result["bbox"] = [*low.tolist(), *(high - low).round(3).tolist()]
        area = result["bbox"][2] * result["bbox"][3]
        yield {"id": number, **result, "area": area, "iscrowd": 0}
