"""The answer from the models' tables."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from aqa_pipeline.judging import verdict
from aqa_pipeline.judging.verdict import Figure, Scale


def of_model(exemplars, votes):
    return pd.DataFrame(
        dict(video_id=["q"], predicted=[np.mean(votes)], exemplars=[exemplars], votes=[np.array(votes)])
    )


def test_votes_move_the_prediction_by_what_they_lie_off_it_and_the_moves_cancel():
    """Two models of unequal numbers of exemplars; each model counts the same."""
    tables = [of_model(["a", "b"], [20.0, 24.0]), of_model(["b", "c", "d"], [21.0, 27.0, 24.0])]
    votes = {vote.video_id: vote for vote in verdict.weighed(tables, {"a": 19.0, "b": 23.0, "c": 25.0})}
    assert sum(vote.moved for vote in votes.values()) == pytest.approx(0, abs=1e-12)
    predicted = np.mean([22.0, 24.0])
    assert votes["a"].moved == pytest.approx((20 - predicted) / 4)
    assert votes["b"].moved == pytest.approx((24 - predicted) / 4 + (21 - predicted) / 6)
    assert (votes["b"].own, votes["b"].vote, votes["b"].n) == (23.0, 22.5, 2)
    assert math.isnan(votes["d"].own)
    assert [abs(vote.moved) for vote in votes.values()] == sorted((abs(v.moved) for v in votes.values()), reverse=True)


def test_systems_that_do_not_compare_have_no_votes():
    assert verdict.weighed([pd.DataFrame(dict(video_id=["q"], predicted=[20.0]))], {}) == []


@pytest.mark.parametrize(
    ("target", "has_difficulty", "difficulty", "mark", "total"),
    [
        ("execution", True, 3.0, Figure(20.0, 18.0, 22.0), Figure(60.0, 54.0, 66.0)),
        ("execution", True, None, Figure(20.0, 18.0, 22.0), None),
        ("score", True, 2.0, Figure(10.0, 9.0, 11.0), Figure(20.0, 18.0, 22.0)),
        ("score", True, None, None, Figure(20.0, 18.0, 22.0)),
        ("execution", False, None, None, Figure(20.0, 18.0, 22.0)),
        ("execution", False, 3.0, None, Figure(20.0, 18.0, 22.0)),
    ],
)
def test_mark_and_total_belong_together_as_in_the_data_set(target, has_difficulty, difficulty, mark, total):
    assert Scale("simdive", target, has_difficulty).figures(20.0, 2.0, difficulty) == (mark, total)


def test_the_table_has_a_row_a_video_and_json_no_infinity():
    scored = verdict.Verdict(
        "a",
        "a.mp4",
        verdict.SCORED,
        mark=Figure(20.0, -np.inf, np.inf),
        models={"x": 19.0, "y": 21.0},
        seconds={"frames": 1.0, "models": 0.5},
    )
    declined = verdict.Verdict("b", "b.mp4", verdict.DECLINED, reasons=["one", "two"])
    table = verdict.table([scored, declined])
    assert list(table.columns) == verdict.COLUMNS
    assert table["mark"].tolist()[0] == 20.0
    assert table["spread"].tolist()[0] == 1.0
    assert table["n_models"].tolist() == [2, 0]
    assert table["seconds"].tolist() == [1.5, 0.0]
    assert table["reasons"].tolist() == ["", "one; two"]
    assert np.isnan(table["mark"][1])
    assert table["mark_low"].isna().all()  # not infinite
    text = json.dumps(verdict.plain({"x": [np.float32(1.5), np.inf], "y": (np.int64(2), "z")}), allow_nan=False)
    assert json.loads(text) == {"x": [1.5, None], "y": [2, "z"]}
