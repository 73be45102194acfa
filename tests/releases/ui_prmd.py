"""A tiny UI-PRMD: two movements of three people, made-up numbers, in the layout of the release."""

import gzip
from pathlib import Path

import numpy as np

FOLDERS = {"": "Segmented Movements", "_inc": "Incorrect Segmented Movements"}
COLUMNS = {"Kinect": 66, "Vicon": 117}


def write(root: Path, *, packed: bool = False, sensors: tuple[str, ...] = ("Kinect", "Vicon"), seed: int = 0) -> None:
    """Movement 1 has 3 people with 4 correct and 2 incorrect repetitions each, movement 10 one person with one."""
    rng = np.random.default_rng(seed)
    episodes = [(1, subject, episode) for subject in (1, 2, 10) for episode in range(1, 5)] + [(10, 3, 1)]
    for sensor in sensors:
        for ending, folder in FOLDERS.items():
            for movement, subject, episode in episodes:
                if ending and episode > 2:
                    continue
                for kind in ("positions", "angles"):
                    name = f"m{movement:02d}_s{subject:02d}_e{episode:02d}_{kind}{ending}.txt"
                    path = root / folder / sensor / kind.capitalize() / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    numbers = rng.normal(40, 20, (5 + episode, COLUMNS[sensor]))
                    text = "".join(",".join(f"{number:.6f}" for number in row) + "\n" for row in numbers)
                    if packed:
                        with gzip.open(path.with_name(f"{name}.gz"), "wt") as file:
                            file.write(text)
                    else:
                        path.write_text(text)
