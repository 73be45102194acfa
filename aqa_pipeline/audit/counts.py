"""How much there is of everything, beside what is known of the whole release; a difference is a warning.

Lengths are in frames, scores in points, transitions on the 96 sampled frames; sd is that of the samples at hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from aqa_pipeline import transitions
from aqa_pipeline.audit import Detail, Finding, Subject

needs = set()

DISTINCT = {
    "action_types": "action_type",
    "difficulties": "difficulty",
    "broadcasts": "broadcast",
    "events": "event",
    "subjects": "subject",
    "groups": "group",
}


def check(subject: Subject) -> Iterator[Finding | Detail]:
    """Sizes, lengths, scores, panels, steps and transitions; then the files that this copy lacks."""
    found = [*_sizes(subject), *_lengths(subject), *_scores(subject), *_judges(subject), *_steps(subject)]
    for finding in found:
        yield finding._replace(expected=subject.expected.get(finding.measure))
    for measure in sorted(set(subject.expected) - {finding.measure for finding in found}):
        yield Finding(measure, np.nan, expected=subject.expected[measure], note="known, but not to be counted here")
    for kind, column in (("media", "path"), ("masks", "masks"), ("splashes", "splash")):
        if subject.knows(column):
            yield from _absent(subject, kind, column)


def sub_actions(steps: object) -> list[str]:
    """Names of the steps of one clip in order; a name may return."""
    return [] if steps is None or np.ndim(steps) == 0 else [step["sub_action"] for step in steps]


def _sizes(subject: Subject) -> Iterator[Finding]:
    names = np.array([set(sub_actions(steps)) for steps in subject.samples["steps"]], object)
    for suffix, rows in subject.of_parts():
        yield Finding(suffix.removeprefix(".") or "samples", int(rows.sum()))
        for measure, column in DISTINCT.items():
            if subject.knows(column):
                yield Finding(measure + suffix, subject.samples.loc[rows, column].dropna().nunique())
        if subject.knows("steps"):
            yield Finding("sub_actions" + suffix, len(set().union(*names[rows])))


def _lengths(subject: Subject) -> Iterator[Finding]:
    length = subject.n_frames[np.isfinite(subject.n_frames)]
    if len(length):
        yield Finding("frames", int(length.sum()), len(length))
        yield from _spread("clip_length", length)
        yield Finding("clip_length.median", float(np.median(length)), len(length))
        short = int((length < transitions.GRID).sum())
        yield Finding(
            f"clips_shorter_than_{transitions.GRID}", short, len(length), note="their frames repeat on the grid"
        )


def _scores(subject: Subject) -> Iterator[Finding]:
    for suffix, rows in subject.of_parts():
        yield from _spread("score", subject.score[rows], suffix)
        if subject.knows("difficulty"):
            yield from _spread("execution", subject.execution[rows], suffix)


def _judges(subject: Subject) -> Iterator[Finding]:
    if subject.knows("judge_scores"):
        panels = Counter(0 if np.ndim(marks) == 0 else len(marks) for marks in subject.samples["judge_scores"])
        for size, clips in sorted(panels.items()):
            yield Finding(f"judges.{size}", clips, len(subject.samples), note=f"clips with {size} marks")


def _steps(subject: Subject) -> Iterator[Finding]:
    if not subject.knows("steps"):
        return
    steps = [sub_actions(of_clip) for of_clip in subject.samples["steps"]]
    distinct = Counter(len(set(names)) for names in steps)
    changes = Counter(max(len(names) - 1, 0) for names in steps)
    yield from (Finding(f"distinct_sub_actions.{n}", clips, len(steps)) for n, clips in sorted(distinct.items()))
    yield from (Finding(f"changes.{n}", clips, len(steps)) for n, clips in sorted(changes.items()))
    returning = sum(len(names) > len(set(names)) for names in steps)
    yield Finding("clips_with_a_returning_sub_action", returning, len(steps))
    for suffix, rows in subject.of_parts():
        both = subject.transitions[rows]
        for number in (0, 1):
            yield from _spread(f"transition_{number + 1}", both[:, number], suffix)
        gap = both[:, 1] - both[:, 0]
        if np.isfinite(gap).any():
            yield Finding(f"transition_gap.min{suffix}", float(np.nanmin(gap)), int(np.isfinite(gap).sum()))


def _absent(subject: Subject, kind: str, column: str) -> Iterator[Finding | Detail]:
    paths = subject.samples.dropna(subset=[column])
    there = {path: Path(path).exists() for path in paths[column].unique()}
    absent = paths[~paths[column].map(there)]
    some = 0 < len(absent) < len(paths)
    note = "clips whose files are not in this copy"
    yield Finding(f"{kind}_absent", len(absent), len(paths), warning=some, note=note)
    if some:
        for row in absent.itertuples():
            yield Detail(row.video_id, "", f"not in this copy: {getattr(row, column)}")


def _spread(measure: str, values: np.ndarray, suffix: str = "") -> Iterator[Finding]:
    values = values[np.isfinite(values)]
    if len(values):
        for name, of in (("min", np.min), ("max", np.max), ("mean", np.mean), ("sd", np.std)):
            yield Finding(f"{measure}.{name}{suffix}", float(of(values)), len(values))
