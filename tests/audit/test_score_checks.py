"""Checks of labels: counts, sub-actions, judges, floors, transitions, contrasts."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aqa_pipeline import audit, transitions
from aqa_pipeline.audit import Detail, contrasts


def numbers(findings, *names):
    return [pytest.approx(findings[name].value) for name in names]


def steps(*pairs):
    return [{"sub_action": name, "first_frame": first} for name, first in pairs]


def test_counts_by_hand(subject, values, tmp_path):
    (tmp_path / "a.mp4").touch()
    made = subject(
        score=[10.0, 30.0, 80.0],
        difficulty=[2.0, 3.0, 4.0],
        part=["train", "train", "test"],
        first_frame=[0, 5, 1],
        last_frame=[95, 24, 100],
        path=[str(tmp_path / name) for name in ("a.mp4", "b.mp4", "a.mp4")],
        judge_scores=[[5.0] * 3, [5.0] * 7, None],
        steps=[steps(("up", 0), ("turn", 10), ("in", 60)), steps(("up", 0), ("turn", 4), ("up", 9), ("in", 12)), None],
    )
    findings, details = values("counts", made)
    assert [findings[name].value for name in ("samples", "train", "test")] == [3, 2, 1]
    assert [findings[f"clip_length.{name}"].value for name in ("min", "max", "mean", "median")] == [20, 100, 72, 96]
    assert findings["frames"].value == 216
    assert findings["clips_shorter_than_96"].value == 1
    assert [findings[f"score.{name}.train"].value for name in ("min", "max", "mean", "sd")] == [10, 30, 20, 10]
    assert [findings[f"execution.{name}"].value for name in ("min", "max")] == [5, 20]
    assert [findings[f"judges.{n}"].value for n in (0, 3, 7)] == [1, 1, 1]
    assert [findings[f"distinct_sub_actions.{n}"].value for n in (0, 3)] == [1, 2]
    assert [findings[f"changes.{n}"].value for n in (0, 2, 3)] == [1, 1, 1]
    assert findings["clips_with_a_returning_sub_action"].value == 1
    assert findings["sub_actions"].value == 3
    assert findings["sub_actions.test"].value == 0
    first, second = transitions.of_steps(made.samples["steps"][0], 96)
    assert (first, second) == (10, 60)
    assert findings["transition_1.max"].value >= 10
    assert findings["media_absent"][1:3] == (1, 3)
    assert findings["media_absent"].warning
    assert details == [Detail("b", "", f"not in this copy: {tmp_path / 'b.mp4'}")]


def test_a_copy_without_any_media_is_no_warning(dives, values):
    findings, details = values("counts", dives)
    assert findings["media_absent"][1:3] == (24, 24)
    assert not findings["media_absent"].warning
    assert details == []


def test_sub_actions_by_hand(subject, values):
    made = subject(
        first_frame=[0, 10, 0],
        last_frame=[9, 14, 3],
        steps=[steps(("up", 0), ("in", 7)), steps(("up", 2), ("turn", 4)), None],
        part=["train", "test", "train"],
    )
    findings, details = values("sub_actions", made)
    texts = {detail.other: detail.text for detail in details}
    assert texts == {"in": "1 clips, 3 frames", "turn": "1 clips, 1 frames", "up": "2 clips, 9 frames"}
    assert findings["unnamed_frames"].value == 2
    assert findings["missing_in_training"].value == 1
    assert findings["missing_in_training"].note == "turn"


def test_judges_by_hand(subject, values):
    made = subject(
        judge_scores=[[5.0, 6.0, 7.0], [5.0, 6.5, 7.0], [45.0, 5.0, 5.0], [5.0, 5.2, 5.0], None, [1.0, 2.0, 3.0]],
        difficulty=[2.0, 2.0, 1.0, 1.0, 2.0, 1.0],
        score=[36.0, 37.05, 15.0, 15.2, 40.0, 6.02],
        part=["train", "train", "train", "test", "test", "test"],
    )
    findings, details = values("judges", made)
    assert findings["score_by_rule.within_0.06"][1:3] == (4, 5)
    assert findings["score_by_rule.within_0.01"][1:3] == (2, 5)
    assert findings["score_by_rule.largest_difference"].value == 40
    assert findings["score_by_rule.largest_difference"].note == "c: score 15, rule 55"
    assert Detail("c", "rule", "score 15, rule 55 from 45 5 5") in details
    assert findings["rule.mse"].value == pytest.approx(0.02**2 / 2)
    assert findings["rule.med"].n == 2  # the clip without marks has no ceiling


def test_floors_by_hand(subject, values):
    made = subject(
        score=[10.0, 20.0, 40.0, 90.0, 30.0, 50.0, 70.0],
        difficulty=[1.0, 2.0, 2.0, 3.0, 2.0, 3.0, 1.0],
        action_type=["x", "x", "y", "y", "x", "y", "new"],
        part=["train"] * 4 + ["test"] * 3,
    )
    findings, details = values("floors", made)
    true = np.array([30.0, 50.0, 70.0])

    def expected(*predicted):
        away = np.array(predicted) - true
        return [np.mean(away**2), 100 * np.mean(away**2) / 40**2, np.abs(away).mean()]

    def found(name):
        return [findings[f"{name}.{metric}"].value for metric in ("mse", "relative_l2_x100", "med")]

    assert found("global_mean") == pytest.approx(expected(40, 40, 40))
    assert found("same_type") == pytest.approx(expected(15, 65, 40))
    assert found("same_difficulty") == pytest.approx(expected(30, 90, 10))
    assert found("difficulty") == pytest.approx(expected(2 * 17.5, 3 * 17.5, 17.5))  # executions 10 10 20 30
    shrunk = {"x": (20 + 4 * 17.5) / 6, "y": (50 + 4 * 17.5) / 6}
    assert found("no_video") == pytest.approx(expected(2 * shrunk["x"], 3 * shrunk["y"], 17.5))
    assert np.isnan(findings["global_mean.spearman_rho"].value)
    assert findings["same_difficulty.spearman_rho"].value == pytest.approx(-0.5)
    assert findings["same_type.mse"].low <= findings["same_type.mse"].value <= findings["same_type.mse"].high
    drawn = {detail.video_id: set(detail.other.split()) for detail in details}
    assert set(drawn) == set("efg")
    assert all(exemplars <= set("abcd") and len(exemplars) >= 3 for exemplars in drawn.values())
    score_of = dict(zip(made.samples["video_id"], made.score, strict=True))
    votes = [np.mean([score_of[exemplar] for exemplar in drawn[query]]) for query in "efg"]
    assert found("ten_exemplars") == pytest.approx(expected(*votes))


def test_floors_pool_the_folds(subject, values):
    rows = [(v, fold, "test" if v in tested else "train") for fold, tested in enumerate(("ab", "cd")) for v in "abcd"]
    folds = pd.DataFrame(rows, columns=["video_id", "fold", "part"])
    findings, _ = values("floors", subject(score=[0.0, 10.0, 20.0, 30.0], folds=folds))
    assert findings["global_mean.med"].value == 20  # 25 for a and b, 5 for c and d
    assert findings["global_mean.med"].n == 4


def test_transitions_by_hand(subject, values):
    # 96 frames a clip, so a frame is its own position; halves are 0..47 and 48..95
    pairs = [(20, 60), (40, 80), (30, 70), (50, 90), (10, 40)]
    made = subject(
        first_frame=[0] * 5,
        last_frame=[95] * 5,
        steps=[steps(("up", 0), ("turn", a), ("in", b)) for a, b in pairs],
        part=["train", "train", "test", "test", "test"],
    )
    findings, details = values("segmentation", made)
    always = [(30, 70)] * 3
    by_hand = [1.0, 20 / 60, 10 / 60]  # (30, 70) against (30, 70), (50, 90) and (10, 40)
    assert transitions.iou(np.array(always), np.array(pairs[2:])) == pytest.approx(by_hand)
    assert findings["training_mean.mean_tiou"].value == pytest.approx(np.mean(by_hand))
    assert findings["training_mean.aiou_0.5"].value == pytest.approx(100 / 3)
    assert "(30, 70)" in findings["training_mean.mean_tiou"].note
    oracle = [1.0, 40 / 43, 30 / 38]  # moved to (47, 90) and (10, 48)
    assert findings["oracle_in_halves.mean_tiou"].value == pytest.approx(np.mean(oracle))
    assert findings["oracle_in_halves.aiou_0.75"].value == 100
    assert findings["clips_outside_halves"][1:3] == (2, 5)
    assert findings["test_clips_outside_halves"][1:3] == (2, 3)
    assert [detail.video_id for detail in details] == ["d", "e"]


def test_contrasts_by_hand(subject, values):
    made = subject(
        score=[10.0, 14.0, 30.0, 36.0, 200.0, 999.0],
        action_type=["x", "x", "y", "y", "x", "x"],
        difficulty=[2.0, 2.0, 2.0, 3.0, 4.0, 2.0],
        part=["train"] * 5 + ["test"],
    )
    findings, _ = values("contrasts", made)
    names = ("same_type_score", "same_type_execution", "same_difficulty_execution", "any_score")
    assert [findings[f"{name}.pairs"].value for name in names] == [4, 4, 3, 10]
    # same type, scores: 4, 6, 186, 190 and places floor(i / 8 * 3) = 0 0 1 1 1 2 2
    edges = [findings[f"same_type_score.edge_{i}"].value for i in range(9)]
    assert edges == [0, 4, 4, 6, 6, 6, 186, 186, 100]
    assert findings["same_type_score.beyond"].value == 2
    # same difficulty, executions 5, 7, 15: 2, 8, 10
    assert [findings[f"same_difficulty_execution.edge_{i}"].value for i in (1, 4, 7, 8)] == [2, 8, 8, 30]


@given(
    st.lists(st.tuples(st.floats(0, 100), st.integers(-1, 3)), max_size=30),
    st.sampled_from([30.0, 100.0]),
)
@settings(max_examples=60, deadline=None)
def test_differences_are_those_of_every_pair_of_a_kind(clips, limit):
    values, kinds = np.array([v for v, _ in clips]), np.array([k for _, k in clips], int)
    slow = [
        abs(values[a] - values[b])
        for a in range(len(clips))
        for b in range(a + 1, len(clips))
        if kinds[a] == kinds[b] >= 0
    ]
    found = contrasts.differences(values, kinds)
    assert list(found) == sorted(slow)
    if len(found):
        limits = contrasts.edges(found, limit)
        assert len(limits) == 9
        assert (limits[0], limits[-1]) == (0, limit)
        assert (np.diff(limits[:-1]) >= 0).all()
        assert set(limits[1:-1]) <= set(found)


cells = st.one_of(st.none(), st.floats(0, 100), st.just(float("nan")))


@given(
    rows=st.lists(
        st.tuples(
            st.floats(-5, 120).map(lambda score: round(score, 2)),
            st.one_of(st.none(), st.floats(1, 4)),
            st.one_of(st.none(), st.sampled_from(["107b", "exercise", "x y"])),
            st.one_of(st.none(), st.lists(st.floats(-1, 60), max_size=4)),
            st.one_of(st.none(), st.tuples(st.integers(0, 50), st.integers(0, 60))),
            st.sampled_from(["train", "test", "validation", None]),
            st.one_of(st.none(), st.sampled_from(["p", "q"])),
            st.one_of(
                st.none(),
                st.lists(st.tuples(st.sampled_from("uvw"), st.integers(0, 70)), max_size=4).map(lambda s: steps(*s)),
            ),
        ),
        min_size=1,
        max_size=7,
    )
)
@settings(max_examples=40, deadline=None)
def test_any_table_of_the_contract_is_audited(rows):
    from aqa_pipeline.datasets._table import finished, over_difficulty, times_difficulty

    score, difficulty, kind, marks, frames, part, place, of_clip = zip(*rows, strict=True)
    samples = finished(
        pd.DataFrame(
            {
                "video_id": [f"clip {i}" for i in range(len(rows))],
                "score": score,
                "difficulty": difficulty,
                "action_type": kind,
                "judge_scores": marks,
                "first_frame": pd.array([None if f is None else f[0] for f in frames], "Int64"),
                "last_frame": pd.array([None if f is None else sum(f) for f in frames], "Int64"),
                "part": part,
                "broadcast": place,
                "identity": place,
                "steps": of_clip,
            }
        ),
        "made up",
    )
    adapter = SimpleNamespace(
        compose=times_difficulty, execution=over_difficulty, judged=lambda m, d: float(np.sum(m)) * d
    )
    subject = audit.Subject("any", samples, adapter, others={"itself": samples}, bootstrap=20)
    findings, details = audit.run(subject)
    assert findings["check"].nunique() == len(audit.plugins.available("audit"))
    assert (findings["n"].dropna() >= 0).all()
    assert not details.isna().any(axis=None)


def test_a_copy_without_the_training_part_is_still_counted(dives):
    findings, _ = audit.run(replace(dives, samples=dives.samples.assign(part="test")))
    assert list(findings.loc[findings["measure"].isin(["samples", "test"]), "value"]) == [24, 24]
    floors = findings[findings["check"] == "floors"]
    assert list(floors["note"]) == ["which samples train and which test is not known; name a protocol"]
