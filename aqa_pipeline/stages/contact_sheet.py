"""A contact sheet of a data set: a few videos, a line each, from the lowest to the highest score."""

from __future__ import annotations

from pathlib import Path

from aqa_pipeline import frames, stores
from aqa_pipeline.stages import command_line

VERSION = 1


def contact_sheet(
    samples: Path, frame_stores: list[Path], out: Path, *, n_videos: int = 8, n_frames: int = 10, width: int = 192
) -> None:
    """Write OUT, a PNG with N_FRAMES pictures of each of N_VIDEOS videos of SAMPLES, read from FRAME_STORES."""
    import cv2
    import numpy as np
    import pandas as pd

    from aqa_pipeline.evaluation import overlay, pictures

    table = stores.read_table(samples).set_index("video_id")
    lines = []
    for video_id in overlay.spread(table["score"], n_videos):
        row = table.loc[video_id]
        with stores.read(frame_stores[int(row["shard"])], kind="frames") as store:
            if video_id not in store:
                continue  # left out on the way, and listed among the failures
            clip = frames.StoredFrames(store, video_id)
            chosen = np.unique(np.linspace(0, len(clip) - 1, n_frames).round().astype(int))
            shown = np.stack([clip[int(index)] for index in chosen])  # (T, H, W, 3)
        line = pictures.contact_sheet(shown, columns=n_frames, rows=1, zoom=width / shown.shape[2])
        kind = "" if pd.isna(row["action_type"]) else row["action_type"]
        cv2.putText(line, f"{video_id} {kind} {row['score']:.1f}", (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255,) * 3)
        lines.append(line)
    assert lines, "no video of the data set has frames"
    height = max(line.shape[0] for line in lines)
    sheet = np.concatenate([np.pad(line, ((0, height - line.shape[0]), (0, 0), (0, 0))) for line in lines])
    with stores.replacing(out) as temporary:
        temporary.write_bytes(cv2.imencode(".png", sheet[:, :, ::-1])[1].tobytes())


if __name__ == "__main__":
    command_line(contact_sheet)
