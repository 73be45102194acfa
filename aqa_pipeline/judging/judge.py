"""Videos of one's own before a trained run: each is made into what the run reads, looked at, and scored by all models.

In a notebook::

    import aqa_pipeline

    run = "results/runs/pose_guided.coco/simdive.out_of_fold"
    for verdict in aqa_pipeline.score(["dive.mp4"], run=run, action_type="107b", difficulty=3.0):
        print(verdict.status, verdict.total, verdict.reasons)
"""

from __future__ import annotations

import collections
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from aqa_pipeline import stores
from aqa_pipeline.errors import nearest
from aqa_pipeline.judging import intervals, refusal
from aqa_pipeline.judging.finding import find
from aqa_pipeline.judging.labels import Label, of_videos
from aqa_pipeline.judging.models import ANY, Models
from aqa_pipeline.judging.recipe import Kitchen, athlete_of, kind_of
from aqa_pipeline.judging.verdict import DECLINED, SCORED, SIMULATED, Nearest, Scale, Verdict, weighed
from aqa_pipeline.judging.why import why
from aqa_pipeline.training import runs
from aqa_pipeline.training.data import open_features
from aqa_pipeline.training.trained import Trained


@dataclass(frozen=True)
class Case:
    """A video with the stores that were made of it, as long as their folder is there."""

    name: str
    video_id: str  # in the stores
    video: Path
    label: Label
    kitchen: Kitchen
    files: runs.Files
    failure: str = ""  # why it could not be used


@dataclass
class Judge:
    """A trained row, ready to be asked.

    Parameters
    ----------
    trained : see `finding.find`
    device, threads : what the stages and the models may use
    confidence : share of the truths that an interval is to hold
    explains : whether a score comes with its reasons, see `judging.why`
    """

    trained: Trained
    device: str = "auto"
    threads: int = 1
    confidence: float = intervals.CONFIDENCE
    explains: bool = True

    @cached_property
    def scale(self) -> Scale:
        settings = self.trained.settings
        return Scale(settings.adapter, settings.target, bool(self.trained.samples["difficulty"].notna().any()))

    @property
    def models(self) -> Models:
        return Models(self.trained, self.device, self.threads)

    @cached_property
    def interval(self) -> intervals.Interval:
        """From the out-of-fold errors of the row on its data set, in units of what the models learnt."""
        return self._interval(self.trained.rule)

    @cached_property
    def interval_by_any(self) -> intervals.Interval | None:
        """The same where exemplars of every kind vote; None where measuring takes too long, from pictures."""
        return None if self.trained.settings.frames else self._interval(ANY)

    def _interval(self, rule: str) -> intervals.Interval:
        target = "execution" if self.trained.settings.target == "execution" and self.scale.has_difficulty else "score"
        errors = intervals.errors_of(self.models.out_of_fold(rule), self.trained.samples, target=target)
        return intervals.interval(errors, self.confidence)

    @cached_property
    def athletes(self) -> list[Path]:
        """Keypoint stores of the training videos, else box stores, made by the run's recipe; none if not kept."""
        made = athlete_of(self.trained.recipe)
        return [] if made is None else self.trained.stores_like(kind_of(made), made)

    @cached_property
    def familiar(self) -> refusal.Familiar:
        """What is usual among the training videos."""
        training = self.trained.training
        poses = refusal.usual_poses(self.athletes, training)
        with open_features(self.trained.features) as features:
            spaces = {name: refusal.usual_features(of, training) for name, of in features.items()}
        return refusal.Familiar(poses, {name: space for name, space in spaces.items() if space})

    def case(self, video: Path, label: Label, folder: Path) -> Case:
        """Make of a video what the run reads, in a folder; `failure` says why a stage left it out."""
        import pandas as pd

        name = video.stem
        trained_on = name in set(self.trained.samples["video_id"])
        video_id = f"{name} (yours)" if trained_on else name
        samples = folder / "samples.parquet"
        pd.DataFrame({"video_id": [video_id], "path": [str(video)]}).to_parquet(samples)
        kitchen, recipe = Kitchen(folder, samples, self.device, self.threads), self.trained.recipe
        features = [kitchen.store(made, of_set) for of_set, made in recipe["features"].items()]
        pictures = {kind: [kitchen.store(recipe[kind])] for kind in ("frames", "boxes") if kind in recipe}
        failure = kitchen.failures.get(video_id, "")
        return Case(name, video_id, video, label, kitchen, runs.Files(features=features, **pictures), failure)

    def verdict(self, case: Case) -> Verdict:
        """What the run says of a video, or why it says nothing."""
        started = time.monotonic()
        about = Verdict(case.name, str(case.video), DECLINED, difficulty=case.label.difficulty)
        if case.failure:
            return replace(
                about, reasons=[case.failure], warnings=self._warnings(case, None), seconds=case.kitchen.seconds
            )
        known, kind = self._action_type(case.label.action_type)
        poses, distances, near = self._looked_at(case)
        checks = self.familiar.checks(poses, distances)
        reasons = [check.reason for check in checks if not check.passed]
        if case.label.action_type and not known and self.trained.action_types:
            reasons.append(
                f"action type '{kind}' is not in the training data, {nearest(kind, self.trained.action_types)}"
            )
        warnings = self._warnings(case, kind)
        if not checks:
            warnings.append("nothing of it could be compared with the training videos")
        about = replace(about, action_type=kind, checks=checks, nearest=near, warnings=warnings, reasons=reasons)
        looked = time.monotonic()
        seconds = {**case.kitchen.seconds, "checks": looked - started}
        if reasons:
            return replace(about, seconds=seconds)
        label = replace(case.label, action_type=kind)
        tables = self.models.of_video(case.video_id, label, case.files)
        said = {name: float(one["predicted"].iloc[0]) for name, one in tables.items()}
        value = float(np.mean(list(said.values())))
        if not np.isfinite(value):
            return replace(about, reasons=["the models give no number for it"], seconds=seconds)
        interval = self.interval if self.models.rule(label) == self.trained.rule else self.interval_by_any
        half = interval.half if interval else np.inf
        mark, total = self.scale.figures(value, half, label.difficulty)
        found = replace(
            about,
            status=SCORED,
            mark=mark,
            total=total,
            models=said,
            votes=weighed(list(tables.values()), self._targets),
            seconds={**seconds, "models": time.monotonic() - looked},
        )
        if not self.explains:
            return found
        scored = time.monotonic()
        found = replace(found, why=why(self, case, label))
        return replace(found, seconds={**found.seconds, "why": time.monotonic() - scored})

    def _looked_at(self, case: Case) -> tuple[dict[str, float], dict[str, float], Nearest | None]:
        """Statistics of its poses, distances of its features, and the kind of action nearby."""
        poses: dict[str, float] = {}
        if self.athletes:
            path = case.kitchen.store(athlete_of(self.trained.recipe))  # made already
            with stores.read(path, kind=stores.kind(path)) as store:
                poses = refusal.of_store(store, case.video_id)
        distances, near = {}, None
        with open_features(case.files.features) as features:
            for name, space in self.familiar.spaces.items():
                distances[name], numbers = space.place(features[name].read(case.video_id))
                near = near or self._nearest(name, numbers)
        return poses, distances, near

    def _nearest(self, feature_set: str, numbers: np.ndarray) -> Nearest | None:
        types = np.array([self._types[video_id] for video_id in self.familiar.videos[feature_set]], object)
        if not len(numbers) or not self.trained.action_types:
            return None
        found, share = _most_frequent(types[numbers])
        right = [
            _most_frequent(types[of])[0] == own
            for of, own in zip(self.familiar.spaces[feature_set].neighbours, types, strict=True)
        ]
        return Nearest(found, share, float(np.mean(right)))

    @cached_property
    def _types(self) -> dict[str, str]:
        types = self.trained.samples.set_index("video_id")["action_type"]
        return types.fillna("").to_dict()

    @cached_property
    def _targets(self) -> dict[str, float]:
        """What the judges gave each video, in units of what the models learnt."""
        from aqa_pipeline import plugins

        samples, adapter = self.trained.samples, plugins.load("datasets", self.trained.settings.adapter)
        values = samples["score"].to_numpy()
        if self.trained.settings.target == "execution":
            values = adapter.execution(values, samples["difficulty"].to_numpy())
        return dict(zip(samples["video_id"], values.tolist(), strict=True))

    def _action_type(self, given: str | None) -> tuple[bool, str | None]:
        """Whether a kind of action is known to training, and how it is written there."""
        if given is None:
            return False, None
        spelt = {name.casefold(): name for name in self.trained.action_types}
        wanted = given.strip().casefold()
        return wanted in spelt, spelt.get(wanted, wanted)

    def _warnings(self, case: Case, action_type: str | None) -> list[str]:
        label, found = case.label, []
        if self.trained.is_simulated:
            found.append(SIMULATED)
        if case.video_id != case.name:
            found.append(
                f"a training video is named '{case.name}' too: of a video that was trained on a score says little"
            )
        if self.models.rule(replace(label, action_type=action_type)) != self.trained.rule:
            missing = "action type" if self.trained.rule == "same_type" else "difficulty"
            found.append(f"its {missing} is not known: it is compared with training videos of every kind")
        if self.scale.has_difficulty and label.difficulty is None and self.trained.settings.target == "execution":
            found.append("its difficulty is not known: the execution mark is the answer, there is no total")
        return found


def score(
    videos: Sequence[Path | str],
    *,
    run: Path | str,
    out: Path | str | None = None,
    action_type: str | None = None,
    difficulty: float | None = None,
    labels: Path | str | None = None,
    results: Path | str | None = None,
    height: int = 540,
    megabytes: float = 20.0,
    device: str = "auto",
    threads: int = 1,
    explain: bool = True,
    progress: Callable[[Verdict], None] = lambda verdict: None,
) -> list[Verdict]:
    """Score videos by a trained run, one after the other, without a network.

    Parameters
    ----------
    videos : video files or folders of numbered pictures, each with a name of its own
    run : results/runs/SYSTEM.VARIANT/DATASET.PROTOCOL, whose folds and seeds all vote, or one fold and seed in it
    out : folder of summary.csv, index.html, and a JSON and a film of each video; None writes nothing
    action_type, difficulty : of all videos, where they are known
    labels : a CSV with `name` (of a video, without suffix), `action_type`, `difficulty`, for those that differ
    results : where the results lie that the run belongs to, if it was moved away from them
    height : of the films, in pixels
    megabytes : of all pictures on the page; what comes after goes without
    device, threads : "auto", "cpu" or "cuda"; of the stages and models
    explain : say what its parts contribute to a score, and what was measured on the athlete
    progress : called with each verdict as soon as it is there

    Returns
    -------
    A verdict a video, in their order; `judging.verdict.table` makes a table of them.

    Raises
    ------
    InputError
        The run cannot be asked, a video is not there, or a label belongs to no video.
    """
    from aqa_pipeline.judging import page

    paths = [Path(video) for video in videos]
    of_video = of_videos(paths, Label(action_type, difficulty), None if labels is None else Path(labels))
    judge = Judge(find(Path(run), None if results is None else Path(results)), device, threads, explains=explain)
    album = None if out is None else page.Album(judge, Path(out), height=height, megabytes=megabytes)
    _ = judge.interval, judge.familiar  # what is missing is said before any video is looked at
    verdicts = []
    for path in paths:
        with tempfile.TemporaryDirectory(prefix="aqa-score-") as folder:
            case = judge.case(path, of_video[path.stem], Path(folder))
            verdict = judge.verdict(case)
            verdicts.append(album.add(case, verdict) if album else verdict)
        progress(verdicts[-1])
    if album:
        album.finish()
    return verdicts


def _most_frequent(names: Sequence[str]) -> tuple[str, float]:
    """The name that stands most often, the first of several, and its share."""
    name, count = collections.Counter(names).most_common(1)[0]
    return name, count / len(names)
