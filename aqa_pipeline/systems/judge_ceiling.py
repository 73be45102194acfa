"""The ceiling: how well anyone could do. The noise-free execution where it is known, otherwise one judge.

One judge of the panel, drawn for each clip, is brought to the scale of the target by a line fitted on the training
part. That judge sat in the panel whose result is to be met, so this ceiling is a little too high.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Mapping

import numpy as np

from aqa_pipeline.batches import Clips, Facts

log = logging.getLogger("aqa_pipeline")

needs = {"truth"}


def fit(train: Clips, facts: Facts, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Slope and intercept from what the judge saw to the target; the truth needs neither.

    Of a data set without the judges' marks there is no ceiling: the line is NaN.
    """
    if "truth" in train.inputs:
        return {"line": np.array([1.0, 0.0]), "seed": np.array([seed])}
    seen, target = _one_judge(train, seed), np.asarray(train.target, np.float64)
    usable = np.isfinite(seen)
    if usable.sum() < 2:
        log.warning("judge_ceiling: no truth and no judge_scores in the training part: no ceiling is drawn")
        return {"line": np.full(2, np.nan), "seed": np.array([seed])}
    return {"line": np.polyfit(seen[usable], target[usable], 1), "seed": np.array([seed])}


def predict(weights: Mapping[str, np.ndarray], test: Clips) -> np.ndarray:
    """Predicted target (N,); NaN for a clip without judge scores."""
    if "truth" in test.inputs:
        return np.asarray(test.inputs["truth"][:, 0, 0], np.float64)
    slope, intercept = weights["line"]
    return slope * _one_judge(test, int(weights["seed"][0])) + intercept


def _one_judge(clips: Clips, seed: int) -> np.ndarray:
    """A mark of each clip (B,), of a judge drawn by seed and video id; NaN where there is none."""
    if clips.judge_scores is None:
        return np.full(len(clips), np.nan)
    marks = []
    for video_id, scores in zip(clips.video_ids, np.asarray(clips.judge_scores, np.float64), strict=True):
        given = scores[np.isfinite(scores)]
        rng = np.random.default_rng([seed, zlib.crc32(video_id.encode())])
        marks.append(rng.choice(given) if len(given) else np.nan)
    return np.array(marks)
