"""How well the transitions are met without looking: by a constant, and at best by anyone who must keep to the halves.

FineDiving and its successors look for the first transition in frames 0 to 47 of the 96 and for the second in 48 to 95.
Overlaps are those of `transitions.iou`; AIoU is the share of test clips above a bound, in percent as tables print it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from aqa_pipeline import transitions
from aqa_pipeline.audit import Detail, Finding, Subject

needs = {"steps", "first_frame", "parts"}

HALF = transitions.GRID // 2
FINEDIVING = (29, 62)  # rounded mean of FineDiving's training part
BOUNDS = (0.5, 0.75)


def check(subject: Subject) -> Iterator[Finding | Detail]:
    """Constant pairs and the oracle within the halves on the test clips; clips that no such rule can meet."""
    true = subject.transitions
    known = np.isfinite(true).all(axis=1)
    rows, means = subject.tested, [_mean(true[fold.train]) for fold in subject.splits]
    constant = np.repeat(means, [len(fold.test) for fold in subject.splits], axis=0)
    text = "; ".join(dict.fromkeys(f"({a:.0f}, {b:.0f})" for a, b in means))
    yield from _overlaps("training_mean", constant, true[rows], f"always {text}, the rounded training mean")
    always = np.broadcast_to(np.array(FINEDIVING, float), constant.shape)
    yield from _overlaps("constant_29_62", always, true[rows], "always (29, 62)")
    oracle = np.stack([np.minimum(true[:, 0], HALF - 1), np.maximum(true[:, 1], HALF)], axis=1)
    yield from _overlaps("oracle_in_halves", oracle[rows], true[rows], "the truth, moved into the halves")
    outside = known & (oracle != true).any(axis=1)
    tested = subject.tested[known[subject.tested]]
    note = f"transitions that are not one in each half of the {transitions.GRID} frames"
    yield Finding("clips_outside_halves", int(outside.sum()), int(known.sum()), warning=outside.any(), note=note)
    yield Finding(
        "test_clips_outside_halves", int(outside[tested].sum()), len(tested), warning=outside[tested].any(), note=note
    )
    for row in np.flatnonzero(outside):
        pair = f"transitions at {true[row, 0]:.0f} and {true[row, 1]:.0f} of {transitions.GRID}"
        yield Detail(subject.samples["video_id"][row], "", pair)


def _mean(pairs: np.ndarray) -> np.ndarray:
    """Rounded mean of the known pairs (N, 2), NaN where none is."""
    known = pairs[np.isfinite(pairs).all(axis=1)]
    return np.round(known.mean(axis=0)) if len(known) else np.full(2, np.nan)


def _overlaps(name: str, predicted: np.ndarray, true: np.ndarray, note: str) -> Iterator[Finding]:
    iou = transitions.iou(predicted, true)
    iou = iou[np.isfinite(iou)]
    if len(iou):
        yield Finding(f"{name}.mean_tiou", float(iou.mean()), len(iou), note=note)
        for bound in BOUNDS:
            yield Finding(f"{name}.aiou_{bound:g}", 100 * float((iou >= bound).mean()), len(iou), note=note)
