"""What each step, or each group of joints, contributes to a prediction: parts that sum to it.

The prediction of a clip, of one run or the mean of several, is compared with what is predicted where parts of the clip
are those of other dives, the *background*: clips of the training part, best of the same action type. Every part takes a
share of the difference between the prediction and the mean prediction without any part of the clip, the *baseline*: its
Shapley value, exact over all coalitions, averaged over the background. Nothing is sampled.

- `of_steps`: take-off, flight and entry are exchanged in the stored features (`steps.py`). The baseline is the mean
  prediction of the background clips.
- `of_joints`: legs, arms, trunk and head are exchanged in the keypoints, and features made anew (`body_parts.py`).
  The baseline is the mean prediction of the background dives at the pace of this clip.

Contributions are in units of the target that the run predicts: the execution mark, or the score.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aqa_pipeline import keypoint_sets, plugins, stores, transitions
from aqa_pipeline.errors import InputError
from aqa_pipeline.explanation import body_parts, shapley, steps
from aqa_pipeline.training import runs, variants
from aqa_pipeline.training.data import Features
from aqa_pipeline.training.variants import Rows, Variant

if TYPE_CHECKING:
    import pandas as pd

BACKGROUND = 4  # clips, as many as explain in `benchmarks/explanations.py`
LEAST = 0.1  # of all that moves a prediction: a part that takes away less is not blamed
EXTRACTOR = "body_motion"  # the features that are the same wherever and however large an athlete is seen


@dataclass(frozen=True)
class Contributions:
    """Of the parts of one clip to its prediction."""

    video_id: str
    target: str  # "execution" or "score", whose units all numbers have
    parts: tuple[str, ...]  # (n,)
    values: np.ndarray  # (n,)
    baseline: float
    background: tuple[str, ...]  # clips
    worth: np.ndarray  # (2^n,) mean prediction of every coalition, in the order of `shapley.coalitions`

    @property
    def prediction(self) -> float:
        """The baseline and all contributions."""
        return float(self.worth[-1])

    @property
    def lowest(self) -> str | None:
        """The part that takes most away; None where no part takes away `LEAST` of what all of them move."""
        return lowest(self.parts, self.values)

    def of_score(self, compose: Callable[[float, float], float], difficulty: float) -> Contributions:
        """The same in points of the final score, where the target is the execution and the difficulty is known.

        compose : of the data set, (execution, difficulty) -> score, whose slope in the execution is the same everywhere
        """
        if self.target == "score":
            return self
        slope = compose(1.0, difficulty) - compose(0.0, difficulty)
        baseline = float(compose(self.baseline, difficulty))
        worth = np.array([compose(value, difficulty) for value in self.worth])
        return replace(self, target="score", values=slope * self.values, baseline=baseline, worth=worth)


@dataclass(frozen=True)
class Asked:
    """The clips that are to be explained, and what the models predict from."""

    models: Mapping[Path, pd.DataFrame | None]  # folders of runs of one row, whose mean prediction is explained; with
    # each, where it compares clips, the exemplars of each, as rows of the part "test"
    samples: pd.DataFrame  # of all clips, background and exemplars too
    inputs: Mapping[str, Features]  # by modality
    background: Mapping[str, Sequence[str]]  # clips of the training part for each clip that is asked for
    known_steps: bool = True  # the data's own transitions count, where there are any; else see `step_bounds`
    _rows: dict[tuple[str, str], Rows] = field(default_factory=dict)

    def rows(self, modality: str, video_id: str) -> Rows:
        """The features of a clip, read once."""
        if (modality, video_id) not in self._rows:
            self._rows[modality, video_id] = variants.rows_of(self.inputs[modality], video_id)
        return self._rows[modality, video_id]


def lowest(parts: Sequence[str], values: np.ndarray) -> str | None:
    """The part with the lowest of the values (n,), unless it is above minus `LEAST` of the sum of their sizes."""
    number = int(np.argmin(values))
    return parts[number] if values[number] < -LEAST * np.abs(values).sum() else None


def of_steps(asked: Asked, *, pieces: int = 1) -> list[Contributions]:
    """Contributions of the steps of each clip, or of so many even pieces of each step ("entry 2 of 3").

    InputError for a run that reads pictures or no features at all, and where steps are known of no clip.
    """
    settings = _expect_features(asked)
    edges = step_bounds(asked, pieces=pieces)
    names = [name if pieces == 1 else f"{name} {i + 1} of {pieces}" for name in steps.STEPS for i in range(pieces)]

    def altered(video_id: str, other: str, members: np.ndarray) -> dict[str, Rows]:
        own = {modality: asked.rows(modality, video_id) for modality in asked.inputs}
        if members.all():
            return own
        return {
            modality: steps.spliced(rows, edges[video_id], asked.rows(modality, other), edges[other], members)
            for modality, rows in own.items()
        }

    return _explained(asked, settings.target, tuple(names), altered)


def of_joints(asked: Asked, keypoints: Sequence[Path]) -> list[Contributions]:
    """Contributions of the groups of joints of each clip.

    Parameters
    ----------
    keypoints : the stores that the features were made from, with the clips and their background

    InputError as of `of_steps`, and for features that are not made from keypoints by `body_motion`.
    """
    settings = _expect_features(asked)
    extract = {modality: _extractor(modality, features, asked) for modality, features in asked.inputs.items()}
    edges = step_bounds(asked)
    bodies, about = _bodies(keypoints, _everybody(asked))

    def altered(video_id: str, other: str, members: np.ndarray) -> dict[str, Rows]:
        if members.all():
            return {modality: asked.rows(modality, video_id) for modality in asked.inputs}
        found = body_parts.exchanged(bodies[video_id], edges[video_id], bodies[other], edges[other], members)
        first = np.arange(len(found))
        return {modality: Rows(make(found, **about[video_id]), first) for modality, make in extract.items()}

    return _explained(asked, settings.target, body_parts.GROUPS, altered)


def step_bounds(asked: Asked, *, pieces: int = 1) -> dict[str, np.ndarray]:
    """Where the steps of every clip asked for and of its background begin, as of `steps.bounds`.

    The transitions are those that the run predicts, where its system finds them; else the data's own; else, and
    always with `known_steps=False`, the mean of those of the clip's background, as `constant_transitions` has them.
    """
    table = asked.samples.set_index("video_id")
    everybody = _everybody(asked)
    length = {v: _length(table.loc[v], asked) for v in everybody}
    known = {v: transitions.of_steps(table.at[v, "steps"], length[v]) for v in everybody}
    predicted = _predicted_transitions(asked)
    found: dict[str, Any] = {}
    for video_id, background in asked.background.items():
        own = known[video_id] if asked.known_steps else None
        of_background = [known[other] for other in background if known[other] is not None]
        constant = np.round(np.mean(of_background, axis=0)) if of_background else None
        found[video_id] = predicted.get(video_id, constant if own is None else own)
        for other in background:
            found.setdefault(other, known[other] if known[other] is not None else constant)
    unknown = [video_id for video_id, of in found.items() if of is None]
    if unknown:
        raise InputError(f"steps of '{unknown[0]}': not known of it nor of its background, expected those of one clip")
    return {video_id: steps.bounds(of, length[video_id], pieces=pieces) for video_id, of in found.items()}


def _length(sample: pd.Series, asked: Asked) -> int:
    """Frames of a clip; where the data set does not say, until the last that features begin at."""
    length = sample["last_frame"] - sample["first_frame"] + 1  # NA where either is missing
    if isinstance(length, int | np.integer):
        return int(length)
    return 1 + max(int(asked.rows(modality, str(sample.name)).first_frames[-1]) for modality in asked.inputs)


def _everybody(asked: Asked) -> list[str]:
    return list(dict.fromkeys([*asked.background, *(v for others in asked.background.values() for v in others)]))


def _explained(
    asked: Asked,
    target: str,
    parts: tuple[str, ...],
    altered: Callable[[str, str, np.ndarray], dict[str, Rows]],
) -> list[Contributions]:
    """Shapley values of each clip; `altered` gives its features with all but some members exchanged."""
    members = shapley.coalitions(len(parts))
    clips = (
        Variant(video_id, altered(video_id, other, of))
        for video_id, background in asked.background.items()
        for other in background
        for of in members
    )
    predicted = variants.mean_targets(asked.models, asked.samples, asked.inputs, clips)
    predicted = predicted.reshape(-1, len(members))  # a row a clip and another of its background
    ends = np.cumsum([len(background) for background in asked.background.values()])
    found = []
    for (video_id, background), rows in zip(asked.background.items(), np.split(predicted, ends[:-1]), strict=True):
        worth = rows.mean(axis=0)
        values = shapley.values(worth)
        found.append(Contributions(video_id, target, parts, values, float(worth[0]), tuple(background), worth))
    return found


def _expect_features(asked: Asked) -> runs.Settings:
    """Settings of the run; InputError where there is nothing to exchange."""
    lonely = [video_id for video_id, background in asked.background.items() if not background]
    if lonely:
        raise InputError(f"background of '{lonely[0]}': no clip, expected at least one of the training part")
    first = next(iter(asked.models))
    settings, _ = runs.load_settings(first)
    needs = plugins.constant("systems", settings.system, "needs") or ()
    if settings.frames or "pictures" in needs:
        raise InputError(f"{first}: reads pictures, and contributions are offered for runs on stored features alone")
    if "truth" in needs or "features" not in needs:
        raise InputError(f"{first}: {settings.system} reads no features, so no part of a clip can contribute")
    return settings


def _predicted_transitions(asked: Asked) -> dict[str, Any]:
    """By clip that is asked for; none where the system does not find them."""
    unaltered = [Variant(v, {m: asked.rows(m, v) for m in asked.inputs}) for v in asked.background]
    names, pairs_of = ["predicted_transition_1", "predicted_transition_2"], []
    for run, draws in asked.models.items():
        table = variants.predict(run, asked.samples, asked.inputs, unaltered, draws=draws)
        if not set(names) <= set(table):
            return {}
        pairs_of.append(table[names].to_numpy())
    if not pairs_of:
        return {}
    pairs = np.mean(pairs_of, axis=0)
    return {v: pair for v, pair in zip(asked.background, pairs, strict=True) if np.isfinite(pair).all()}


def _extractor(modality: str, features: Features, asked: Asked) -> Callable[..., np.ndarray]:
    made = features.made_by(next(iter(asked.background)))
    name, options = made.get("extractor"), made.get("options", {})
    if name != EXTRACTOR or not options.get("canonical_facing", True):
        raise InputError(
            f"features '{modality}': made by {name}, and contributions of joints are offered for {EXTRACTOR} alone,"
            " with canonical_facing"
        )
    return plugins.load("features", name).build(**options)


def _bodies(
    keypoints: Sequence[Path], video_ids: Sequence[str]
) -> tuple[dict[str, body_parts.Body], dict[str, dict[str, Any]]]:
    """Bodies by clip, and what an extractor wants to know besides the keypoints."""
    bodies, about = {}, {}
    for path in keypoints:
        with stores.read(path, kind="keypoints") as store:
            for video_id in set(video_ids) & set(store):
                facts = store.facts(video_id)
                points = keypoint_sets.get(facts["keypoint_set"])
                bodies[video_id] = body_parts.Body(store.array(video_id, "keypoints"), points)
                about[video_id] = {name: facts.get(name, 0.0) for name in ("keypoint_set", "fps", "width", "height")}
    missing = [video_id for video_id in video_ids if video_id not in bodies]
    if missing:
        raise InputError(f"keypoints of '{missing[0]}': in none of {len(keypoints)} stores, expected one that holds it")
    return bodies, about


def background_of(
    samples: pd.DataFrame,
    training: Sequence[str],
    video_ids: Sequence[str],
    *,
    count: int = BACKGROUND,
    seed: int = 0,
) -> dict[str, list[str]]:
    """Clips of the training part to compare each clip with, drawn from its own action type or the nearest."""
    from aqa_pipeline.training.pairs import by_kinship

    known = samples.set_index("video_id").sort_index()
    known = known.assign(action_type=known["action_type"].fillna(""))
    candidates = by_kinship(known, sorted(training))
    found = {}
    for video_id in video_ids:
        options = [other for other in candidates(video_id) if other != video_id]
        order = np.random.default_rng([seed, len(options)]).permutation(len(options))
        found[video_id] = [options[i] for i in order[:count]]
    return found
