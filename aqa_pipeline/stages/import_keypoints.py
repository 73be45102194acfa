"""Take over keypoints that a data set brings along, for one shard of videos."""

from __future__ import annotations

from pathlib import Path

from aqa_pipeline import keypoint_sets, plugins, stores
from aqa_pipeline.errors import InputError
from aqa_pipeline.stages import Options, command_line, made_by

VERSION = 1


def import_keypoints(samples: Path, out: Path, *, adapter: str, options: Options = {}) -> None:
    """Write the keypoints of the videos of SAMPLES (one shard) to OUT; the data set reads them."""
    import pandas as pd

    dataset = plugins.load("datasets", adapter)
    if not hasattr(dataset, "keypoints"):
        raise InputError(f"datasets.{adapter}: brings no keypoints, expected `starts_at: videos` or another data set")
    wanted = set(pd.read_parquet(samples, columns=["video_id"])["video_id"])
    made = made_by("import_keypoints", adapter=adapter, options=options)
    with stores.write(out, kind="keypoints", version=VERSION, made_by=made) as store:
        for video_id, keypoints, facts in dataset.keypoints(wanted, **options):
            known = keypoint_sets.get(facts["keypoint_set"])
            expected = (len(known), known.dimensions + 1)
            if keypoints.ndim != 3 or keypoints.shape[1:] != expected:
                store.fail(
                    video_id,
                    "import_keypoints",
                    f"keypoints {keypoints.shape}, expected (T, {expected[0]}, {expected[1]})",
                )
            else:
                store.put(video_id, {"keypoints": keypoints}, **facts)


if __name__ == "__main__":
    command_line(import_keypoints)
