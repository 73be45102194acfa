"""UNLV-Dive with stage-wise P3D features: real Olympic dives from the 10 m platform, their features and judges' scores.

One file, `unlv_dive_p3d.npz`, one row a dive:

    dive_id (N,)                  row of UNLV-Dive, from 1
    split (N,)                    train or test, the official split
    p3d_feature (N, 2048)         mean of four P3D networks, one a stage of the dive
    final_score, difficulty (N,)
    stage_boundaries (N, 4)       first frame of jumping, dropping, entering the water, ending

The networks were fine-tuned on the training dives, so their training features know the label: only the way from the
training to the test part means anything. The dive numbers are not known.

Sources: Parmar and Morris, Learning to score Olympic events, CVPRW 2017 (dives, split); Xiang et al., S3D, ICIP 2018
(features, stages).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aqa_pipeline.datasets import _unlv
from aqa_pipeline.datasets._table import finished, load_npz, over_difficulty, times_difficulty

if TYPE_CHECKING:
    import pandas as pd

STAGES = ("jumping", "dropping", "entering_water", "ending")

compose = times_difficulty
execution = over_difficulty


def annotation_files(*, root: Path | str) -> list[Path]:
    """The one file of the data set in the folder `root`."""
    return [Path(root) / "unlv_dive_p3d.npz"]


def samples(*, root: Path | str) -> pd.DataFrame:
    """One row a dive, `dive_054` for dive 54, with the official split in `part`."""
    import pandas as pd

    [path] = annotation_files(root=root)
    file = load_npz(path, "dive_id", "split", "final_score", "difficulty", "stage_boundaries")
    return finished(
        pd.DataFrame(
            {
                "video_id": [_video_id(dive) for dive in file["dive_id"]],
                "difficulty": file["difficulty"],
                "score": file["final_score"],
                "steps": [_steps(boundaries) for boundaries in file["stage_boundaries"]],
                "part": file["split"],
                "identity": [_unlv.identity(dive, "diving") for dive in file["dive_id"]],
            }
        ),
        path,
    )


def features(video_ids: Collection[str], *, root: Path | str) -> Iterator[tuple[str, np.ndarray, dict]]:
    """Video id, features (1, 2048) and facts of the given dives: one vector for the whole dive."""
    file = load_npz(annotation_files(root=root)[0], "dive_id", "p3d_feature")
    for dive, vector in zip(file["dive_id"], file["p3d_feature"], strict=True):
        if _video_id(dive) in video_ids:
            yield _video_id(dive), vector[None].astype(np.float32), {}


def _video_id(dive: int) -> str:
    return f"dive_{dive:03d}"


def _steps(boundaries: np.ndarray) -> list[dict]:
    return [{"sub_action": s, "first_frame": int(frame)} for s, frame in zip(STAGES, boundaries, strict=True)]
