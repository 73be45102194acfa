"""The score that a trained run would give if the video ended now: for films that show how a judgement builds up.

Features are those of the whole video, cut off; nothing is estimated anew, and exemplars stay whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aqa_pipeline.training import variants
from aqa_pipeline.training.data import Features

if TYPE_CHECKING:
    import pandas as pd


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
    starts = max((features.first_frames(video_id) for features in inputs.values()), key=len)
    lengths = sorted({*range(min(least, len(starts)), len(starts), every), len(starts)})
    frame = np.array([int(starts[length - 1]) for length in lengths])
    whole = {name: variants.rows_of(features, video_id) for name, features in inputs.items()}
    beginnings = [
        variants.Variant(video_id, {name: _until(rows, last) for name, rows in whole.items()}) for last in frame
    ]
    scores = variants.predict(run, samples, inputs, beginnings, draws=draws)["predicted_score"].to_numpy()
    latest = np.searchsorted(frame, np.arange(n_frames), side="right") - 1
    return np.where(latest < 0, np.nan, scores[np.maximum(latest, 0)])


def _until(rows: variants.Rows, last: int) -> variants.Rows:
    """The rows that begin until a frame, at least one."""
    count = max(1, int(np.searchsorted(rows.first_frames, last, side="right")))
    return variants.Rows(rows.features[:count], rows.first_frames[:count])
