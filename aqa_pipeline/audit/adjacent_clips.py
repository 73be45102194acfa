"""The next clip of the same broadcast: minutes apart, often the same round, judged against each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from aqa_pipeline.audit import Detail, Finding, Subject

needs = {"broadcast", "first_frame", "parts"}


def check(subject: Subject) -> Iterator[Finding | Detail]:
    """Test clips beside a training clip, and frames that stand in two clips."""
    ids = subject.samples["video_id"].to_numpy(object)
    runs = list(_in_order(subject))
    beside = between = 0
    for fold in subject.splits:
        trains, tests = (np.isin(np.arange(len(ids)), rows) for rows in fold)
        for rows in runs:
            before, after = np.r_[False, trains[rows][:-1]], np.r_[trains[rows][1:], False]
            near, tested = before | after, tests[rows]
            beside += int((near & tested).sum())
            between += int((before & after & tested).sum())
            for place in np.flatnonzero(near & tested):
                other = rows[place - 1] if before[place] else rows[place + 1]
                side = "both sides" if before[place] and after[place] else "one side"
                yield Detail(ids[rows[place]], ids[other], f"a training clip follows or goes before, on {side}")
    n = len(subject.tested)
    note = "the clip before or after in the broadcast trains"
    yield Finding("test_clips_beside_a_training_clip", beside, n, warning=beside > 0, note=note)
    yield Finding("test_clips_between_training_clips", between, n, warning=between > 0, note="both train")
    yield from _overlaps(subject, runs, ids)


def _in_order(subject: Subject) -> Iterator[np.ndarray]:
    """Rows of each broadcast in the order of their first frames."""
    table = subject.samples.dropna(subset=["broadcast", "first_frame"])
    table = table.sort_values(["broadcast", "first_frame", "last_frame", "video_id"])
    for _, rows in table.groupby("broadcast", sort=True):
        yield rows.index.to_numpy()


def _overlaps(subject: Subject, runs: list[np.ndarray], ids: np.ndarray) -> Iterator[Finding | Detail]:
    first, last = subject.column("first_frame"), subject.column("last_frame")
    overlapping = identical = crossing = 0
    for rows in runs:
        for place, a in enumerate(rows):
            for b in rows[place + 1 :]:
                if not first[b] <= last[a]:
                    break
                same = first[a] == first[b] and last[a] == last[b]
                parts = f"{subject.part[a]} and {subject.part[b]}" if subject.part[a] else "parts by fold"
                overlapping, identical = overlapping + 1, identical + same
                crossing += {subject.part[a], subject.part[b]} == {"train", "test"}
                shared = f"{int(min(last[a], last[b]) - first[b] + 1)} frames in both"
                yield Detail(ids[a], ids[b], f"{'the same frames' if same else shared}, {parts}")
    yield Finding(
        "overlapping_pairs", overlapping, warning=overlapping > 0, note="pairs of clips with frames in common"
    )
    yield Finding(
        "overlapping_pairs_across_parts", crossing, overlapping, warning=crossing > 0, note="one trains, one tests"
    )
    yield Finding("identical_pairs", identical, overlapping, warning=identical > 0, note="the very same frames")
