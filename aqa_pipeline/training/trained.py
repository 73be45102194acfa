"""A trained row and what its results folder still holds: models, samples, folds, stores and predictions."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aqa_pipeline import plugins, stores
from aqa_pipeline.errors import InputError, nearest
from aqa_pipeline.training import runs

if TYPE_CHECKING:
    import pandas as pd

FOLDERS = "fold*.seed*"


@dataclass(frozen=True)
class Trained:
    """The runs of one row on one data set, all folds and seeds that vote."""

    folders: Sequence[Path]
    results: Path  # where stores, samples, folds and predictions lie by convention
    settings: runs.Settings  # of the first; fold and seed are its own
    recipe: Mapping[str, Any]  # see `runs.recipe_of`

    @property
    def row(self) -> str:
        return self.folders[0].parents[1].name

    @property
    def dataset(self) -> str:
        return self.folders[0].parent.name.partition(".")[0]

    @property
    def protocol(self) -> str:
        return self.folders[0].parent.name.partition(".")[2]

    @property
    def needs(self) -> set[str]:
        return plugins.constant("systems", self.settings.system, "needs") or set()

    @property
    def rule(self) -> str:
        """How exemplars are chosen, see `training.pairs`; "none" where a video stands alone."""
        return self.recipe.get("draws", {}).get("exemplars", "none")

    @property
    def compares(self) -> bool:
        """Whether it scores a video beside exemplars."""
        return self.rule != "none"

    @property
    def is_simulated(self) -> bool:
        return plugins.constant("datasets", self.settings.adapter, "simulated_by") is not None

    @cached_property
    def samples(self) -> pd.DataFrame:
        """The sample table that it was trained and tested on."""
        return stores.read_table(self.results / f"samples/{self.dataset}.parquet")

    @cached_property
    def folds(self) -> pd.DataFrame:
        return stores.read_table(self.results / f"folds/{self.dataset}.{self.protocol}.parquet")

    @cached_property
    def training(self) -> list[str]:
        """Videos that any of its models has seen in training, sorted."""
        folds = {runs.load_settings(folder)[0].fold for folder in self.folders}
        seen = self.folds[self.folds["fold"].isin(folds) & (self.folds["part"] == "train")]
        return sorted(seen["video_id"].unique())

    @cached_property
    def action_types(self) -> list[str]:
        """Kinds of action in its training parts."""
        return sorted({name for folder in self.folders for name in _config(folder)["facts"]["action_types"]})

    @property
    def all_folds(self) -> list[Path]:
        """Folders of all folds of the row, by the seeds that vote."""
        seeds = sorted({folder.name.partition(".")[2] for folder in self.folders})
        beside = self.folders[0].parent
        return [path.parent for seed in seeds for path in sorted(beside.glob(f"fold*.{seed}/config.json"))]

    @property
    def predictions(self) -> list[Path]:
        """Predictions of their test parts."""
        paths = [folder / "predictions.parquet" for folder in self.all_folds]
        return [path for path in paths if path.is_file()]

    @property
    def features(self) -> list[Path]:
        """Its feature stores; InputError where one is gone, or was made in another way since."""
        folder = self.results / "features" / self.dataset
        return [path for name, made in self.recipe["features"].items() for path in _stores(folder / name, made)]

    @property
    def files(self) -> runs.Files:
        """All stores that its exemplars are read from; InputError as for `features`."""
        boxes = Path("boxes") / self.dataset / str(self.settings.frames.get("detector"))
        places = {"frames": Path("frames") / self.dataset, "boxes": boxes}
        pictures = {
            kind: _stores(self.results / place, self.recipe[kind])
            for kind, place in places.items()
            if kind in self.recipe
        }
        return runs.Files(features=self.features, **pictures)

    def open(self, files: runs.Files, *, threads: int = 1) -> contextlib.AbstractContextManager[dict[str, Any]]:
        """Stores as its models read them, see `runs.open_inputs`."""
        settings = self.settings
        read = dict(roles=settings.roles, frames=settings.frames, needs=self.needs)
        return runs.open_inputs(files, threads=threads, **read)

    def stores_like(self, kind: str, made: Mapping[str, Any]) -> list[Path]:
        """The stores of a kind that were made by a recipe, of all shards; none where they were not kept."""
        for folder in sorted((self.results / kind / self.dataset).glob("**/")):
            shards = sorted(folder.glob("*.h5"))
            if shards and same(stores.recipe(shards[0]), made):
                return shards
        return []


def of(run: Path, results: Path | None = None) -> Trained:
    """The row of a run's folder, or of the folder above with all folds and seeds.

    Parameters
    ----------
    run : results/runs/SYSTEM.VARIANT/DATASET.PROTOCOL, or a fold and seed in it
    results : where the rest of the results lies, if the run was moved away from it

    Raises
    ------
    InputError
        It is no run.
    """
    run = Path(run).absolute()
    folders = (
        [run] if (run / "config.json").is_file() else sorted(path.parent for path in run.glob(f"{FOLDERS}/config.json"))
    )
    if not folders:
        beside = [path.name for path in run.parent.glob("*/")] if run.parent.is_dir() else []
        raise InputError(f"{run} is no trained run, {nearest(run.name, beside)}")
    settings, config = runs.load_settings(folders[0])
    return Trained(folders, results or folders[0].parents[3], settings, config.get("recipe", {}))


def steps(made: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A recipe and the recipes of its inputs, from the last step back."""
    yield made
    for of_input in made.get("inputs", {}).values():
        yield from steps(of_input)


def same(made: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two recipes make the same; libraries may differ."""
    return _without_libraries(made) == _without_libraries(other)


def _without_libraries(made: Mapping[str, Any]) -> dict[str, Any]:
    inputs = {kind: _without_libraries(of_input) for kind, of_input in made.get("inputs", {}).items()}
    return {**{name: value for name, value in made.items() if name != "libraries"}, "inputs": inputs}


def _stores(folder: Path, made: Mapping[str, Any]) -> list[Path]:
    shards = sorted(folder.glob("*.h5"))
    if not shards:
        raise InputError(
            f"{folder}: no stores, expected those that the run was trained on; --results says where they are"
        )
    if not same(stores.recipe(shards[0]), made):
        raise InputError(f"{shards[0]}: was made in another way since the run was trained, train it again")
    return shards


def _config(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "config.json").read_text())
