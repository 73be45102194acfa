"""Extract the frames of one shard of videos into a store of JPEG pictures."""

from __future__ import annotations

from pathlib import Path

from aqa_pipeline import frames, stores
from aqa_pipeline.stages import command_line, each_video, made_by

VERSION = 2


def extract_frames(samples: Path, out: Path, *, quality: int = 90, max_height: int = 0, min_frames: int = 8) -> None:
    """Read the videos of SAMPLES (one shard) and write their frames to OUT.

    A max_height of 0 keeps the size; videos of fewer than min_frames frames are left out, with the reason recorded.
    """
    import pandas as pd

    table = stores.read_table(samples).set_index("video_id")

    def make(video_id: str) -> tuple[dict, dict]:
        row = table.loc[video_id]
        first, last, fps = (None if pd.isna(row.get(c)) else row[c] for c in ("first_frame", "last_frame", "fps"))
        arrays, facts = frames.extract(
            Path(row.path), first=first, last=last, quality=quality, max_height=max_height or None, fps=fps
        )
        frames.expect_length(row.path, len(arrays["time"]), min_frames)
        return arrays, facts

    options = dict(quality=quality, max_height=max_height, min_frames=min_frames)
    with stores.write(out, kind="frames", version=VERSION, made_by=made_by("extract_frames", **options)) as store:
        each_video(table.index, store, "extract_frames", make)


if __name__ == "__main__":
    command_line(extract_frames)
