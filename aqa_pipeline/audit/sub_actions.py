"""Rare sub-actions: a step that hardly trains cannot be told from its neighbours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from aqa_pipeline import transitions
from aqa_pipeline.audit import Detail, Finding, Subject

needs = {"steps", "first_frame"}

FEW = 10  # training clips


def check(subject: Subject) -> Iterator[Finding | Detail]:
    """Clips that hold each sub-action and frames that bear its name; those that hardly train."""
    frames: Counter[str] = Counter()
    clips: list[set[str]] = []
    for steps, n in zip(subject.samples["steps"], subject.n_frames, strict=True):
        known = np.isfinite(n) and np.ndim(steps) > 0
        labels = Counter(transitions.labels_of(list(steps), int(n)) if known else [])
        unnamed = labels.pop(None, 0)
        frames.update(labels)
        frames[""] += unnamed
        clips.append(set(labels))
    holding = Counter(name for names in clips for name in names)
    yield Finding("sub_actions", len(holding))
    yield Finding("unnamed_frames", frames.pop(""), int(np.nansum(subject.n_frames)), note="before the first step")
    if len(subject.splits) == 1:
        [fold] = subject.splits
        training, tested = (Counter(name for row in rows for name in clips[row]) for rows in fold)
        few = sorted(name for name in holding if training[name] < FEW)
        missing = sorted(name for name in tested if not training[name])
        yield Finding("few_in_training", len(few), len(holding), note=f"fewer than {FEW} training clips")
        yield Finding("missing_in_training", len(missing), len(holding), warning=bool(missing), note=", ".join(missing))
    for name, number in sorted(holding.items()):
        yield Detail("", name, f"{number} clips, {frames[name]} frames")
