"""What AQA-7, UNLV-Dive and UNLV-Vault share: the lists of AQA-7, the older releases, and which clips are the same.

All come from the University of Nevada, Las Vegas. UNLV-Dive is action 1 of AQA-7 and UNLV-Vault its action 2: the dives
have the same numbers, scores and split in both, as measured; of the vaults the numbers are taken to be the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aqa_pipeline import untrusted
from aqa_pipeline.errors import InputError, nearest

if TYPE_CHECKING:
    import pandas as pd

SAMPLES = {  # of AQA-7 by action, in the order in which its lists number the actions from 1
    "diving": 370,
    "gym_vault": 176,
    "ski_big_air": 175,
    "snowboard_big_air": 206,
    "sync_diving_3m": 88,
    "sync_diving_10m": 91,
}
PARTS = ("train", "test")

_LISTS = ("Split_4/split_4_{}_list.mat", "Split_4/consolidated_{}_list.mat", "consolidated_{}_list.mat")
_MOST_POINTS = 200.0  # no score of these sports comes near it, and any hundredfold list has some far above

_BROADCASTS = {3: (72, [9]), 2: (108, []), 1: (190, [64, 70])}  # MTL-AQA video: its dives here, samples left out


def mtl_aqa_key(dive: int) -> tuple[int, int]:
    """Video and sample of MTL-AQA that are dive 1 to 370 of UNLV-Dive and AQA-7.

    The dives are those of the videos 3, 2 and 1 in this order, ascending, without the samples (3, 9) and (1, 70);
    (1, 64) has no annotation in MTL-AQA either.
    Found by comparing both releases: 368 scores are equal, two differ by 0.1 (dives 73 and 345).
    """
    expect_number(dive, "diving")
    video = next(v for v, (n_dives, _) in _BROADCASTS.items() if dive <= dive_of_place(v, n_dives))
    sample = 1 + dive - dive_of_place(video, 1)
    for left_out in _BROADCASTS[video][1]:
        sample += sample >= left_out
    return video, sample


def dive_of_place(video: int, place: int) -> int:
    """The dive that is the `place`-th of a video, from 1: what the 370-lists in MTL-AQA's release say."""
    if not 1 <= place <= _BROADCASTS.get(video, (0, []))[0]:
        raise InputError(f"dive ({video}, {place}), expected places 1 to 72 of video 3, 108 of 2, 190 of 1")
    before = list(_BROADCASTS)[: list(_BROADCASTS).index(video)]
    return sum(_BROADCASTS[v][0] for v in before) + place


def identity(number: int, action: str) -> str:
    """The name that a clip bears in every data set: MTL-AQA's for the dives, else that of AQA-7."""
    if action == "diving":
        video, sample = mtl_aqa_key(number)
        return f"mtl_aqa/{video:02d}/{sample:03d}"
    return f"aqa_7/{action}/{number:03d}"


def broadcast(number: int, action: str) -> str | None:
    """The untrimmed video of MTL-AQA that a dive was cut from; of the other actions it is not known."""
    return f"{mtl_aqa_key(number)[0]:02d}" if action == "diving" else None


def expect_action(action: str) -> None:
    """InputError with the nearest action where AQA-7's lists have no such one."""
    if action not in SAMPLES:
        raise InputError(f"aqa_7: no action '{action}', {nearest(str(action), SAMPLES)}")


def expect_number(number: int, action: str, source: Path | str = "aqa_7") -> None:
    """InputError where an action has no sample of this number."""
    if not 1 <= number <= SAMPLES[action]:
        raise InputError(f"{source}: sample {number} of {action}, expected 1 to {SAMPLES[action]}")


def aqa_7_lists(root: Path | str) -> list[Path]:
    """Training and test list of AQA-7, in the first place and spelling of which one is there."""
    places = [[Path(root) / name.format(part) for part in PARTS] for name in _LISTS]
    return next((paths for paths in places if any(path.is_file() for path in paths)), places[0])


def aqa_7_samples(root: Path | str, action: str) -> pd.DataFrame:
    """Columns number, score (points) and part of an action of AQA-7.

    Raises
    ------
    InputError
        A list is missing or broken, or has a sample that the action has not.
    """
    import pandas as pd

    expect_action(action)
    tables = []
    for part, path in zip(PARTS, aqa_7_lists(root), strict=True):
        rows = _list(path, f"consolidated_{part}_list")
        rows = rows[rows[:, 0] == list(SAMPLES).index(action) + 1]
        for number in rows[:, 1]:
            expect_number(int(number), action, path)
        tables.append(pd.DataFrame({"number": rows[:, 1].astype(int), "score": rows[:, 2], "part": part}))
    return pd.concat(tables, ignore_index=True)


def _list(path: Path, name: str) -> np.ndarray:
    """Rows of action, sample and score in points, (N, 3); some copies hold scores of 100 times as much."""
    matrix = untrusted.read_mat(path, name)[name]
    if matrix.ndim != 2 or matrix.shape[1] != 3 or not len(matrix) or matrix.dtype.kind not in "iuf":
        raise InputError(
            f"{path}: '{name}' has shape {matrix.shape} of {matrix.dtype}, expected rows of action, sample, score"
        )
    matrix = matrix.astype(float)
    if not np.isfinite(matrix).all() or (matrix[:, :2] != np.round(matrix[:, :2])).any():
        raise InputError(f"{path}: '{name}' holds a row that is not action, sample, score in numbers")
    if matrix[:, 2].max() > _MOST_POINTS:
        matrix[:, 2] /= 100
    return matrix


def release_samples(scores: Path, difficulty: Path | None, splits: list[Path], action: str) -> pd.DataFrame:
    """Columns number, score, difficulty and part of a release older than AQA-7.

    Parameters
    ----------
    scores : `overall_scores` (1, N) of a MATLAB file, points
    difficulty : `difficulty_level` (1, N) of one, or None where there is none
    splits : `training_idx` and `testing_idx` of two, numbers from 1, which together name every sample once

    Raises
    ------
    InputError
        A file is missing or broken, or they do not fit each other.
    """
    import pandas as pd

    score = _vector(scores, "overall_scores")
    if not 1 <= len(score) <= SAMPLES[action]:
        raise InputError(f"{scores}: {len(score)} scores, expected 1 to {SAMPLES[action]}")
    level = np.full(len(score), np.nan) if difficulty is None else _vector(difficulty, "difficulty_level")
    if len(level) != len(score):
        raise InputError(f"{difficulty}: {len(level)} difficulties, expected {len(score)}, one a score")
    if (level <= 0).any():
        raise InputError(f"{difficulty}: difficulty {level.min():g}, expected more than 0")
    part: dict[int, str] = {}
    for name, path, variable in zip(PARTS, splits, ("training_idx", "testing_idx"), strict=True):
        for number in _vector(path, variable):
            if not (number.is_integer() and 1 <= number <= len(score)):
                raise InputError(f"{path}: sample {number:g}, expected a number from 1 to {len(score)}")
            if number in part:
                raise InputError(f"{path}: sample {number:g} stands twice in the split, expected each once")
            part[int(number)] = name
    numbers = range(1, len(score) + 1)
    for number in numbers:
        if number not in part:
            raise InputError(f"{splits[0]}: sample {number} stands neither here nor in {splits[1].name}")
    parts = [part[number] for number in numbers]
    return pd.DataFrame({"number": numbers, "score": score, "difficulty": level, "part": parts})


def _vector(path: Path, name: str) -> np.ndarray:
    return np.array(list(untrusted.numbers_of(path, untrusted.read_mat(path, name)[name], name)))
