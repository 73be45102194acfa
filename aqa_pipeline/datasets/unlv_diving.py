"""UNLV-Dive: 370 dives of men from the 10 m platform, 300 for training and 70 for testing.

Either the authors' release, whose folder is `root`,

    diving_overall_scores.mat     overall_scores (1, 370), points, 21.6 to 102.6
    diving_difficulty_level.mat   difficulty_level (1, 370), 2.7 to 4.1
    split_300_70/training_idx.mat, testing_idx.mat     training_idx (1, 300), testing_idx (1, 70), numbers from 1
    diving_samples_len_151_lstm/<3 digits>.avi         every clip padded to 151 frames
    diving_samples_len_ori/<3 digits>.avi              the same clips as long as they were, with `original_length`

or the same dives cut out of a copy of MTL-AQA, whose folder is `mtl_aqa_root`:

    MTL-AQA_dataset_release/Ready_2_Use/UNLV_Dive_split_4/train_split_370_4.pkl, test_split_370_4.pkl
    MTL-AQA_dataset_release/Ready_2_Use/UNLV_Dive_split_4/final_annotations_dict.pkl
    whole_videos_frames/<2 digits>/<6 digits>.jpg, or new/new_total_frames_256s/<2 digits>/<8 digits>.jpg

The two lists of MTL-AQA are pairs of a video and the dive's place among the 370 in it, while the annotations count all
samples of the video. Looked up as they stand they name another dive in 191 of 370 cases; here places become dives of
UNLV-Dive, and these samples of MTL-AQA (`_unlv.mtl_aqa_key`). The clips then run from MTL-AQA's first to its last frame
and are not padded, and two scores are MTL-AQA's (dive 73: 88.3 for 88.2, dive 345: 67.2 for 67.3), as is a difficulty
(dive 133: 3.3 for 3.0). Of these MTL-AQA errs in the first and UNLV-Dive in the others, as half marks tell
(`label_errors`).

The score is execution times difficulty. The dive numbers are not known.

Sources: Parmar and Morris, Learning to score Olympic events, CVPRW 2017, and the readme of its release; MTL-AQA: Parmar
and Morris, CVPR 2019.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aqa_pipeline import untrusted
from aqa_pipeline.datasets import _unlv
from aqa_pipeline.datasets._table import finished, first_folder, over_difficulty, times_difficulty
from aqa_pipeline.errors import InputError, nearest

if TYPE_CHECKING:
    import pandas as pd

N_FRAMES = 151  # of a padded clip

_FOLDER = "Ready_2_Use/UNLV_Dive_split_4"

counts = {"samples": 370, "train": 300, "test": 70}

compose = times_difficulty
execution = over_difficulty


def annotation_files(
    *, root: Path | str | None = None, mtl_aqa_root: Path | str | None = None, original_length: bool = False
) -> list[Path]:
    """Scores, difficulties and split of the release, or both lists and the annotations of MTL-AQA."""
    _expect_one(root, mtl_aqa_root)
    if mtl_aqa_root is not None:
        names = ("train_split_370_4.pkl", "test_split_370_4.pkl", "final_annotations_dict.pkl")
        places = [Path(mtl_aqa_root) / above / _FOLDER for above in ("MTL-AQA_dataset_release", "")]
        return [first_folder(places) / name for name in names]
    names = ("diving_overall_scores.mat", "diving_difficulty_level.mat")
    splits = ("split_300_70/training_idx.mat", "split_300_70/testing_idx.mat")
    return [Path(root) / name for name in names + splits]


def media(
    *, root: Path | str | None = None, mtl_aqa_root: Path | str | None = None, original_length: bool = False
) -> dict[str, list[Path]]:
    """The folder of the clips, or those in which the frames of MTL-AQA may lie."""
    _expect_one(root, mtl_aqa_root)
    if mtl_aqa_root is not None:
        names = ("whole_videos_frames", "new/new_total_frames_256s", "new_total_frames_256s")
        return {"videos": [Path(mtl_aqa_root) / name for name in names]}
    return {"videos": [Path(root) / f"diving_samples_len_{'ori' if original_length else '151_lstm'}"]}


def samples(
    *, root: Path | str | None = None, mtl_aqa_root: Path | str | None = None, original_length: bool = False
) -> pd.DataFrame:
    """One row a dive, `dive_054` for dive 54, with the official split in `part`.

    Parameters
    ----------
    root : the folder as its authors released it
    mtl_aqa_root : MTL-AQA's folder instead, which holds its annotations too
    original_length : clips as long as they were, not padded
    """
    options: dict[str, Any] = dict(root=root, mtl_aqa_root=mtl_aqa_root, original_length=original_length)
    source = annotation_files(**options)
    table = _cut(*source) if mtl_aqa_root is not None else _released(*source, padded=not original_length)
    folder = first_folder(media(**options)["videos"])
    table["path"] = [str(folder / name) for name in table.pop("name")]
    dives = table.pop("number")
    table["video_id"] = [f"dive_{dive:03d}" for dive in dives]
    table["broadcast"] = [_unlv.broadcast(dive, "diving") for dive in dives]
    table["identity"] = [_unlv.identity(dive, "diving") for dive in dives]
    return finished(table, source[0])


def label_errors(
    *, root: Path | str | None = None, mtl_aqa_root: Path | str | None = None, original_length: bool = False
) -> Iterator[tuple[str, str, str]]:
    """Dives whose score over their difficulty cannot be a sum of three marks: 0 to 30 in halves."""
    table = samples(root=root, mtl_aqa_root=mtl_aqa_root, original_length=original_length)
    for dive in table.itertuples():
        marks = dive.score / dive.difficulty
        if not (-0.02 < marks < 30.02 and abs(2 * marks - round(2 * marks)) < 0.04):  # scores are rounded to cents
            yield dive.video_id, "execution", f"score {dive.score:g} over difficulty {dive.difficulty:g} is {marks:.2f}"


def _released(scores: Path, difficulty: Path, training: Path, testing: Path, *, padded: bool) -> pd.DataFrame:
    table = _unlv.release_samples(scores, difficulty, [training, testing], "diving")
    table["name"] = [f"{dive:03d}.avi" for dive in table["number"]]
    return table.assign(first_frame=0, last_frame=N_FRAMES - 1) if padded else table


def _cut(training: Path, testing: Path, annotations: Path) -> pd.DataFrame:
    import pandas as pd

    found = untrusted.plain(untrusted.read_pickle(annotations))
    if not isinstance(found, dict):
        raise InputError(f"{annotations}: found {type(found).__name__}, expected a dict of samples")
    rows = []
    for part, path in zip(_unlv.PARTS, (training, testing), strict=True):
        for dive in _dives(path):
            video, sample = _unlv.mtl_aqa_key(dive)
            facts = _facts(annotations, found, (video, sample))
            rows.append({"number": dive, "name": f"{video:02d}", "part": part, **facts})
    return pd.DataFrame(rows, columns=["number", "name", "part", *_FACTS.values()])


_FACTS = {"final_score": "score", "difficulty": "difficulty", "start_frame": "first_frame", "end_frame": "last_frame"}


def _dives(path: Path) -> list[int]:
    """Numbers of UNLV-Dive in a list of (video, place in the video)."""
    entries = untrusted.plain(untrusted.read_pickle(path))
    if not isinstance(entries, list):
        raise InputError(f"{path}: found {type(entries).__name__}, expected a list of (video, place)")
    dives = []
    for entry in entries:
        if not isinstance(entry, tuple) or [type(number) for number in entry] != [int, int]:
            raise InputError(f"{path}: entry {entry!r}, expected two whole numbers, video and place")
        try:
            dives.append(_unlv.dive_of_place(*entry))
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
    return dives


def _facts(path: Path, found: dict, key: tuple[int, int]) -> dict[str, float | int]:
    entry = found.get(key)
    if not isinstance(entry, dict):
        raise InputError(f"{path}: no sample {key}, expected its annotation")
    for name in _FACTS:
        if name not in entry:
            raise InputError(f"{path}: sample {key} has no '{name}', {nearest(name, map(str, entry))}")
    facts = dict(zip(_FACTS.values(), untrusted.numbers_of(path, [entry[n] for n in _FACTS], f"{key}"), strict=True))
    if facts["difficulty"] <= 0:
        raise InputError(f"{path}: sample {key} has difficulty {facts['difficulty']:g}, expected more than 0")
    first, last = facts["first_frame"], facts["last_frame"]
    if not (first.is_integer() and last.is_integer() and 0 <= first <= last < 10**9):
        raise InputError(f"{path}: sample {key} has frames {first:g} to {last:g}, expected whole numbers in order")
    return facts | {"first_frame": int(first), "last_frame": int(last)}


def _expect_one(root: Path | str | None, mtl_aqa_root: Path | str | None) -> None:
    if (root is None) == (mtl_aqa_root is None):
        raise InputError("unlv_diving: expected either root or mtl_aqa_root, the folder of one release")
