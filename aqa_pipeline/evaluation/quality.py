"""Stage outputs against the truth that a simulated data set keeps: boxes, keypoints, and faults read from keypoints.

What a stage left out counts as wrong: a video without boxes has a miss in every frame.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aqa_pipeline import keypoint_sets, stores
from aqa_pipeline.errors import InputError
from aqa_pipeline.evaluation import pose_quality

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["stage", "name", "measure", "group", "value", "n"]
PARTS = {"body": range(17), "feet": range(17, 23), "face": range(23, 91), "hands": range(91, 133)}  # of 133 points


def by_folder(paths: Sequence[Path]) -> dict[str, list[Path]]:
    """Stores by the folder they lie in, which bears the name of the detector or of `detector.estimator`."""
    found: dict[str, list[Path]] = {}
    for path in map(Path, paths):
        found.setdefault(path.parent.name, []).append(path)
    return found


def detection_rows(name: str, truth: Sequence[Path], boxes: Sequence[Path]) -> list[dict[str, Any]]:
    """`COLUMNS` for the boxes of a detector: recall and IoU in all frames and in each part of a dive."""
    true, found, groups = [], [], []
    with _opened(boxes, "boxes") as readers:
        for video_id, facts, known in _videos(truth, ("box",)):
            own = _of_video(readers, "boxes", video_id, (len(known["box"]), 5))
            true.append(known["box"])
            found.append(own)
            groups.append(frame_groups(facts, len(own)))
    rows = pose_quality.detection_report(np.concatenate(found), np.concatenate(true), _joined(groups))
    return [_row("detection", name, row) for row in rows]


def pose_rows(name: str, truth: Sequence[Path], keypoints: Sequence[Path]) -> list[dict[str, Any]]:
    """`COLUMNS` for the keypoints of an estimator: PCK of the box's longer side, OKS, median errors.

    Points hidden behind the body are asked for; those under water or outside the picture, and all points of a frame
    whose athlete has no visible box to measure by, are not.
    """
    points = keypoint_sets.get(_keypoint_set(keypoints))
    if points.name not in ("coco_17", "coco_wholebody_133"):
        raise InputError(f"{name}: keypoints of {points.name}, expected coco_17 or coco_wholebody_133")
    true, boxes, found, groups = [], [], [], []
    with _opened(keypoints, "keypoints") as readers:
        for video_id, facts, known in _videos(truth, ("box", "keypoints")):
            asked = known["keypoints"][:, : len(points)]
            shape = (len(asked), len(points), 3)
            found.append(_of_video(readers, "keypoints", video_id, shape))
            known_points = (asked[..., 2] > 0) & np.isfinite(known["box"]).all(axis=1)[:, None]
            true.append(np.where(known_points[..., None], asked[..., :2], np.nan).astype(np.float32))
            boxes.append(known["box"])
            groups.append(frame_groups(facts, len(asked)))
    rows = pose_quality.keypoint_report(
        np.concatenate(found),
        np.concatenate(true),
        np.concatenate(boxes),
        names=points.names,
        sigmas=points.sigmas,
        groups=_joined(groups),
        parts=PARTS if len(points) == 133 else None,
    )
    return [_row("pose", name, row) for row in rows]


def frame_groups(facts: Mapping[str, Any], n_frames: int) -> dict[str, np.ndarray]:
    """Which frames (T,) lie before the take-off, in flight, and between first contact and under water."""
    times = np.arange(n_frames) / facts["fps"]
    leaves, meets, gone = (facts[f"{name}_time"] for name in ("takeoff", "entry", "submerged"))
    return {
        "before_take_off": times < leaves,
        "in_flight": (times >= leaves) & (times < meets),
        "entering": (times >= meets) & (times < gone),
    }


def fault_rows(
    samples: pd.DataFrame, truth: Sequence[Path], keypoints: Sequence[Path]
) -> list[dict[str, float | str | int]]:
    """Rank correlation of each latent fault with its plain measure from true and from estimated keypoints.

    Rows have fault, n and rho_true and rho_estimated; the medians of each dive number are taken off.
    """
    from aqa_pipeline.simdive import readability

    table = samples.set_index("video_id")
    latent, types = [], []
    measured: dict[str, list[dict[str, float]]] = {"true": [], "estimated": []}
    with _opened(keypoints, "keypoints") as readers:
        for video_id, facts, known in _videos(truth, ("keypoints",)):
            if video_id not in table.index:
                continue
            steps = [(step["sub_action"], step["first_frame"] / facts["fps"]) for step in table.at[video_id, "steps"]]
            about = dict(entry_time=facts["entry_time"], travel=-1 if facts["mirrored"] else 1)
            true = np.where(known["keypoints"][..., 2:] > 0, known["keypoints"], np.nan)
            estimated = _of_video(readers, "keypoints", video_id, None)
            for kind, points in (("true", true), ("estimated", estimated)):
                seen = points is not None
                measured[kind].append(readability.measures(points, steps, facts["fps"], **about) if seen else {})
            latent.append({name.removeprefix("fault_"): facts[name] for name in facts if name.startswith("fault_")})
            types.append(table.at[video_id, "action_type"])
    faults = {name: _column(latent, name) for name in (latent[0] if latent else ())}
    read = {kind: {name: _column(rows, name) for name in faults} for kind, rows in measured.items()}
    rows = {kind: readability.readability(faults, values, types) for kind, values in read.items()}
    return [
        dict(fault=true["fault"], n=estimated["n"], rho_true=true["rho"], rho_estimated=estimated["rho"])
        for true, estimated in zip(rows["true"], rows["estimated"], strict=True)
    ]


def _column(rows: Sequence[Mapping[str, float]], name: str) -> np.ndarray:
    return np.array([row.get(name, np.nan) for row in rows], float)


def _videos(truth: Sequence[Path], names: Sequence[str]) -> Iterator[tuple[str, dict, dict[str, np.ndarray]]]:
    for path in truth:
        with stores.read(path, kind="truth") as store:
            for video_id in store:
                yield video_id, store.facts(video_id), {name: store.array(video_id, name) for name in names}


@contextlib.contextmanager
def _opened(paths: Sequence[Path], kind: str) -> Iterator[list[stores.Reader]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(stores.read(path, kind=kind)) for path in paths]


def _of_video(
    readers: Sequence[stores.Reader], name: str, video_id: str, shape: tuple[int, ...] | None
) -> np.ndarray | None:
    """What the stores hold of a video: NaN of the expected shape (or None without one) where they left it out."""
    for reader in readers:
        if video_id in reader:
            found = reader.array(video_id, name)
            if shape is not None and found.shape != shape:
                raise InputError(f"{reader.path}: {name} of '{video_id}' of shape {found.shape}, expected {shape}")
            return found
    return None if shape is None else np.full(shape, np.nan, np.float32)


def _keypoint_set(paths: Sequence[Path]) -> str:
    for path in paths:
        with stores.read(path, kind="keypoints") as store:
            for video_id in store:
                return str(store.facts(video_id)["keypoint_set"])
    raise InputError(f"{paths[0]}: no video in any shard, expected keypoints")


def _joined(groups: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([of[name] for of in groups]) for name in groups[0]}


def _row(stage: str, name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    return dict(stage=stage, name=name, measure=row["metric"], group=row["group"], value=row["value"], n=row["n"])
