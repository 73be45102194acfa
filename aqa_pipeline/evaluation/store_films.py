"""Films of what any stores hold: frames, boxes, keypoints, alone or together; without frames on black.

With the weights of a Pose+DCT and the positions it reads, arrows at the joints too, which would raise its score.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aqa_pipeline import frames, keypoint_sets, stores
from aqa_pipeline.errors import InputError, nearest
from aqa_pipeline.evaluation import feedback, overlay

KINDS = ("frames", "boxes", "keypoints")
POSITIONS = "positions"  # the extractor whose features a feedback is of
LONGEST = 0.12  # of the picture's height, an arrow

Weights = Mapping[str, np.ndarray]


def films(
    paths: Sequence[Path],
    out: Path,
    *,
    videos: Sequence[str] = (),
    height: int = 540,
    advice: Weights | None = None,
) -> list[Path]:
    """Write a film a video and give their paths.

    Parameters
    ----------
    paths : stores, or folders of them; several of one kind are shards, or one the other's second choice
    out : an mp4 where there is one video, otherwise a folder, in which the films bear the videos' ids
    videos : ids, by default all that the first kind given holds
    advice : weights of a fitted `pose_dct`, whose feedback is drawn; its features must be among the stores
    """
    needed = () if advice is None else ("keypoints", "features")
    by_kind = sorted_by_kind(paths, [*KINDS, *(kind for kind in needed if kind not in KINDS)])
    for kind in needed:
        if kind not in by_kind:
            raise InputError(f"--feedback: found no {kind} among the stores, expected them too")
    with contextlib.ExitStack() as stack:
        opened = {
            kind: [stack.enter_context(stores.read(path, kind=kind)) for path in by_kind[kind]] for kind in by_kind
        }
        first = next(iter(opened.values()))
        known = list(dict.fromkeys(video_id for store in first for video_id in store))
        asked = list(videos) or known
        if out.suffix == ".mp4" and len(asked) != 1:
            raise InputError(f"{out}: one film for {len(asked)} videos, expected a folder, or one --video")
        written = []
        for video_id in asked:
            if video_id not in known:
                raise InputError(f"--video: no '{video_id}', {nearest(video_id, known)}")
            film = out if out.suffix == ".mp4" else out / f"{video_id.replace('/', '_')}.mp4"
            _film(opened, video_id, film, height, advice)
            written.append(film)
    return written


def sorted_by_kind(paths: Sequence[Path], kinds: Sequence[str] = KINDS) -> dict[str, list[Path]]:
    """Stores by what they hold, frames first; folders stand for the stores in them."""
    found: dict[str, list[Path]] = {kind: [] for kind in kinds}
    for path in _files(paths):
        kind = stores.kind(path)
        if kind not in kinds:
            raise InputError(f"{path}: holds {kind}, expected {', '.join(kinds)}")
        found[kind].append(path)
    return {kind: files for kind, files in found.items() if files}


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        inside = sorted(path.glob("*.h5")) if path.is_dir() else [path]
        if not inside:
            raise InputError(f"{path}: holds no .h5 file, expected stores")
        yield from inside


def _film(
    opened: Mapping[str, Sequence[stores.Reader]], video_id: str, path: Path, height: int, advice: Weights | None
) -> None:
    holding = {
        kind: store for kind, shards in opened.items() for store in reversed(shards) if video_id in store
    }  # the first of several
    arrays = {
        name: store.array(video_id, name)
        for kind, store in holding.items()
        if kind in ("boxes", "keypoints")
        for name in store.names(video_id, kind, f"partner_{kind}")
    }
    facts = {name: fact for store in holding.values() for name, fact in store.facts(video_id).items()}
    points = keypoint_sets.get(facts["keypoint_set"]) if "keypoint_set" in facts else None
    if points is not None and points.dimensions != 2:
        raise InputError(f"{holding['keypoints'].path}: {points.name} is no place in a picture, expected 2 dimensions")
    pictures = frames.StoredFrames(holding["frames"], video_id) if "frames" in holding else _black(arrays, facts)
    advised = {}
    if advice is not None and "features" in holding:
        advised = _advised(advice, holding["features"], video_id, points, LONGEST * pictures[0].shape[0])
    story = overlay.Story(title=video_id, keypoint_set=points, **arrays, **advised)
    overlay.film(pictures, story, path, fps=float(facts["fps"]), height=height)


def _advised(
    weights: Weights, features: stores.Reader, video_id: str, points: keypoint_sets.KeypointSet, longest: float
) -> dict[str, Any]:
    """Arrows and notes of a story: what would raise the score of this clip."""
    if (extractor := features.made_by.get("extractor")) != POSITIONS:
        raise InputError(f"{features.path}: features of '{extractor}', expected '{POSITIONS}' for a feedback")
    scale = features.made_by["options"].get("scale", 1.0)
    growth = feedback.slopes(weights, features.array(video_id, "features"), joints=len(points), scale=scale)
    return dict(arrows=feedback.arrows(growth, longest=longest), notes=feedback.sentences(growth, points.names))


def _black(arrays: Mapping[str, np.ndarray], facts: Mapping[str, object]) -> list[np.ndarray]:
    """As many black frames as there are boxes or keypoints, of the video's size or as large as they reach."""
    array = next(iter(arrays.values()))
    reach = np.nan_to_num(array[..., 2:4] if array.ndim == 2 else array[..., :2]).reshape(-1, 2).max(axis=0) + 20
    width, height = int(facts.get("width", reach[0])), int(facts.get("height", reach[1]))
    return [np.zeros((height, width, 3), np.uint8)] * len(array)
