"""AQA-7 as released: lists of six actions, and of one of them the clips, in any of three layouts."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
from scipy.io import savemat

clips = runpy.run_path(str(Path(__file__).with_name("_clips.py")))

ACTIONS = ["diving", "gym_vault", "ski_big_air", "snowboard_big_air", "sync_diving_3m", "sync_diving_10m"]
LISTS = {  # action: numbers for training, for test
    1: ([54, 341, 8, 9, 73], [21, 370]),
    2: ([4, 2, 176], [3, 5]),
    3: ([1, 2, 3, 4], [5]),
    4: ([2, 206], [1, 3]),
    5: ([88], [1, 2]),
    6: ([7, 8, 9], [91]),
}
RANGES = {1: (21.6, 102.6), 2: (12.3, 16.87), 3: (8, 50), 4: (8, 50), 5: (46.2, 104.88), 6: (49.8, 99.36)}


def write(
    root: Path,
    *,
    seed: int = 0,
    spelling: str = "Split_4/split_4_{}_list.mat",
    hundredfold: bool = False,
    media: str | None = None,
    action: str = "diving",
) -> None:
    """`media`: frames, lstm_frames or videos, for the samples of `action`."""
    rng = np.random.default_rng(seed)
    for place, part in enumerate(("train", "test")):
        rows = [
            (number, sample, round(float(rng.uniform(*RANGES[number])), 2) * (100 if hundredfold else 1))
            for number, lists in LISTS.items()
            for sample in lists[place]
        ]
        path = root / spelling.format(part)
        path.parent.mkdir(parents=True, exist_ok=True)
        savemat(path, {f"consolidated_{part}_list": np.array(rows, float)})
    samples = [f"{sample:03d}" for part in LISTS[ACTIONS.index(action) + 1] for sample in part]
    for sample in samples if media else ():
        if media == "frames":
            clips["pictures"](root / f"{action}-out" / sample, range(1, 104), "img_{:05d}.jpg")
        elif media == "lstm_frames":
            folder = {"diving": "diving_v1"}.get(action, action) + "_samples_lstm_103"
            clips["pictures"](root / folder / "frames" / sample, range(103), "{}.jpg")
        else:
            clips["video"](root / "Actions" / action / f"{sample}.avi", 103)
