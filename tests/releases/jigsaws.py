"""JIGSAWS as released, and what MUSDL made of it: trials of three tasks by some of the eight surgeons."""

from __future__ import annotations

import pickle
import runpy
from pathlib import Path

import numpy as np

clips = runpy.run_path(str(Path(__file__).with_name("_clips.py")))

TRIALS = {
    "Suturing": ["B001", "B002", "C001", "D001", "D003", "E001", "F004", "G001", "H002"],
    "Needle_Passing": ["B001", "C002", "D001", "E003", "I001"],
    "Knot_Tying": ["B001", "C001", "F002", "G003", "H001", "H004", "I002"],
}
SKILL = {"B": "N", "C": "I", "D": "E", "E": "E", "F": "I", "G": "N", "H": "N", "I": "N"}


def write(
    root: Path, *, seed: int = 0, release: bool = True, info: str | None = "info", media: str | None = None
) -> None:
    """`release`: the meta files; `info`: the folder of both pickles; `media`: videos or frames, of suturing."""
    rng = np.random.default_rng(seed)
    labels = {f"{task}_{trial}": rng.integers(1, 6, 6).tolist() for task, trials in TRIALS.items() for trial in trials}
    for task, trials in TRIALS.items() if release else ():
        (root / task).mkdir()
        lines = [_line(f"{task}_{trial}", SKILL[trial[0]], labels[f"{task}_{trial}"]) for trial in trials]
        (root / task / f"meta_file_{task}.txt").write_text("\n".join(lines))
    if info is not None:
        (root / info).mkdir(parents=True, exist_ok=True)
        (root / info / "label.pkl").write_bytes(pickle.dumps(labels, 2))
        splits = {
            task: [[f"{task}_{t}" for t in trials[fold::4]] for fold in range(4)] for task, trials in TRIALS.items()
        }
        (root / info / "splits.pkl").write_bytes(pickle.dumps(splits, 2))
    for trial in TRIALS["Suturing"] if media else ():
        name = f"Suturing_{trial}_capture1"
        if media == "videos":
            clips["video"](root / "Suturing" / "video" / f"{name}.avi", 20, fps=30.0)
        else:
            clips["pictures"](root / "frames" / name, range(1, 21), "img_{:05d}.jpg")


def _line(name: str, skill: str, items: list[int]) -> str:
    return f"{name}\t\t{skill}\t{sum(items)}\t\t" + "\t".join(map(str, items))
