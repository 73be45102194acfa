"""The part of MTL-AQA's release that is UNLV-Dive: two lists that count places, and annotations that count samples."""

from __future__ import annotations

import pickle
import runpy
from pathlib import Path

import numpy as np

clips = runpy.run_path(str(Path(__file__).with_name("_clips.py")))

TRAIN = [(3, 8), (3, 9), (2, 108), (1, 190), (1, 63), (1, 64)]  # video and place in it
TEST = [(3, 72), (2, 1), (1, 69)]


def write(root: Path, *, seed: int = 0, media: bool = False) -> None:
    """Annotations of all 372 samples, whose scores tell them apart."""
    rng = np.random.default_rng(seed)
    annotations = {}
    for video, samples in ((1, [*range(1, 64), *range(65, 193)]), (2, range(1, 109)), (3, range(1, 74))):
        for sample in samples:
            end = 120 * sample + int(rng.integers(0, 20))
            annotations[video, sample] = dict(
                primary_view=0,
                start_frame=end - int(rng.integers(12, 20)),
                end_frame=end,
                position=1,
                difficulty=3.0,
                armstand=0,
                rotation_type=0,
                ss_no=5,
                tw_no=0,
                final_score=10 * video + 0.1 * sample,
            )
    folder = root / "MTL-AQA_dataset_release" / "Ready_2_Use" / "UNLV_Dive_split_4"
    folder.mkdir(parents=True)
    (folder / "final_annotations_dict.pkl").write_bytes(pickle.dumps(annotations, 2))
    for name, places in (("train", TRAIN), ("test", TEST)):
        numbers = [tuple(np.uint8(number) for number in place) for place in places]
        (folder / f"{name}_split_370_4.pkl").write_bytes(pickle.dumps(numbers, 2))
    if media:  # of one dive alone, place 9 of video 3
        dive = annotations[3, 10]
        numbers = range(dive["start_frame"], dive["end_frame"] + 1)
        clips["pictures"](root / "whole_videos_frames" / "03", numbers, "{:06d}.jpg")
