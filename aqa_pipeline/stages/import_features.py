"""Take over features that a data set brings along, for one shard of videos."""

from __future__ import annotations

from pathlib import Path

from aqa_pipeline import plugins, stores
from aqa_pipeline.stages import Options, command_line, each_video, made_by

VERSION = 1


def import_features(samples: Path, out: Path, *, adapter: str, options: Options = {}, array: str = "features") -> None:
    """Write the features of the videos of SAMPLES (one shard) to OUT.

    A data set with a function `features` reads them itself; otherwise each video's `path` names its file, whose arrays
    (npz, HDF5) are searched for ARRAY.
    """
    import numpy as np

    table = stores.read_table(samples).set_index("video_id")
    dataset = plugins.load("datasets", adapter)
    made = made_by("import_features", adapter=adapter, options=options, array=array)
    with stores.write(out, kind="features", version=VERSION, made_by=made) as store:
        if hasattr(dataset, "features"):
            for video_id, features, facts in dataset.features(set(table.index), **options):
                store.put(video_id, {"features": features, "first_frame": np.arange(len(features))}, **facts)
            return
        read = plugins.load("features", "precomputed").build(array=array)

        def make(video_id: str) -> tuple[dict, dict]:
            features = read(table.at[video_id, "path"], video_id)
            return {"features": features, "first_frame": np.arange(len(features))}, {}

        each_video(table.index, store, "import_features", make)


if __name__ == "__main__":
    command_line(import_features)
