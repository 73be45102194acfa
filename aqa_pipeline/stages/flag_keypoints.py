"""List the frames whose keypoints look wrong, and show the worst of them."""

from __future__ import annotations

from pathlib import Path

from aqa_pipeline.stages import Options, command_line

VERSION = 1


def flag_keypoints(
    out: Path,
    worst: Path,
    sheet: Path,
    *,
    keypoints: list[Path],
    boxes: list[Path],
    frames: list[Path],
    options: Options = {},
    n_worst: int = 24,
) -> None:
    """Write the flagged frames to OUT and the N_WORST worst to WORST, both CSV, and their pictures to SHEET, a PNG.

    KEYPOINTS, BOXES and FRAMES are the stores of all shards, in the same order.
    """
    import cv2
    import pandas as pd

    from aqa_pipeline import stores
    from aqa_pipeline.evaluation import worst_frames

    form = dict(index=False, columns=worst_frames.COLUMNS, float_format="%.3f", lineterminator="\n")
    chosen: list = []
    with stores.replacing(out) as temporary, temporary.open("w", newline="") as file:
        pd.DataFrame(columns=worst_frames.COLUMNS).to_csv(file, **form)
        for clip in worst_frames.clips(keypoints, boxes, **options):
            if clip.rows:
                pd.DataFrame(clip.rows).to_csv(file, header=False, **form)
            chosen = worst_frames.worse(chosen, clip, n=n_worst)
    with stores.replacing(worst) as temporary:
        rows = [clip.row(frame) for clip, frame in chosen]
        pd.DataFrame(rows, columns=worst_frames.COLUMNS).to_csv(temporary, **form)
    picture = worst_frames.sheet(chosen, frames, keypoints)
    with stores.replacing(sheet) as temporary:
        temporary.write_bytes(cv2.imencode(".png", picture[:, :, ::-1])[1].tobytes())


if __name__ == "__main__":
    command_line(flag_keypoints)
