"""KIMORE as a benchmark resampled it: skeletons of patients, scored by clinicians, 0 to 100.

One file an exercise, `kimore_ex<n>.npz`, one row a patient:

    skeletons (N, T, 18, 3)  metres in the camera's axes; every recording was resampled to the same T
    subject (N,)             number of the patient, the same in every exercise
    fold (N,)                test fold of the published benchmark; no patient stands in two
    score (N,)               clinical total score, brought to 0..100

There is no difficulty: the score is the execution score. The exercises are data sets of their own, whose samples bear
the same ids because they are the same patients.

The authors' own release is read by `kimore.py`. Its total score ends at 50; 94 % of the scores here are
100 (t - 10) / 40 for a t in whole thirds, from which the benchmark's scale is inferred.

Source: Capecci et al., The KIMORE dataset, IEEE TNSRE 2019.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aqa_pipeline.datasets._table import finished, load_npz
from aqa_pipeline.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

FPS = 30.0  # of the Kinect; resampling stretched every clip, so speeds of two clips compare per clip, not per second


def compose(execution_score, difficulty):
    """The score is the execution score."""
    return execution_score


def execution(score, difficulty):
    """The execution score is the score."""
    return score


def annotation_files(*, root: Path | str, exercise: int) -> list[Path]:
    """The file of one exercise in the folder `root`."""
    return [Path(root) / f"kimore_ex{exercise}.npz"]


def samples(*, root: Path | str, exercise: int) -> pd.DataFrame:
    """One row a patient; the subject folds stand in `fold`.

    Parameters
    ----------
    exercise : 1 to 4
    """
    import pandas as pd

    [path] = annotation_files(root=root, exercise=exercise)
    file = load_npz(path, "subject", "fold", "score")
    outside = [score for score in file["score"] if not 0 <= score <= 100]
    if outside:
        raise InputError(f"{path}: score {outside[0]}, expected 0 to 100")
    patients = [_video_id(subject) for subject in file["subject"]]
    return finished(
        pd.DataFrame(
            {
                "video_id": patients,
                "fps": FPS,
                "action_type": f"exercise_{exercise}",
                "score": file["score"],
                "group": patients,
                "fold": file["fold"],
            }
        ),
        path,
    )


def keypoints(video_ids: Collection[str], *, root: Path | str, exercise: int) -> Iterator[tuple[str, np.ndarray, dict]]:
    """Video id, keypoints (T, 18, 4) with x, y, z in metres and confidence 1, and facts of the given patients."""
    file = load_npz(annotation_files(root=root, exercise=exercise)[0], "subject", "skeletons")
    for subject, skeleton in zip(file["subject"], file["skeletons"], strict=True):
        if _video_id(subject) in video_ids:
            confidence = np.ones((*skeleton.shape[:2], 1), np.float32)
            array = np.concatenate([skeleton.astype(np.float32), confidence], axis=2)
            yield _video_id(subject), array, {"fps": FPS, "keypoint_set": "kimore_18"}


def _video_id(subject: int) -> str:
    return f"patient_{subject:02d}"
