"""UNLV-Vault: 176 vaults, 120 for training and 56 for testing; the score is execution plus difficulty.

Either the authors' release, whose folder is `root`,

    gym_vault_overall_scores.mat      overall_scores (1, 176), points, 12.3 to 16.87
    gym_vault_difficulty_level.mat    difficulty_level (1, 176), read where it is there
    split_4/training_idx.mat, testing_idx.mat           training_idx (1, 120), testing_idx (1, 56), numbers from 1
    gym_vault_samples_len_100_lstm/<3 digits>.avi       every clip padded to 100 frames

or the same vaults as action 2 of AQA-7, whose folder is `aqa_7_root`: layout and clips as `aqa_7` says, 103 frames, no
difficulty. Without a difficulty the execution score is the score.

The release is known from code that reads it: names and variables of the scores, the split and the clips are certain;
the name of the difficulties is that of UNLV-Dive with the sport changed, and nobody was seen to read it.

Source: Parmar and Morris, Learning to score Olympic events, CVPRW 2017.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aqa_pipeline.datasets import _unlv, aqa_7
from aqa_pipeline.datasets._table import finished, minus_difficulty, plus_difficulty
from aqa_pipeline.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

ACTION = "gym_vault"
N_FRAMES = 100  # of a padded clip of the release

counts = {"samples": 176, "train": 120, "test": 56}

compose = plus_difficulty
execution = minus_difficulty


def annotation_files(*, root: Path | str | None = None, aqa_7_root: Path | str | None = None) -> list[Path]:
    """Scores, split and, where they are there, difficulties of the release, or both lists of AQA-7."""
    _expect_one(root, aqa_7_root)
    if aqa_7_root is not None:
        return _unlv.aqa_7_lists(aqa_7_root)
    names = ("gym_vault_overall_scores.mat", "split_4/training_idx.mat", "split_4/testing_idx.mat")
    difficulty = Path(root) / "gym_vault_difficulty_level.mat"
    return [*(Path(root) / name for name in names), *([difficulty] if difficulty.is_file() else [])]


def media(*, root: Path | str | None = None, aqa_7_root: Path | str | None = None) -> dict[str, list[Path]]:
    """The folder of the clips, or those in which AQA-7's may lie."""
    _expect_one(root, aqa_7_root)
    if aqa_7_root is not None:
        return aqa_7.media(root=aqa_7_root, action=ACTION)
    return {"videos": [Path(root) / "gym_vault_samples_len_100_lstm"]}


def samples(*, root: Path | str | None = None, aqa_7_root: Path | str | None = None) -> pd.DataFrame:
    """One row a vault, `vault_012` for vault 12, with the official split in `part`.

    Parameters
    ----------
    root : the folder as its authors released it
    aqa_7_root : AQA-7's folder instead, which holds the same vaults
    """
    scores, *others = annotation_files(root=root, aqa_7_root=aqa_7_root)
    if aqa_7_root is not None:
        table = _unlv.aqa_7_samples(aqa_7_root, ACTION)
        table = table.assign(**aqa_7.clips(table["number"], root=aqa_7_root, action=ACTION))
    else:
        table = _unlv.release_samples(scores, others[2] if others[2:] else None, others[:2], ACTION)
        [folder] = media(root=root)["videos"]
        paths = [str(folder / f"{number:03d}.avi") for number in table["number"]]
        table = table.assign(path=paths, first_frame=0, last_frame=N_FRAMES - 1)
    numbers = table.pop("number")
    table["video_id"] = [f"vault_{number:03d}" for number in numbers]
    table["identity"] = [_unlv.identity(number, ACTION) for number in numbers]
    return finished(table, scores)


def _expect_one(root: Path | str | None, aqa_7_root: Path | str | None) -> None:
    if (root is None) == (aqa_7_root is None):
        raise InputError("unlv_vault: expected either root or aqa_7_root, the folder of one release")
