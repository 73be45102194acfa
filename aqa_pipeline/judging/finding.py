"""A trained row that can be asked about a video of one's own, or why it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aqa_pipeline.errors import InputError
from aqa_pipeline.training import runs, trained
from aqa_pipeline.training.trained import Trained


def find(run: Path, results: Path | None = None) -> Trained:
    """The row of a run's folder, see `trained.of`.

    Raises
    ------
    InputError
        It is no run, carries no recipe, or cannot be asked about a video.
    """
    found = trained.of(run, results)
    _expect_askable(found, runs.load_settings(found.folders[0])[1])
    return found


def _expect_askable(found: Trained, config: Mapping[str, Any]) -> None:
    settings, recipe = found.settings, found.recipe
    where = f"--run: {found.folders[0]}"
    if settings.control != "none":
        raise InputError(f"{where} is a control ({settings.control}), expected a run whose scores mean something")
    if "truth" in found.needs:
        raise InputError(f"{where}: {settings.system} reads the truth, which no video of yours has")
    if "recipe" not in config:
        raise InputError(f"{where}: its config.json has no recipe, train it again with this version")
    if not recipe["features"] and "frames" not in recipe:
        raise InputError(f"{where}: {settings.system} looks at no video, expected a run on features or frames")
    if settings.is_network and not recipe.get("draws"):
        raise InputError(f"{where}: its draws do not say how exemplars were chosen, draw and train again")
    for name, made in recipe["features"].items():
        for step in trained.steps(made):
            stage = step.get("stage", "")
            if stage.startswith("import_"):
                came = f"its {stage.removeprefix('import_')} ({name}) came with the data set"
                raise InputError(f"{where}: {came}, there is no way to them from a video")
            if stage != "extract_frames" and not step.get("inputs"):
                raise InputError(f"{where}: its {name} do not say what they were made from, make them again and train")
