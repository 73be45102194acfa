"""Bring keypoints that somebody else made into a store: the data set's own, or one file a video."""

from __future__ import annotations

from pathlib import Path

from aqa_pipeline import plugins, stores
from aqa_pipeline.errors import InputError
from aqa_pipeline.stages import Options, command_line, each_video, made_by

VERSION = 1


def import_keypoints(samples: Path, out: Path, *, adapter: str, options: Options = {}) -> None:
    """Write the keypoints of the videos in SAMPLES (one shard) to OUT.

    A data set that brings its own hands them out; otherwise each sample's path is a keypoint file (npz, csv or json).
    """
    import pandas as pd

    from aqa_pipeline.pose import precomputed

    table = pd.read_parquet(samples).set_index("video_id")
    dataset = plugins.load("datasets", adapter)
    brings_own = hasattr(dataset, "keypoints")
    own = {v: found for v, *found in dataset.keypoints(set(table.index), **options)} if brings_own else {}

    def make(video_id: str) -> tuple[dict, dict]:
        if not brings_own:
            return precomputed.of_sample(table.loc[video_id])
        if video_id not in own:
            raise InputError(f"{adapter}: no keypoints of '{video_id}'")
        keypoints, facts = own[video_id]
        return {"keypoints": keypoints}, facts

    made = made_by("import_keypoints", adapter=adapter, options=options)
    with stores.write(out, kind="keypoints", version=VERSION, made_by=made) as store:
        each_video(table.index, store, "import_keypoints", make)


if __name__ == "__main__":
    command_line(import_keypoints)
