"""The room as a whole: what each check lacks, the tables, the picture, the report on the terminal."""

import io
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from aqa_pipeline import audit, plugins
from aqa_pipeline.audit import _picture, _terminal
from aqa_pipeline.errors import InputError

CHECKS = plugins.available("audit")


@pytest.mark.parametrize("name", CHECKS)
def test_every_check_offers_the_interface(name):
    module = plugins.load("audit", name)
    assert callable(module.check)
    assert isinstance(plugins.constant("audit", name, "needs"), set) or module.needs == set()
    assert audit.about(name).endswith(".") or ":" in audit.about(name)


def test_a_data_set_that_knows_everything_is_checked_by_all(dives):
    other = dives.samples.iloc[:5]
    findings, details = audit.run(replace(dives, others={"other": other}))
    assert list(findings.columns) == audit.COLUMNS
    assert list(details.columns) == audit.DETAILS
    assert list(dict.fromkeys(findings["check"])) == CHECKS
    lacking = findings.loc[findings["measure"] == audit.NOT_CHECKED, "check"]
    assert set(lacking) == {"near_duplicates", "label_errors"}
    assert not findings.loc[findings["check"] == "counts", "warning"].any()


def test_a_bare_data_set_is_told_what_it_lacks(subject):
    findings, details = audit.run(subject(score=[4.0, 2.0, 9.0]))
    lacking = findings[findings["measure"] == audit.NOT_CHECKED].set_index("check")["note"]
    assert set(lacking.index) == set(CHECKS) - {"counts"}
    assert lacking["floors"] == "which samples train and which test is not known; name a protocol"
    assert lacking["judges"] == "the data set knows no judge_scores"
    assert details.empty


def test_a_difference_from_the_known_count_is_a_warning(subject):
    adapter = SimpleNamespace(
        execution=lambda s, d: s, compose=lambda s, d: s, counts={"samples": 4, "action_types": 2}
    )
    findings, _ = audit.run(subject(adapter, action_type=["x", "y", "x"]))
    counts = findings[findings["check"] == "counts"].set_index("measure")
    assert list(counts.loc["samples", ["value", "expected", "warning"]]) == [3, 4, True]
    assert list(counts.loc["action_types", ["value", "expected", "warning"]]) == [2, 2, False]


def test_a_mistake_in_the_data_becomes_a_finding(subject):
    def label_errors(*, root):
        raise InputError(f"{root}: no such file")
        yield

    adapter = SimpleNamespace(execution=lambda s, d: s, label_errors=label_errors)
    findings, _ = audit.run(replace(subject(adapter, score=[1.0, 2.0]), options={"root": "there"}))
    row = findings[findings["check"] == "label_errors"].iloc[0]
    assert list(row[["measure", "warning", "note"]]) == [audit.NOT_CHECKED, True, "there: no such file"]


def test_label_errors_are_counted_by_kind(subject, values):
    def label_errors(*, root):
        yield from [("a", "marks", "45"), ("c", "frames", "-1"), ("b", "marks", "55.5")]

    adapter = SimpleNamespace(label_errors=label_errors)
    findings, details = values("label_errors", replace(subject(adapter, score=[1.0, 2.0, 3.0]), options={"root": "x"}))
    assert {name: found.value for name, found in findings.items()} == {"label_errors": 3, "frames": 1, "marks": 2}
    assert details[0] == ("a", "marks", "45")


def test_parts_are_official_or_those_of_the_folds(subject):
    official = subject(part=["train", "validation", "test", "train"])
    [fold] = official.splits
    assert (list(fold.train), list(fold.test)) == ([0, 3], [2])
    assert list(official.part) == ["train", "validation", "test", "train"]
    assert [(suffix, int(rows.sum())) for suffix, rows in official.of_parts()] == [
        *[("", 4), (".train", 2), (".validation", 1), (".test", 1)]
    ]
    rows = [
        ("a", 0, "test"),
        ("b", 0, "train"),
        ("c", 0, "train"),
        ("a", 1, "train"),
        ("b", 1, "test"),
        ("c", 1, "test"),
    ]
    folded = subject(score=[1.0, 2.0, 3.0], folds=pd.DataFrame(rows, columns=["video_id", "fold", "part"]))
    assert [list(fold.test) for fold in folded.splits] == [[0], [1, 2]]
    assert list(folded.tested) == [0, 1, 2]
    assert list(folded.part) == ["", "", ""]


def test_folds_of_other_samples_are_refused(subject):
    folds = pd.DataFrame({"video_id": ["a", "zz"], "fold": 0, "part": ["train", "test"]})
    with pytest.raises(InputError, match="folds: no sample 'zz'"):
        subject(score=[1.0, 2.0], folds=folds).splits  # noqa: B018


def test_a_parquet_file_in_between_changes_nothing(dives, tmp_path):
    dives.samples.to_parquet(tmp_path / "samples.parquet")
    read = replace(dives, samples=pd.read_parquet(tmp_path / "samples.parquet"))
    for straight, through in zip(audit.run(dives), audit.run(read), strict=True):
        pd.testing.assert_frame_equal(straight, through)


def test_the_report_begins_with_the_warnings(dives):
    text = io.StringIO()
    findings, _ = audit.run(dives)
    findings.loc[len(findings)] = {
        "check": "zeal",
        "measure": "a[b]",
        "value": 3.0,
        "n": 4,
        "warning": True,
        "note": "x",
    }
    findings = findings.assign(check=findings["check"].replace("zeal", "counts"))
    _terminal.show("made_up", findings, Console(file=text, width=200))
    lines = text.getvalue().splitlines()
    assert f"made_up: {findings['warning'].sum()} warnings" in lines[0]
    assert any("broadcasts_on_both_sides" in line and "3  of 3" in line for line in lines[:20])
    assert "a[b]" in text.getvalue()
    assert any(line.startswith("floors  How far one comes without seeing a picture") for line in lines)
    assert any("same_type" in line and "spearman_rho" in line for line in lines)


def size(path):
    import cv2

    picture = cv2.imread(str(path))
    return picture.shape, picture.std()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("which", ["full", "bare", "one type"])
def test_the_picture_is_drawn_of_any_data_set(dives, subject, tmp_path, which):
    one_type = dict(score=[3.0, 3.0, 3.0], action_type=["x", "x", "x"], part=["train", "train", "test"])
    made = {"full": dives, "bare": subject(score=[1.0, 4.0]), "one type": subject(**one_type)}[which]
    findings, _ = audit.run(made)
    _picture.draw(made, findings, tmp_path / "audit.png")
    shape, spread = size(tmp_path / "audit.png")
    assert shape == (1235, 1950, 3)
    assert spread > 10
    assert [path.name for path in tmp_path.iterdir()] == ["audit.png"]


def test_findings_are_plain_numbers(dives):
    findings, details = audit.run(dives)
    assert findings["value"].dtype == float
    assert findings["warning"].dtype == bool
    assert details.map(lambda cell: isinstance(cell, str)).all(axis=None)
    assert np.isfinite(findings.loc[findings["measure"] == "score.mean", "value"]).all()
