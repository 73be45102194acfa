"""Do the judges' marks make the score? What they miss is the ceiling of every system that predicts marks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from aqa_pipeline.audit import Detail, Finding, Subject
from aqa_pipeline.audit._predictions import measured, of_system, over_folds
from aqa_pipeline.errors import InputError

needs = {"judge_scores", "judged"}

NEAR = (0.06, 0.01)  # points; scores are printed with one or two decimals


def check(subject: Subject) -> Iterator[Finding | Detail]:
    """The rule of the sport against the score, and both ceilings on the test part."""
    ruled = by_rule(subject)
    away = np.abs(ruled - subject.score)
    known = np.isfinite(away)
    for bound in NEAR:
        near = int((away[known] <= bound + 1e-9).sum())
        note = f"score within {bound:g} of the rule"
        yield Finding(f"score_by_rule.within_{bound:g}", near, int(known.sum()), warning=near < known.sum(), note=note)
    if known.any():
        worst = int(np.nanargmax(away))
        note = f"{subject.samples['video_id'][worst]}: score {subject.score[worst]:g}, rule {ruled[worst]:.4g}"
        yield Finding("score_by_rule.largest_difference", float(away[worst]), int(known.sum()), note=note)
    for row in np.flatnonzero(away > NEAR[0] + 1e-9):
        text = f"score {subject.score[row]:g}, rule {ruled[row]:.4g} from {_listed(subject, row)}"
        yield Detail(subject.samples["video_id"][row], "rule", text)
    if subject.splits:
        yield from measured(
            subject, "rule", over_folds(subject, lambda fold: ruled[fold.test]), "all marks by the rule"
        )
        yield from _one_judge(subject)


def _one_judge(subject: Subject) -> Iterator[Finding]:
    try:
        one = over_folds(subject, of_system(subject, "judge_ceiling"))
    except (InputError, np.linalg.LinAlgError):  # hardly a mark in training, or none but zeros
        yield Finding("one_judge", np.nan, note="no line can be fitted to the marks of the training part")
    else:
        yield from measured(subject, "one_judge", one, "one judge of each panel, drawn, on a fitted line")


def by_rule(subject: Subject) -> np.ndarray:
    """The score that the rule makes of every clip's marks (N,), NaN without marks."""
    pairs = zip(subject.samples["judge_scores"], subject.difficulty, strict=True)
    return np.array([np.nan if np.ndim(m) == 0 else subject.adapter.judged(np.asarray(m, float), d) for m, d in pairs])


def _listed(subject: Subject, row: int) -> str:
    return " ".join(f"{mark:g}" for mark in subject.samples["judge_scores"][row])
