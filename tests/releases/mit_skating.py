"""MIT-Skating as its authors' code reads it: broadcasts of three and two programmes, and frames at 25 a second."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np

clips = runpy.run_path(str(Path(__file__).with_name("_clips.py")))

BROADCASTS = {"Free_-_Ladies_2010__aBc-1": 3, "Short_-_Men_2012__x_Yz": 2}
HEADER = "# made up\n# frames at 25 a second\n# A programme, Score\n"


def write(root: Path, *, seed: int = 0, media: bool = False) -> None:
    rng = np.random.default_rng(seed)
    folder = root / "action_quality_dataset" / "figure_skating"
    (folder / "annotations").mkdir(parents=True)
    for broadcast, n in BROADCASTS.items():
        lines, frames = [], []
        for programme in range(n):
            first = 1 + 400 * programme + int(rng.integers(0, 50))
            last = first + int(rng.integers(15, 30))
            technical, components = np.round(rng.uniform(20, 45, 2), 2)
            lines.append(f"{first} {last} A")
            lines += [f"{last + 3} A_replay"] if programme == 1 else []
            lines.append(f"{last + 10} Score {technical + components:.2f} {technical:.2f} {components:.2f}")
            frames += range(first, last + 1)
        (folder / "annotations" / f"{broadcast}.txt").write_text(HEADER + "\n".join(lines) + "\n")
        if media:
            clips["video"](folder / "videos" / f"{broadcast}.flv.avi", 5, fps=29.97)
            clips["pictures"](root / "cached" / "figure_skating" / "frames" / broadcast, frames, "{:08d}.jpg")
