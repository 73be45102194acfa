"""What the files say twice and differently; each is a mistake in one of the places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from aqa_pipeline.audit import Detail, Finding, Subject

needs = {"label_errors"}


def check(subject: Subject) -> Iterator[Finding | Detail]:
    """Mistakes by kind, as the data set's own reader finds them."""
    found = list(subject.adapter.label_errors(**(subject.options or {})))
    yield Finding("label_errors", len(found), warning=bool(found))
    for kind, number in sorted(Counter(kind for _, kind, _ in found).items()):
        yield Finding(kind, number, len(found), warning=True)
    for video_id, kind, text in found:
        yield Detail(video_id, kind, text)
