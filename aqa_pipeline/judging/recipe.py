"""From a video to the stores that a run reads, by the stages and options that made those it was trained on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aqa_pipeline import stores
from aqa_pipeline.errors import InputError
from aqa_pipeline.training.trained import same, steps

OWN = "own"  # in the place of a data set's name

Made = Mapping[str, Any]


@dataclass
class Kitchen:
    """Stores of some videos in a folder of the form of `results/`, each made once.

    Parameters
    ----------
    folder : where they go
    samples : table of the videos, `video_id` and `path`
    device, threads : what the stages may use
    """

    folder: Path
    samples: Path
    device: str = "auto"
    threads: int = 1
    seconds: dict[str, float] = field(default_factory=dict)  # spent on each kind of store
    _done: dict[str, Path] = field(default_factory=dict)

    @property
    def failures(self) -> dict[str, str]:
        """Videos that a stage left out, each with the reason."""
        found: dict[str, str] = {}
        for path in self._done.values():
            with stores.read(path, kind=stores.kind(path)) as store:
                found |= {video_id: reason for video_id, (_, reason) in store.failures.items()}
        return found

    def store(self, made: Made, name: str = "") -> Path:
        """The store that a recipe makes, its inputs first; `name` is that of its folder.

        Raises
        ------
        InputError
            The recipe cannot be followed here: weights or stages are no longer the same.
        """
        key = json.dumps(made, sort_keys=True)
        if key not in self._done:
            kind, cook = STAGES[made["stage"]]
            inputs = {of_kind: self.store(of_input) for of_kind, of_input in made.get("inputs", {}).items()}
            out = self.folder / kind / OWN / (name or self._name(kind, inputs)) / "0000.h5"
            started = time.monotonic()
            cook(self, made, inputs, out)
            self.seconds[kind] = self.seconds.get(kind, 0.0) + time.monotonic() - started
            _expect_same(out, made)
            self._done[key] = out
        return self._done[key]

    def _name(self, kind: str, inputs: Mapping[str, Path]) -> str:
        """Of a folder as the workflow names them: frames have none, keypoints bear that of their boxes."""
        number = str(len(self._done))
        of_boxes = inputs.get("boxes") or inputs.get("keypoints")
        return {
            "frames": "",
            "keypoints": f"{of_boxes.parent.name.partition('.')[0]}.{number}" if of_boxes else number,
        }.get(kind, number)

    def by_kind(self, kind: str) -> Path | None:
        """The last store of a kind that was made."""
        of_kind = [path for path in self._done.values() if path.is_relative_to(self.folder / kind)]
        return of_kind[-1] if of_kind else None


def athlete_of(recipe: Mapping[str, Any]) -> Made | None:
    """The recipe of what says most of the athlete among a run's inputs: keypoints, else boxes; None without either."""
    roots = [*recipe["features"].values(), *(recipe[kind] for kind in ("boxes",) if kind in recipe)]
    made = [step for root in roots for step in steps(root)]
    return next((step for kind in ("keypoints", "boxes") for step in made if kind_of(step) == kind), None)


def kind_of(made: Made) -> str:
    """What kind of store a recipe makes; empty where it cannot be followed."""
    return STAGES[made["stage"]][0] if made["stage"] in STAGES else ""


def _frames(kitchen: Kitchen, made: Made, inputs: Mapping[str, Path], out: Path) -> None:
    from aqa_pipeline.stages.extract_frames import extract_frames

    extract_frames(kitchen.samples, out, **_options(made, "quality", "max_height", "min_frames"))


def _boxes(kitchen: Kitchen, made: Made, inputs: Mapping[str, Path], out: Path) -> None:
    from aqa_pipeline.stages.detect_athlete import detect_athlete

    chosen = _options(made, "detector", "athlete", "options", "athlete_options")
    detect_athlete(inputs["frames"], out, **chosen, device=kitchen.device, threads=kitchen.threads)


def _keypoints(kitchen: Kitchen, made: Made, inputs: Mapping[str, Path], out: Path) -> None:
    from aqa_pipeline.stages.estimate_keypoints import estimate_keypoints

    chosen = _options(made, "estimator", "options")
    estimate_keypoints(inputs["frames"], inputs["boxes"], out, **chosen, device=kitchen.device, threads=kitchen.threads)


def _smoothed(kitchen: Kitchen, made: Made, inputs: Mapping[str, Path], out: Path) -> None:
    from aqa_pipeline.stages.smooth_keypoints import smooth_keypoints

    smooth_keypoints(inputs["keypoints"], out, boxes=inputs.get("boxes"), **_options(made, "estimator", "options"))


def _features(kitchen: Kitchen, made: Made, inputs: Mapping[str, Path], out: Path) -> None:
    from aqa_pipeline.stages.extract_features import extract_features

    read = [inputs[kind] for kind in ("keypoints", "frames", "boxes") if kind in inputs]
    extract_features(read, out=out, **_options(made, "extractor", "options"), device=kitchen.device)


# What each stage of a recipe makes, and how it is called.
STAGES: dict[str, tuple[str, Callable[[Kitchen, Made, Mapping[str, Path], Path], None]]] = {
    "extract_frames": ("frames", _frames),
    "detect_athlete": ("boxes", _boxes),
    "estimate_keypoints": ("keypoints", _keypoints),
    "smooth_keypoints": ("keypoints", _smoothed),
    "extract_features": ("features", _features),
}


def _options(made: Made, *names: str) -> dict[str, Any]:
    return {name: made[name] for name in names}


def _expect_same(out: Path, made: Made) -> None:
    """The store must have been made as the recipe says: also by the same weights and the same version of the stage."""
    found = stores.recipe(out)
    if not same(found, made):
        other = sorted(name for name in {*made, *found} - {"libraries", "inputs"} if made.get(name) != found.get(name))
        name = other[0] if other else "inputs"
        expected = f"expected {made.get(name)} as in training; train the run again"
        raise InputError(f"{made['stage']}: {name} is {found.get(name)} here, {expected}")
