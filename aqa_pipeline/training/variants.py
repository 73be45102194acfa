"""What a trained run predicts of a video whose features are others: cut off, or exchanged in part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aqa_pipeline.errors import InputError
from aqa_pipeline.training import runs
from aqa_pipeline.training.data import Features

if TYPE_CHECKING:
    import pandas as pd

TOGETHER = 1000  # variants predicted at a time


@dataclass(frozen=True)
class Rows:
    """The features of one modality."""

    features: np.ndarray  # (T', D)
    first_frames: np.ndarray  # (T',) at which each row begins


@dataclass(frozen=True)
class Variant:
    """A video with other features."""

    video_id: str
    inputs: Mapping[str, Rows]  # by modality


def rows_of(features: Features, video_id: str) -> Rows:
    """The features of a video as they are stored."""
    return Rows(features.read(video_id), features.first_frames(video_id))


def predict(
    run: Path,
    samples: pd.DataFrame,
    inputs: Mapping[str, Features],
    variants: Iterable[Variant],
    *,
    draws: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Predictions of N variants in their order, a row each: what `runs.compose` gives, and `predicted`, the target.

    They are taken a thousand at a time, so that a generator of many needs little memory.

    Parameters
    ----------
    run : folder of a trained run
    samples, inputs, draws : what the run predicts from, features alone; a variant has the draws of its video
    """
    import pandas as pd

    parts = [_predict(run, samples, inputs, part, draws) for part in _chunks(variants)]
    return pd.concat(parts, ignore_index=True)


def mean_targets(
    models: Mapping[Path, pd.DataFrame | None],
    samples: pd.DataFrame,
    inputs: Mapping[str, Features],
    variants: Iterable[Variant],
) -> np.ndarray:
    """The target (N,) that several runs predict of each variant in the mean; `models` has the draws of each run."""
    parts = []
    for part in _chunks(variants):
        tables = [_predict(run, samples, inputs, part, draws) for run, draws in models.items()]
        parts.append(np.mean([table["predicted"] for table in tables], axis=0))
    return np.concatenate(parts)


class _More:
    """Features of one modality with more videos, which are held in memory."""

    def __init__(self, whole: Features, more: Mapping[str, Rows]) -> None:
        self._whole, self._more = whole, more

    def __contains__(self, video_id: str) -> bool:
        return video_id in self._more or video_id in self._whole

    def read(self, video_id: str) -> np.ndarray:
        return self._more[video_id].features if video_id in self._more else self._whole.read(video_id)

    def first_frames(self, video_id: str) -> np.ndarray:
        return self._more[video_id].first_frames if video_id in self._more else self._whole.first_frames(video_id)


def _chunks(variants: Iterable[Variant]) -> Iterator[list[Variant]]:
    rest = iter(variants)
    while chunk := list(islice(rest, TOGETHER)):
        yield chunk


def _predict(
    run: Path,
    samples: pd.DataFrame,
    inputs: Mapping[str, Features],
    variants: Sequence[Variant],
    draws: pd.DataFrame | None,
) -> pd.DataFrame:
    import pandas as pd

    named = {f"{variant.video_id} variant {number:06d}": variant for number, variant in enumerate(variants)}
    sources = [variant.video_id for variant in variants]
    more = samples.set_index("video_id").loc[sources].assign(video_id=list(named))
    table = pd.concat([samples, more], ignore_index=True)
    known = {m: _More(features, {n: v.inputs[m] for n, v in named.items()}) for m, features in inputs.items()}
    trained = runs.load(run, table, known)
    predicted = trained.predict(list(named), _for_each(draws, dict(zip(named, sources, strict=True))), "cpu")
    composed = runs.compose(trained, predicted).assign(predicted=predicted["predicted"].to_numpy())
    return composed.set_index("video_id").loc[list(named)].reset_index(drop=True).assign(video_id=sources)


def _for_each(draws: pd.DataFrame | None, source_of: Mapping[str, str]) -> pd.DataFrame | None:
    """The test draws of each variant's video, once for each variant."""
    import pandas as pd

    if draws is None:
        return None
    own = draws[draws["part"] == "test"]
    missing = sorted(set(source_of.values()) - set(own["query"]))
    if missing:
        raise InputError(f"draws of '{missing[0]}': none in the part test, expected one for each exemplar")
    variants = pd.DataFrame(dict(variant=list(source_of), query=list(source_of.values())))
    return variants.merge(own, on="query").drop(columns="query").rename(columns={"variant": "query"})
