"""The score that a trained run would give if the video ended now: for films that show how a judgement builds up.

Features are those of the whole video, cut off; nothing is estimated anew, and exemplars stay whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aqa_pipeline.training import runs
from aqa_pipeline.training.data import Features

if TYPE_CHECKING:
    import pandas as pd


class _Beginnings:
    """Features with more videos: the rows of some that begin until a frame, under names of their own."""

    def __init__(self, whole: Features, beginnings: Mapping[str, tuple[str, int]]) -> None:
        self._whole, self._beginnings = whole, beginnings

    def __contains__(self, video_id: str) -> bool:
        return self._beginnings.get(video_id, (video_id, 0))[0] in self._whole

    def read(self, video_id: str) -> np.ndarray:
        source, rows = self._rows(video_id)
        return self._whole.read(source)[:rows]

    def first_frames(self, video_id: str) -> np.ndarray:
        source, rows = self._rows(video_id)
        return self._whole.first_frames(source)[:rows]

    def _rows(self, video_id: str) -> tuple[str, int | None]:
        if video_id not in self._beginnings:
            return video_id, None
        source, last = self._beginnings[video_id]
        return source, max(1, int(np.searchsorted(self._whole.first_frames(source), last, side="right")))


def scores_so_far(
    run: Path,
    samples: pd.DataFrame,
    inputs: Mapping[str, Features],
    video_id: str,
    *,
    draws: pd.DataFrame | None = None,
    n_frames: int,
    least: int = 8,
    every: int = 4,
) -> np.ndarray:
    """Predicted final score (n_frames,) of a test video from what has been seen up to each frame.

    Parameters
    ----------
    run : folder of a trained run whose fold tests the video
    samples, inputs, draws : what the run predicts from, features alone
    n_frames : length of the video
    least, every : rows of features before the first prediction, which is NaN until then, and from one to the next;
        of the longest sequence, where there are several
    """
    import pandas as pd

    starts = max((features.first_frames(video_id) for features in inputs.values()), key=len)
    lengths = sorted({*range(min(least, len(starts)), len(starts), every), len(starts)})
    beginnings = {f"{video_id} until row {length:06d}": (video_id, int(starts[length - 1])) for length in lengths}
    more = pd.concat([samples[samples["video_id"] == video_id]] * len(lengths)).assign(video_id=list(beginnings))
    known = {name: _Beginnings(features, beginnings) for name, features in inputs.items()}
    trained = runs.load(run, pd.concat([samples, more], ignore_index=True), known)
    predicted = trained.predict(list(beginnings), _for_each(draws, video_id, list(beginnings)), "cpu")
    scores = runs.compose(trained, predicted).set_index("video_id")["predicted_score"]
    frame = np.array([int(starts[length - 1]) for length in lengths])
    latest = np.searchsorted(frame, np.arange(n_frames), side="right") - 1
    return np.where(latest < 0, np.nan, scores[list(beginnings)].to_numpy()[np.maximum(latest, 0)])


def _for_each(draws: pd.DataFrame | None, video_id: str, names: Sequence[str]) -> pd.DataFrame | None:
    """The video's own test draws again for each of its beginnings."""
    import pandas as pd

    if draws is None:
        return None
    own = draws[(draws["query"] == video_id) & (draws["part"] == "test")]
    return pd.concat([own.assign(query=name) for name in names], ignore_index=True)
