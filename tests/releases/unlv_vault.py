"""UNLV-Vault as released: nine vaults."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
from scipy.io import savemat

clips = runpy.run_path(str(Path(__file__).with_name("_clips.py")))

TRAIN, TEST = [9, 2, 1, 7, 6, 4], [8, 3, 5]


def write(root: Path, *, seed: int = 0, difficulty: bool = True, media: bool = False) -> None:
    rng = np.random.default_rng(seed)
    levels = np.round(rng.uniform(5.0, 7.0, (1, 9)), 1)
    (root / "split_4").mkdir()
    savemat(
        root / "gym_vault_overall_scores.mat", {"overall_scores": levels + np.round(rng.uniform(7, 9.5, (1, 9)), 3)}
    )
    savemat(root / "split_4" / "training_idx.mat", {"training_idx": np.array([TRAIN], np.uint8)})
    savemat(root / "split_4" / "testing_idx.mat", {"testing_idx": np.array([TEST], np.uint8)})
    if difficulty:
        savemat(root / "gym_vault_difficulty_level.mat", {"difficulty_level": levels})
    for vault in range(1, 10) if media else ():
        clips["video"](root / "gym_vault_samples_len_100_lstm" / f"{vault:03d}.avi", 100)
