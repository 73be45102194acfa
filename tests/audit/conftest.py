"""Made-up data sets under audit: small tables whose answers are worked by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from aqa_pipeline import audit, plugins
from aqa_pipeline.audit import Detail, Subject
from aqa_pipeline.datasets._table import finished, over_difficulty, times_difficulty


def judged(marks, difficulty):
    """The sum of three marks."""
    return float(np.sum(marks)) * difficulty


ADAPTER = SimpleNamespace(compose=times_difficulty, execution=over_difficulty, judged=judged)


@pytest.fixture
def subject():
    """Makes a subject of columns, with video ids a, b, c ... and scores 0, 1, 2 ... where none are given."""

    def make(adapter=ADAPTER, *, name="made_up", others=None, folds=None, more=None, **columns) -> Subject:
        n = len(next(iter(columns.values())))
        table = {"video_id": list("abcdefghijklmnopqrstuvwxyz")[:n], "score": np.arange(float(n)), **columns}
        samples = finished(pd.DataFrame(table), "made up")
        return Subject(name, samples, adapter, others=others, folds=folds, **(more or {}))

    return make


@pytest.fixture
def values():
    """Runs one check: findings by measure, and details."""

    def run(name, subject):
        found = list(plugins.load("audit", name).check(subject))
        details = [each for each in found if isinstance(each, Detail)]
        findings = {each.measure: each for each in found if not isinstance(each, Detail)}
        assert len(findings) + len(details) == len(found), "a measure stands twice"
        return findings, details

    return run


@pytest.fixture
def dives(subject):
    """A data set that knows everything: 24 dives of 3 broadcasts and 3 types, 17 of them in training."""
    rng = np.random.default_rng(5)
    n = 24
    marks = [list(rng.integers(8, 20, 3) / 2) for _ in range(n)]
    difficulty = np.resize([2.0, 3.0, 3.5], n)
    starts = np.arange(n) * 130 % 1040
    return subject(
        video_id=[f"dive_{i:02d}" for i in range(n)],
        score=[judged(m, d) for m, d in zip(marks, difficulty, strict=True)],
        judge_scores=marks,
        difficulty=difficulty,
        action_type=np.resize(["101b", "107b", "407c"], n),
        part=np.where(np.arange(n) % 10 < 7, "train", "test"),
        broadcast=np.repeat(["one", "three", "two"], n // 3),
        event=np.repeat(["one", "three", "two"], n // 3),
        subject=np.resize(["ann", "bea", "cid", "dan", "eve"], n),
        identity=[f"made_up/{i}" for i in range(n)],
        path=[f"/nowhere/{i}.mp4" for i in range(n)],
        first_frame=starts,
        last_frame=starts + 99 + np.arange(n),
        steps=[
            [{"sub_action": s, "first_frame": 30 * j + i} for j, s in enumerate(("take_off", "flight", "entry"))]
            for i in range(n)
        ],
    )


@pytest.fixture
def room():
    return audit
