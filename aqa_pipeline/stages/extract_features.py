"""Make one feature sequence a video, from a store of keypoints, or from frames and the athlete's boxes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path

from aqa_pipeline import plugins, stores
from aqa_pipeline.errors import InputError, nearest
from aqa_pipeline.stages import Options, command_line, each_video, made_by

VERSION = 3


def extract_features(
    inputs: list[Path], *, out: Path, extractor: str, options: Options = {}, device: str = "auto"
) -> None:
    """Extract features from INPUTS (a keypoint store; or a frame store and a box store) and write them to OUT.

    Of some extractors of frames, these alone are enough.
    """
    source = plugins.constant("features", extractor, "source")
    kinds = ["keypoints"] if source == "keypoints" else ["frames", "boxes"]
    least = 1 if plugins.constant("features", extractor, "boxes") == "optional" else len(kinds)
    if source == "files" or not least <= len(inputs) <= len(kinds):
        raise InputError(f"{extractor}: found {len(inputs)} stores, expected those of its source ({source})")
    takes_device = "device" in plugins.options("features", extractor, "build")
    extract = plugins.load("features", extractor).build(**({"device": device} if takes_device else {}), **options)
    kinds = kinds[: len(inputs)]
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(stores.read(path, kind=kind)) for path, kind in zip(inputs, kinds, strict=True)]
        weights = getattr(extract, "sha256", None)
        facts = made_by("extract_features", *opened, extractor=extractor, options=options, weights=weights)
        store = stack.enter_context(stores.write(out, kind="features", version=VERSION, made_by=facts))
        store.carry_failures(*opened)
        make = (_from_keypoints if source == "keypoints" else _from_frames)(extract, *opened)
        each_video(_in_all(opened), store, "extract_features", make)


def _in_all(opened: list[stores.Reader]) -> Iterable[str]:
    return [video_id for video_id in opened[-1] if all(video_id in reader for reader in opened)]


def _from_keypoints(extract: Callable, keypoints: stores.Reader) -> Callable[[str], tuple[dict, dict]]:
    def make(video_id: str) -> tuple[dict, dict]:
        facts = keypoints.facts(video_id)
        if "keypoint_set" not in facts:
            raise InputError(f"{keypoints.path}: video '{video_id}' has no fact 'keypoint_set', {nearest('', facts)}")
        about = {name: facts.get(name, 0.0) for name in ("fps", "width", "height")}
        features = extract(keypoints.array(video_id, "keypoints"), keypoint_set=facts["keypoint_set"], **about)
        return _arrays(features), facts

    return make


def _from_frames(
    extract: Callable, clips: stores.Reader, boxes: stores.Reader | None = None
) -> Callable[[str], tuple[dict, dict]]:
    from aqa_pipeline.frames import StoredFrames

    def make(video_id: str) -> tuple[dict, dict]:
        frames = StoredFrames(clips, video_id)
        features = extract(frames, boxes.array(video_id, "boxes")) if boxes else extract(frames)
        begin = extract.first_frames(len(frames)) if hasattr(extract, "first_frames") else None
        return _arrays(features, begin), clips.facts(video_id)

    return make


def _arrays(features, first_frame=None) -> dict:
    """`first_frame`: where each row begins; a row a frame without it."""
    import numpy as np

    return {"features": features, "first_frame": np.arange(len(features)) if first_frame is None else first_frame}


if __name__ == "__main__":
    command_line(extract_features)
