"""UNLV-Dive as released: eleven dives, of which the padded and the original clips may be written."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
from scipy.io import savemat

clips = runpy.run_path(str(Path(__file__).with_name("_clips.py")))

TRAIN, TEST = [4, 11, 9, 2, 1, 7, 10, 6], [8, 3, 5]


def write(root: Path, *, seed: int = 0, media: bool = False) -> None:
    rng = np.random.default_rng(seed)
    difficulty = np.round(rng.uniform(2.7, 4.1, (1, 11)), 1)
    scores = np.round(difficulty * rng.integers(18, 58, (1, 11)) / 2, 2)
    (root / "split_300_70").mkdir()
    savemat(root / "diving_overall_scores.mat", {"overall_scores": scores})
    savemat(root / "diving_difficulty_level.mat", {"difficulty_level": difficulty})
    savemat(root / "split_300_70" / "training_idx.mat", {"training_idx": np.array([TRAIN], np.uint16)})
    savemat(root / "split_300_70" / "testing_idx.mat", {"testing_idx": np.array([TEST], np.uint16)})
    for dive in range(1, 12) if media else ():
        clips["video"](root / "diving_samples_len_151_lstm" / f"{dive:03d}.avi", 151)
        clips["video"](root / "diving_samples_len_ori" / f"{dive:03d}.avi", 90 + dive)
