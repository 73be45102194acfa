"""Clean and smooth the keypoints of one shard of videos; no pose is estimated again."""

from __future__ import annotations

import contextlib
from pathlib import Path

from aqa_pipeline import plugins, stores
from aqa_pipeline.errors import InputError
from aqa_pipeline.stages import Options, command_line, each_video, made_by

VERSION = 2


def smooth_keypoints(
    keypoint_store: Path, out: Path, *, estimator: str = "smoothed", options: Options = {}, boxes: Path | None = None
) -> None:
    """Write the keypoints of KEYPOINT_STORE, smoothed, to OUT. Cuts that BOXES knows of are not smoothed across."""
    smooth = plugins.load("pose", estimator).build(**options)
    with contextlib.ExitStack() as stack:
        raw = stack.enter_context(stores.read(keypoint_store, kind="keypoints"))
        athletes = stack.enter_context(stores.read(boxes, kind="boxes")) if boxes else None
        inputs = [raw] if athletes is None else [raw, athletes]
        made = made_by("smooth_keypoints", *inputs, estimator=estimator, options=options)
        store = stack.enter_context(stores.write(out, kind="keypoints", version=VERSION, made_by=made))
        store.carry_failures(raw)

        def make(video_id: str) -> tuple[dict, dict]:
            arrays, facts = raw[video_id], raw.facts(video_id)
            if "fps" not in facts:
                raise InputError(f"{raw.path}: video '{video_id}' has no fact 'fps', expected frames a second")
            cuts = athletes.optional(video_id, "cuts") if athletes else ()
            about = dict(keypoint_set=facts["keypoint_set"], fps=float(facts["fps"]), cuts=cuts)
            paths = [name for name in arrays if name.endswith("keypoints")]  # the athlete's, and a partner's
            return {**arrays, **{name: smooth(arrays[name], **about) for name in paths}}, facts

        each_video(raw, store, "smooth_keypoints", make)


if __name__ == "__main__":
    command_line(smooth_keypoints)
