"""Import the keypoints that a data set brings with it, instead of estimating them."""

from __future__ import annotations

from pathlib import Path

from aqa_pipeline import plugins, stores
from aqa_pipeline.stages import Options, command_line, each_video, made_by

VERSION = 1


def import_keypoints(samples: Path, out: Path, *, adapter: str, options: Options = {}) -> None:
    """Write the keypoints of the videos in SAMPLES (one shard) to OUT.

    A data set that brings its own hands them out; otherwise each sample's path is a keypoint file (npz, csv or json).
    """
    from aqa_pipeline.pose import precomputed

    table = stores.read_table(samples).set_index("video_id")
    dataset = plugins.load("datasets", adapter)
    made = made_by("import_keypoints", adapter=adapter, options=options)
    with stores.write(out, kind="keypoints", version=VERSION, made_by=made) as store:
        if not hasattr(dataset, "keypoints"):
            each_video(table.index, store, "import_keypoints", lambda video: precomputed.of_sample(table.loc[video]))
            return
        missing = set(table.index)
        for video_id, keypoints, facts in dataset.keypoints(set(table.index), **options):
            store.put(video_id, {"keypoints": keypoints}, **facts)
            missing.discard(video_id)
        for video_id in sorted(missing):
            store.fail(video_id, "import_keypoints", f"{adapter}: brings no keypoints of '{video_id}'")


if __name__ == "__main__":
    command_line(import_keypoints)
