"""From stores and the sample table to batches: read when asked for, resampled, scaled by the training part alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aqa_pipeline import stores, transitions
from aqa_pipeline.batches import END, FIRST_WORD, NO_LABEL, START, Clips, Facts, Pairs
from aqa_pipeline.errors import InputError, expect_one_of, nearest
from aqa_pipeline.training.pictures import FRAMES, TUBES, Pictures, Seen

if TYPE_CHECKING:
    import pandas as pd

SAMPLING = ("linear", "nearest")


class Features:
    """The feature sequences of one modality, from any number of stores.

    Nothing is read before it is asked for. What fits into `memory_mb` is kept for the next fold.
    """

    def __init__(self, readers: Sequence[stores.Reader], *, memory_mb: int = 200) -> None:
        self._reader_of = {video_id: reader for reader in readers for video_id in reader}
        self._left = memory_mb * 2**20
        self._kept: dict[tuple[str, str], np.ndarray] = {}

    def __contains__(self, video_id: str) -> bool:
        return video_id in self._reader_of

    def read(self, video_id: str) -> np.ndarray:
        """`(T', D)` of one video."""
        if video_id not in self:
            raise InputError(f"no features of video '{video_id}', {nearest(video_id, list(self._reader_of)[:50])}")
        return self._array(video_id, "features")

    def first_frames(self, video_id: str) -> np.ndarray:
        """`(T',)` the frame at which each row begins, counted from the clip's first."""
        return self._array(video_id, "first_frame")

    def _array(self, video_id: str, name: str) -> np.ndarray:
        array = self._kept.get((video_id, name))
        if array is None:
            array = self._reader_of[video_id].array(video_id, name)
            if array.nbytes <= self._left:
                self._left -= array.nbytes
                self._kept[video_id, name] = array
        return array

    def made_by(self, video_id: str) -> dict[str, Any]:
        """What made them: extractor, its options, and more."""
        return self._reader_of[video_id].made_by


@contextlib.contextmanager
def open_features(paths: Iterable[Path], *, roles: Mapping[str, str] = {}) -> Iterator[dict[str, Features]]:
    """Open feature stores; those of one feature set (a folder holds one) become one modality of that name.

    With `roles`, role -> feature set, the modalities are the roles.
    """
    with contextlib.ExitStack() as stack:
        readers: dict[str, list[stores.Reader]] = {}
        for path in paths:
            reader = stack.enter_context(stores.read(path, kind="features"))
            readers.setdefault(Path(path).parent.name, []).append(reader)
        for role, feature_set in roles.items():
            if feature_set not in readers:
                raise InputError(f"features.{role}: no store of '{feature_set}', {nearest(feature_set, readers)}")
        of_modality = {role: readers[feature_set] for role, feature_set in roles.items()} or readers
        yield {modality: Features(own) for modality, own in of_modality.items()}


class Truth:
    """The noise-free execution score of simulated videos, as a sequence of one frame with one feature."""

    def __init__(self, readers: Sequence[stores.Reader]) -> None:
        self._reader_of = {video_id: reader for reader in readers for video_id in reader}
        self._known: dict[str, float] = {}  # every fold asks for nearly all

    def __contains__(self, video_id: str) -> bool:
        return video_id in self._reader_of

    def read(self, video_id: str) -> np.ndarray:
        """`(1, 1)` of one video."""
        if video_id not in self._known:
            facts = self._reader_of[video_id].facts(video_id)
            if "true_execution" not in facts:
                raise InputError(f"{self._reader_of[video_id].path}: video '{video_id}' has no fact 'true_execution'")
            self._known[video_id] = facts["true_execution"]
        return np.array([[self._known[video_id]]], dtype=np.float32)

    def first_frames(self, video_id: str) -> np.ndarray:
        """`(1,)`, the first frame."""
        return np.zeros(1, dtype=np.int64)


@contextlib.contextmanager
def open_truth(paths: Iterable[Path]) -> Iterator[dict[str, Truth]]:
    """The modality "truth", where there are truth stores."""
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(stores.read(path, kind="truth")) for path in paths]
        yield {"truth": Truth(readers)} if readers else {}


def resample(sequence: np.ndarray, n_frames: int, *, sampling: str = "linear") -> np.ndarray:
    """`(T', ...)` -> `(n_frames, ...)` over the whole length: interpolated, or the frames at the truncated positions.

    "nearest" is the rule of the FineDiving loader, so that features and frame labels use the same frames.
    """
    positions = np.linspace(0, len(sequence) - 1, n_frames)
    if sampling == "nearest":
        return sequence[positions.astype(int)]
    left = np.minimum(positions.astype(int), max(len(sequence) - 2, 0))
    right = np.minimum(left + 1, len(sequence) - 1)
    share = (positions - left).astype(np.float32).reshape(-1, *[1] * (sequence.ndim - 1))
    return (1 - share) * sequence[left] + share * sequence[right]


class Data:
    """The videos of one data set, made into batches for one system.

    Parameters
    ----------
    samples
        The sample table; `targets` is what the system learns, by video id, in its own units.
    inputs
        Modality -> its features, and "frames" -> pictures. A video must be in all of them.
    n_frames, sampling
        Length of every sequence, or lengths by modality, and how it is reached; 0 keeps each as long as it is (for
        batches of one).
    normalise
        Whether inputs and targets are scaled to mean 0 and sd 1 with the statistics that `fit` took.
    scale_target
        Without it targets stay in their own units, whatever becomes of the inputs.
    memory_mb
        Prepared sequences kept in memory; those beyond are read again each time.
    show_transitions
        Whether batches for training hold the true transitions, for systems that predict them.
    show_captions
        Whether they hold the captions, for systems that learn to say them, where the samples have any.

    Where there are pictures, `sub_action` belongs to the frames that are shown, else to the rows of the first features.
    """

    def __init__(
        self,
        samples: pd.DataFrame,
        inputs: Mapping[str, Features | Pictures],
        targets: Mapping[str, float],
        *,
        n_frames: int | Mapping[str, int] = 32,
        sampling: str = "linear",
        normalise: bool = True,
        scale_target: bool = True,
        memory_mb: int = 1000,
        show_transitions: bool = False,
        show_captions: bool = False,
    ) -> None:
        expect_one_of("sampling", sampling, SAMPLING)
        self.samples = samples.set_index("video_id", drop=False)
        self._row_of = {video_id: row for row, video_id in enumerate(self.samples.index)}  # faster than pandas' own
        self._difficulty = self.samples["difficulty"].to_numpy(dtype=np.float32)
        self._judge_scores = _judge_scores(self.samples["judge_scores"])
        self._transitions = _transitions(self.samples) if show_transitions else None
        self._said = _said(self.samples) if show_captions else {}
        self.inputs = {modality: features for modality, features in inputs.items() if modality != FRAMES}
        self.pictures: Pictures | None = inputs.get(FRAMES)
        self.targets = targets
        self.lengths = _lengths(n_frames, self.inputs)
        self.sampling, self.normalise = sampling, normalise
        self.scale_target = normalise and scale_target
        self.features_of: dict[str, str] = {}  # a control gives a video the features of another
        self.scales: dict[str, np.ndarray] = {}
        self.facts = Facts(dims={}, lengths=self.lengths)
        self._left = memory_mb * 2**20
        self._kept: dict[str, dict[str, Any]] = {}

    def fit(self, training: Sequence[str]) -> Facts:
        """Take statistics and vocabularies from the training part; read in one pass, one video at a time."""
        targets = np.array([self.targets[video_id] for video_id in training])
        self.scales["target"] = (
            np.array([targets.mean(), targets.std() or 1.0]) if self.scale_target else np.array([0.0, 1.0])
        )
        dims = {}
        for modality, features in self.inputs.items():
            moments = _moments(features.read(self.features_of.get(video_id, video_id)) for video_id in training)
            dims[modality] = moments.shape[1]
            self.scales[f"input.{modality}"] = (
                moments if self.normalise else np.stack([0 * moments[0], 1 + 0 * moments[0]])
            )
        rows = self.samples.loc[list(training)]
        scaled = self.scaled(targets)
        facts = Facts(
            dims=dims,
            lengths=self.lengths,
            pictures=None if self.pictures is None else self.pictures.view.size,
            sub_actions=tuple(sorted({step["sub_action"] for steps in rows["steps"] for step in _steps(steps)})),
            action_types=tuple(sorted(rows["action_type"].dropna().unique())),
            target_range=(float(scaled.min()), float(scaled.max())),
            words=tuple(sorted({word for video_id in training for word in self._said.get(video_id, ())})),
        )
        self.restore(facts, self.scales)
        return facts

    def restore(self, facts: Facts, scales: Mapping[str, np.ndarray]) -> None:
        """Put back what `fit` took, now or in an earlier run."""
        self.facts, self.scales = facts, dict(scales)
        number = {name: i for i, name in enumerate(facts.action_types)}
        self._action_type = np.array([number.get(name, -1) for name in self.samples["action_type"]], dtype=np.int64)
        self._captions = _captions([self._said.get(video_id) for video_id in self.samples.index], facts.words)

    def transitions(self, video_ids: Sequence[str]) -> np.ndarray:
        """True transitions (N, 2) of videos on the 96 sampled frames, NaN where unknown."""
        known = _transitions(self.samples.loc[list(video_ids)])
        return known.astype(np.float64)

    def scaled(self, targets: np.ndarray) -> np.ndarray:
        """Targets as the system is trained on them."""
        mean, sd = self.scales["target"]
        return (targets - mean) / sd

    def unscaled(self, predictions: np.ndarray) -> np.ndarray:
        """Predictions in the units of the targets."""
        mean, sd = self.scales["target"]
        return predictions * sd + mean

    def clips(
        self, video_ids: Sequence[str], *, show_target: bool = True, draw: tuple[int, ...] | None = None
    ) -> Clips:
        """A batch of single clips.

        Parameters
        ----------
        video_ids
            One or more videos.
        show_target
            Without it the targets are NaN, as for a query that is to be scored.
        draw
            Key of the random views of a training step, which alone shows masks; None: the view of a test. Feature
            sequences are never changed.
        """
        return self.arrays(video_ids, show_target=show_target, draw=draw).tensors()

    def arrays(
        self, video_ids: Sequence[str], *, show_target: bool = True, draw: tuple[int, ...] | None = None
    ) -> Clips:
        """The same as arrays, for what is no network: then torch, which is long in loading, is not needed."""
        prepared = [self._prepared(video_id) for video_id in video_ids]
        sources = [self.features_of.get(video_id, video_id) for video_id in video_ids]
        seen = [self.pictures.read(source, draw) for source in sources] if self.pictures else []
        inputs = {modality: np.stack([clip[modality] for clip in prepared]) for modality in self.inputs}
        if seen:
            inputs[FRAMES] = np.stack([clip.pictures for clip in seen])
        if self.pictures and self.pictures.shows_tubes:
            inputs[TUBES] = np.stack([self.pictures.tube(source, draw) for source in sources])
        known = self._known(video_ids, show_target=show_target)
        if known.transitions is not None and show_target and draw is not None and seen:
            known = replace(known, transitions=self._shifted(known.transitions, sources, seen))
        sub_action = self._sub_actions(prepared, sources, seen)
        return replace(known, inputs=inputs, sub_action=sub_action, masks=self._masks(sources, draw))

    def one_by_one(self, video_ids: Sequence[str], *, show_target: bool = True) -> OneByOne:
        """The clips one after the other, each read again whenever they are gone through."""
        return OneByOne(self, video_ids, show_target)

    def labels(self, video_ids: Sequence[str]) -> Clips:
        """What is known of videos, without their inputs: target, difficulty, action type, judges' scores."""
        return self._known(video_ids, show_target=True).tensors()

    def pairs(
        self,
        queries: Sequence[str],
        exemplars: Sequence[str],
        *,
        show_target: bool = True,
        draw: tuple[int, ...] | None = None,
    ) -> Pairs:
        """A batch of pairs; a query that stands several times in a row, once for each exemplar, is one query.

        Query and exemplar get views of their own, also where both are the same video.
        """
        import torch

        starts = [i for i, query in enumerate(queries) if i == 0 or query != queries[i - 1]]
        query_of = np.repeat(np.arange(len(starts)), np.diff([*starts, len(queries)]))
        of_query, of_exemplar = (None, None) if draw is None else ((*draw, 0), (*draw, 1))
        query = self.clips([queries[i] for i in starts], show_target=show_target, draw=of_query)
        return Pairs(query, self.clips(exemplars, draw=of_exemplar), torch.from_numpy(query_of))

    def _known(self, video_ids: Sequence[str], *, show_target: bool) -> Clips:
        rows = [self._row_of[video_id] for video_id in video_ids]
        targets = np.array([self.targets[video_id] for video_id in video_ids], dtype=np.float64)
        targets = self.scaled(targets) if show_target else np.full(len(video_ids), np.nan)
        judges, switches = self._judge_scores, self._transitions
        if switches is not None:
            switches = switches[rows] if show_target else np.full((len(rows), 2), np.nan, np.float32)
        captions = self._captions
        if captions is not None:
            captions = captions[rows] if show_target else np.full((len(rows), captions.shape[1]), NO_LABEL)
        return Clips(
            inputs={},
            video_ids=tuple(video_ids),
            target=targets.astype(np.float32),
            difficulty=self._difficulty[rows],
            action_type=self._action_type[rows],
            judge_scores=None if judges is None else judges[rows],
            transitions=switches,
            caption=captions,
        )

    def _sub_actions(
        self, prepared: Sequence[Mapping[str, np.ndarray]], sources: Sequence[str], seen: Sequence[Seen]
    ) -> np.ndarray | None:
        """(B, T) of the frames that are shown, or of the rows of the features."""
        if seen:
            return np.stack([self._labels(source, clip.positions) for source, clip in zip(sources, seen, strict=True)])
        return np.stack([clip["sub_action"] for clip in prepared]) if self.inputs else None

    def _shifted(self, known: np.ndarray, sources: Sequence[str], seen: Sequence[Seen]) -> np.ndarray:
        """Transitions (B, 2) on the frames that are shown, where a shift moved these on the grid of 96."""
        shifts = self.pictures.view.sampling == "linspace" and self.pictures.view.n_frames == transitions.GRID
        moved = known.copy()
        for row, (source, clip) in enumerate(zip(sources, seen, strict=True)):
            if shifts and np.isfinite(known[row]).all():
                found = transitions.of_steps(self.samples.at[source, "steps"], clip.n_stored, shown=clip.positions)
                moved[row] = known[row] if found is None else found
        return moved

    def _masks(self, sources: Sequence[str], draw: tuple[int, ...] | None) -> dict[str, np.ndarray]:
        """ "athlete" (B, T, H, W) and "athlete_known" (B,), the same of "splash"; none outside training: no labels."""
        if draw is None or self.pictures is None:
            return {}
        unknown, found = np.zeros(self.pictures.view.size, bool), {}
        for kind in self.pictures.kinds_of_masks:
            masks = [self.pictures.mask(source, draw, of=kind) for source in sources]
            found[kind] = np.stack([unknown if mask is None else mask for mask in masks])
            found[f"{kind}_known"] = np.array([mask is not None for mask in masks])
        return found

    def _prepared(self, video_id: str) -> dict[str, np.ndarray]:
        """Inputs by modality (T, D), and sub_action (T,), of one video."""
        if video_id in self._kept:
            return self._kept[video_id]
        source = self.features_of.get(video_id, video_id)
        clip = {modality: self._sequence(modality, source) for modality in self.inputs}
        if self.inputs:
            clip["sub_action"] = self._sub_action(source)
        size = sum(array.nbytes for array in clip.values())
        if size <= self._left:
            self._left -= size
            self._kept[video_id] = clip
        return clip

    def _sequence(self, modality: str, video_id: str) -> np.ndarray:
        mean, sd = self.scales[f"input.{modality}"]
        sequence = ((self.inputs[modality].read(video_id) - mean) / sd).astype(np.float32)
        return self._resampled(modality, sequence, self.sampling)

    def _resampled(self, modality: str, sequence: np.ndarray, sampling: str) -> np.ndarray:
        n_frames = self.lengths[modality]
        return resample(sequence, n_frames, sampling=sampling) if n_frames else sequence

    def _sub_action(self, video_id: str) -> np.ndarray:
        """Class of each sampled row (T,): the sub_action at the frame where the row begins."""
        modality, features = next(iter(self.inputs.items()))
        return self._labels(video_id, self._resampled(modality, features.first_frames(video_id), "nearest"))

    def _labels(self, video_id: str, frames: np.ndarray) -> np.ndarray:
        """Class of the sub_action at some frames (T,)."""
        number = {name: i for i, name in enumerate(self.facts.sub_actions)}
        labels = np.full(len(frames), NO_LABEL, dtype=np.int64)
        for step in _steps(self.samples.at[video_id, "steps"]):
            labels[frames >= step["first_frame"]] = number.get(step["sub_action"], NO_LABEL)
        return labels


@dataclass(frozen=True)
class OneByOne:
    """Single clips of a data set, for classics that are handed nothing larger."""

    data: Data
    video_ids: Sequence[str]
    show_target: bool

    def __len__(self) -> int:
        return len(self.video_ids)

    def __iter__(self) -> Iterator[Clips]:
        return (self.data.arrays([video_id], show_target=self.show_target) for video_id in self.video_ids)


def _lengths(n_frames: int | Mapping[str, int], modalities: Iterable[str]) -> dict[str, int]:
    """Length by modality; InputError where some are given and others are not."""
    if not isinstance(n_frames, Mapping):
        return dict.fromkeys(modalities, n_frames)
    modalities = list(modalities)
    for role in sorted({*modalities, *n_frames}):
        if role not in modalities:
            raise InputError(f"clips.n_frames: unknown '{role}', {nearest(role, modalities)}")
        if role not in n_frames:
            raise InputError(f"clips.n_frames: no length of '{role}', expected one of each: {', '.join(modalities)}")
    return {modality: n_frames[modality] for modality in modalities}


def _moments(sequences: Iterable[np.ndarray]) -> np.ndarray:
    """Mean and standard deviation `(2, D)` over the frames of all sequences; a constant channel gets sd 1."""
    count, total, square = 0, 0.0, 0.0
    for sequence in sequences:
        values = sequence.astype(np.float64)
        if count == 0:
            shift = values[0]  # sums of squares far from zero would cancel
        count += len(values)
        total = total + (values - shift).sum(axis=0)
        square = square + ((values - shift) ** 2).sum(axis=0)
    mean = total / count
    sd = np.sqrt(np.maximum(square / count - mean**2, 0))
    return np.stack([shift + mean, np.where(sd > 1e-6, sd, 1.0)]).astype(np.float32)


def _steps(steps: Any) -> Sequence[Mapping[str, Any]]:
    return () if steps is None or np.ndim(steps) == 0 else steps


def _transitions(samples: pd.DataFrame) -> np.ndarray:
    """(N, 2) float32, NaN where a video has no steps, or no known length."""
    found = np.full((len(samples), 2), np.nan, np.float32)
    columns = zip(samples["steps"], samples["first_frame"], samples["last_frame"], strict=True)
    for row, (steps, first, last) in enumerate(columns):
        length = last - first + 1  # NA where either is missing
        if isinstance(length, int | np.integer):
            known = transitions.of_steps(steps, int(length))
            found[row] = (np.nan, np.nan) if known is None else known
    return found


def _said(samples: pd.DataFrame) -> dict[str, list[str]]:
    """The words of the captions by video, of those that have one."""
    if "caption" not in samples:
        return {}
    return {video_id: text.split() for video_id, text in samples["caption"].dropna().items()}


def _captions(said: Sequence[Sequence[str] | None], words: Sequence[str]) -> np.ndarray | None:
    """(N, L) int64, see `Clips.caption`; None where no words are known. Words that are not known are left out."""
    if not words:
        return None
    number = {word: i for i, word in enumerate(words, start=FIRST_WORD)}
    numbered = [[] if of is None else [START, *(number[word] for word in of if word in number), END] for of in said]
    captions = np.full((len(said), max(map(len, numbered))), NO_LABEL)
    for row, caption in zip(captions, numbered, strict=True):
        row[: len(caption)] = caption
    return captions


def _judge_scores(column: Iterable[Any]) -> np.ndarray | None:
    """(N, J) float32, NaN where a video has fewer judges; None where no video has any."""
    lists = [() if scores is None or np.ndim(scores) == 0 else scores for scores in column]
    longest = max(map(len, lists), default=0)
    if longest == 0:
        return None
    padded = [[*map(float, scores), *[np.nan] * (longest - len(scores))] for scores in lists]
    return np.array(padded, dtype=np.float32)
