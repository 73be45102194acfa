"""What the models of a run say: of a video of one's own, and of those that they were tested on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aqa_pipeline import stores
from aqa_pipeline.errors import InputError
from aqa_pipeline.judging.labels import Label
from aqa_pipeline.training import pairs, runs
from aqa_pipeline.training.trained import Trained

if TYPE_CHECKING:
    import pandas as pd

ANY = "any"  # the rule by which exemplars are chosen where that of the run cannot be followed


@dataclass(frozen=True)
class Models:
    """The models that vote, and where they are computed."""

    trained: Trained
    device: str = "auto"
    threads: int = 1

    def rule(self, label: Label) -> str:
        """How exemplars are chosen for a video: as in training, if what they are chosen by is known."""
        rule, types = self.trained.rule, self.trained.action_types
        unknown = {"same_type": not label.action_type and bool(types), "same_difficulty": label.difficulty is None}
        return ANY if unknown.get(rule, False) else rule

    def of_video(self, video_id: str, label: Label, own: runs.Files) -> dict[str, pd.DataFrame]:
        """What each model says of a video whose stores are `own`, see `runs.Run.predict`."""
        samples = self.samples_with(video_id, label)
        files = joined(self.trained.files, own) if self.trained.compares else own
        tables = {}
        with self.trained.open(files, threads=self.threads) as inputs:
            for folder in self.trained.folders:
                run = runs.load(folder, samples, inputs)
                draws = self.draws(run, [video_id], samples, inputs, self.rule(label))
                tables[folder.name] = run.predict([video_id], draws, self.device)
        return tables

    def samples_with(self, video_id: str, label: Label) -> pd.DataFrame:
        """All samples, and the video as the last."""
        import pandas as pd

        difficulty = np.nan if label.difficulty is None else label.difficulty
        row = dict(video_id=video_id, action_type=label.action_type, difficulty=difficulty, score=np.nan)
        return pd.concat([self.trained.samples, pd.DataFrame([row])], ignore_index=True)

    def out_of_fold(self, rule: str) -> list[pd.DataFrame]:
        """Predictions of the test parts of all folds: those stored, or new ones by another rule of exemplars."""
        trained = self.trained
        if rule == trained.rule:
            found = [stores.read_table(path) for path in trained.predictions]
            if not found:
                where = trained.folders[0].parent
                raise InputError(f"{where}: no predictions.parquet, expected those of the test parts for an interval")
            return found
        with trained.open(trained.files, threads=self.threads) as inputs:
            return [self._tested(folder, inputs, rule) for folder in trained.all_folds]

    def _tested(self, folder: Path, inputs: Mapping[str, Any], rule: str) -> pd.DataFrame:
        run = runs.load(folder, self.trained.samples, inputs)
        test = runs.parts_of(self.trained.folds, run.settings.fold, inputs)["test"]
        draws = self.draws(run, test, self.trained.samples, inputs, rule)
        return runs.compose(run, run.predict(test, draws, self.device))

    def draws(
        self, run: runs.Run, queries: Sequence[str], samples: pd.DataFrame, inputs: Mapping[str, Any], rule: str
    ) -> pd.DataFrame | None:
        """Exemplars of some videos from the training part of the run's fold; None for a classic."""
        import pandas as pd

        if not run.settings.is_network:
            return None
        folds, fold = self.trained.folds, run.settings.fold
        training = folds[(folds["fold"] == fold) & (folds["part"] == "train")]
        if self.trained.compares:
            usable = [all(video_id in one for one in inputs.values()) for video_id in training["video_id"]]
            training = training[usable]
        asked = pd.DataFrame(dict(video_id=queries, fold=fold, part="test"))
        parts = pd.concat([training[["video_id", "fold", "part"]], asked], ignore_index=True)
        drawn = {name: run.recipe["draws"][name] for name in ("n_exemplars", "seed")}
        return pairs.draw_pairs(samples, parts, exemplars=rule, **drawn, steps=0)


def joined(known: runs.Files, own: runs.Files) -> runs.Files:
    """Stores of training videos and of one's own together."""
    kinds = ("features", "frames", "boxes")
    return runs.Files(**{kind: [*getattr(known, kind), *getattr(own, kind)] for kind in kinds})
