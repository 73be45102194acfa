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
    from aqa_pipeline.evaluation import pose_flags, worst_frames

    found = list(worst_frames.clips(keypoints, boxes, **options))
    places = pose_flags.worst([clip.severity for clip in found], n=n_worst)
    chosen = [(found[clip], frame) for clip, frame in places]
    for path, rows in ((out, worst_frames.table(found)), (worst, [clip.row(frame) for clip, frame in chosen])):
        with stores.replacing(path) as temporary:
            listed = pd.DataFrame(rows, columns=worst_frames.COLUMNS)
            listed.to_csv(temporary, index=False, float_format="%.3f", lineterminator="\n")
    picture = worst_frames.sheet(chosen, frames, keypoints)
    with stores.replacing(sheet) as temporary:
        temporary.write_bytes(cv2.imencode(".png", picture[:, :, ::-1])[1].tobytes())


if __name__ == "__main__":
    command_line(flag_keypoints)
