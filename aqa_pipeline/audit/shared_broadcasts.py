"""Same water, same cameras: test clips from a broadcast, event or person that also trains are no new place."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from aqa_pipeline.audit import Detail, Finding, Subject

needs = {"parts"}

SHARED = {"broadcast": "broadcasts", "event": "events", "subject": "subjects"}


def check(subject: Subject) -> Iterator[Finding | Detail]:
    """Broadcasts, events and persons (or the groups, where none of these is known) on both sides of the split."""
    columns = [column for column in SHARED if subject.knows(column)]
    if not columns and subject.knows("group"):
        columns = ["group"]
    for column in columns:
        yield from _shared(subject, column)


def _shared(subject: Subject, column: str) -> Iterator[Finding | Detail]:
    values = subject.samples[column].astype(object).where(subject.samples[column].notna(), None).to_numpy()
    shared: set = set()
    clips = 0
    for fold in subject.splits:
        both = set(values[fold.train]) & set(values[fold.test]) - {None}
        shared |= both
        clips += int(np.isin(values[fold.test], list(both)).sum()) if both else 0
    known = set(values) - {None}
    yield Finding(
        f"{SHARED.get(column, 'groups')}_on_both_sides",
        len(shared),
        len(known),
        warning=bool(shared),
        note="train and test",
    )
    note = f"test clips whose {column} also trains"
    yield Finding(f"test_clips_of_a_shared_{column}", clips, len(subject.tested), warning=clips > 0, note=note)
    if len(subject.splits) == 1:
        for value in sorted(shared):
            train, test = ((subject.part == part) & (values == value) for part in ("train", "test"))
            yield Detail("", str(value), f"{column}: {train.sum()} train, {test.sum()} test")
