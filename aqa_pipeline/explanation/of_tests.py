"""What a trained row predicted of its test videos, explained with its own features, exemplars and steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aqa_pipeline.errors import InputError
from aqa_pipeline.explanation import contributions
from aqa_pipeline.explanation.contributions import Asked
from aqa_pipeline.explanation.shown import Shown, may_be_shown, shown
from aqa_pipeline.training import runs
from aqa_pipeline.training.trained import Trained

KINDS = ("steps", "joints")


def of_tests(trained: Trained, video_ids: Sequence[str]) -> dict[str, list[Shown]]:
    """By video what may be shown of it: of each fold that tests it the mean over its seeds, the first such fold's.

    InputError where nothing of this row may be shown, or what it predicts from is no longer there.
    """
    kinds, withheld = may_be_shown(trained.row, KINDS)
    if not kinds:
        raise InputError(withheld[0])
    found: dict[str, list[Shown]] = {}
    with trained.open(runs.Files(features=trained.features)) as inputs:
        for fold, folders in _by_fold(trained.all_folds).items():
            parts = runs.parts_of(trained.folds, fold, inputs)
            here = sorted((set(video_ids) - set(found)) & set(parts["test"]))
            if not here:
                continue
            background = contributions.background_of(trained.samples, parts["train"], here)
            models = {folder: _draws(trained, folder, fold) for folder in folders}
            asked = Asked(models, trained.samples, inputs, background)
            of_kind = {kind: _of_kind(asked, trained, kind) for kind in kinds}
            for number, video_id in enumerate(here):
                found[video_id] = [shown(of[number], trained.row, kind) for kind, of in of_kind.items()]
    return found


def _of_kind(asked: Asked, trained: Trained, kind: str) -> list[contributions.Contributions]:
    if kind == "steps":
        return contributions.of_steps(asked)
    return contributions.of_joints(asked, keypoints_of(trained))


def keypoints_of(trained: Trained) -> list[Path]:
    """The stores that the features of a row were made from; InputError where they were not kept."""
    made = [of["inputs"]["keypoints"] for of in trained.recipe["features"].values() if "keypoints" in of["inputs"]]
    found = [path for one in made for path in trained.stores_like("keypoints", one)]
    if not found:
        raise InputError(
            f"{trained.results}/keypoints/{trained.dataset}: none that the features of {trained.row} are of"
        )
    return found


def _by_fold(folders: Sequence[Path]) -> dict[int, list[Path]]:
    found: dict[int, list[Path]] = {}
    for folder in folders:
        found.setdefault(runs.load_settings(folder)[0].fold, []).append(folder)
    return found


def _draws(trained: Trained, folder: Path, fold: int) -> Any:
    seed = folder.name.partition(".")[2]
    path = trained.results / "pairs" / trained.row / f"{trained.dataset}.{trained.protocol}" / f"{seed}.parquet"
    return runs.read_table(path, fold) if trained.settings.is_network else None
