import numpy as np
import pandas as pd
import pytest

from aqa_pipeline.errors import InputError
from aqa_pipeline.evaluation import predictions


def table(**changed):
    """Three videos in two folds, two seeds, in no order."""
    columns = dict(
        video_id=["c", "a", "b", "a", "b", "c"],
        fold=[1, 0, 1, 0, 1, 1],
        seed=[7, 7, 7, 2, 2, 2],
        score=[30.0, 10.0, 20.0, 10.0, 20.0, 30.0],
        predicted_score=[33.0, 11.0, 22.0, 12.0, 24.0, 36.0],
        execution_score=[15.0, 5.0, 10.0, 5.0, 10.0, 15.0],
        predicted_execution=[3.0, 1.0, 2.0, 4.0, 5.0, 6.0],
        n_exemplars=10,
    )
    return pd.DataFrame({**columns, **changed})


def test_arrays_by_hand():
    found = predictions.joined(table())
    assert list(found.video_ids) == ["a", "b", "c"]
    assert list(found.fold) == [0, 1, 1]
    assert (found.seeds, found.n_folds, len(found)) == ((2, 7), 2, 3)
    np.testing.assert_array_equal(found.predicted_score, [[12, 24, 36], [11, 22, 33]])
    np.testing.assert_array_equal(found.predicted_mark, [[4, 5, 6], [1, 2, 3]])
    np.testing.assert_array_equal(found.score, [10, 20, 30])
    np.testing.assert_array_equal(found.mark, [5, 10, 15])


def test_the_order_of_files_does_not_matter(tmp_path):
    whole = table()
    paths = []
    for i, (_, rows) in enumerate(whole.groupby(["fold", "seed"])):
        paths.append(tmp_path / f"{i}.parquet")
        rows.to_parquet(paths[-1])
    forth, back = predictions.read(paths), predictions.read(paths[::-1])
    np.testing.assert_array_equal(forth.predicted_score, back.predicted_score)
    assert list(forth.video_ids) == list(back.video_ids) == ["a", "b", "c"]


def test_what_is_no_number_in_one_seed_is_not_used_in_any():
    found = predictions.joined(table(predicted_score=[33.0, 11.0, 22.0, 12.0, np.nan, 36.0]))
    assert list(found.video_ids) == ["a", "b", "c"]
    assert list(found.usable("score")) == [True, False, True]
    assert list(found.usable("mark")) == [True, True, True]
    assert not found.usable("transitions").any()


def test_a_test_without_any_number_is_left_out(caplog):
    gone = dict(predicted_score=[33.0, 11.0, 22.0, 12.0, np.nan, 36.0])
    found = predictions.joined(table(**gone, predicted_execution=[3.0, 1.0, np.nan, 4.0, 5.0, 6.0]))
    assert list(found.video_ids) == ["a", "c"]
    assert found.predicted_score.shape == (2, 2)
    assert "1 of 3 predictions are no number, left out" in caplog.text


def test_transitions_without_scores():
    nothing = dict.fromkeys(("predicted_score", "predicted_execution"), np.nan)
    true = dict(true_transition_1=[30.0, 10.0, 20.0, 10.0, 20.0, 30.0], true_transition_2=60.0)
    predicted = dict(predicted_transition_1=np.arange(6.0), predicted_transition_2=[70, 71, None, 73, 74, 75])
    found = predictions.joined(table(**nothing, **true, **predicted))
    assert list(found.video_ids) == ["a", "c"]  # b has no second transition in seed 7
    assert found.transitions.tolist() == [[10, 60], [30, 60]]
    assert found.predicted_transitions.tolist() == [[[3, 73], [5, 75]], [[1, 71], [0, 70]]]
    assert not found.usable("score").any()
    assert found.usable("transitions").all()


def test_transitions_of_some_folds_alone(tmp_path):
    whole = table(
        true_transition_1=20.0, true_transition_2=60.0, predicted_transition_1=21.0, predicted_transition_2=6.0
    )
    for fold, rows in whole.groupby("fold"):
        rows = rows.drop(columns=list(predictions.TRANSITIONS)) if fold == 0 else rows
        rows.to_parquet(tmp_path / f"{fold}.parquet")
    found = predictions.read([tmp_path / "0.parquet", tmp_path / "1.parquet"])
    assert list(found.usable("transitions")) == [False, True, True]


def test_videos_tested_in_several_folds_are_several_tests():
    twice = table(video_id=["a", "a", "b", "a", "b", "a"])
    found = predictions.joined(twice, over_folds="mean")
    assert found.tests == [("a", 0), ("a", 1), ("b", 1)]
    assert list(found.group) == [0, 1, 1]
    np.testing.assert_array_equal(found.predicted_score, [[12, 36, 24], [11, 33, 22]])
    assert predictions.joined(table()).tests == [("a", 0), ("b", 0), ("c", 0)]  # pooled, all are one group


def test_only():
    found = predictions.joined(table()).only(["c", "a", "z"])
    assert list(found.video_ids) == ["a", "c"]
    np.testing.assert_array_equal(found.predicted_mark, [[4, 6], [1, 3]])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            dict(video_id=["c", "a", "b", "a", "b", "d"]),
            "seeds 2 and 7 were not tested on the same videos, see 'c' in fold 1",
        ),
        (
            dict(video_id=["a", "a", "b", "a", "b", "c"]),
            r"video 'a' is tested in folds \[0, 1\] of seed 7, expected one .*`over_folds: mean`",
        ),
        (dict(video_id=["b", "a", "b", "a", "b", "c"]), "video 'b' is tested twice in fold 1 of seed 7"),
    ],
)
def test_runs_that_do_not_fit_are_named(changed, message):
    with pytest.raises(InputError, match=message):
        predictions.joined(table(**changed))


def test_unusable_files_are_named(tmp_path):
    with pytest.raises(InputError, match="found no file"):
        predictions.read([])
    with pytest.raises(InputError, match=r"nothing.parquet: no such table"):
        predictions.read([tmp_path / "nothing.parquet"])
    (tmp_path / "text.parquet").write_text("no parquet")
    with pytest.raises(InputError, match=r"text.parquet: damaged or not a parquet file"):
        predictions.read([tmp_path / "text.parquet"])
    table().rename(columns={"seed": "seeds"}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(InputError, match=r"other.parquet: no column 'seed', did you mean 'seeds'"):
        predictions.read([tmp_path / "other.parquet"])
    for column, values in (
        ("fold", [0, 0, None, 0, 1, 1]),
        ("score", list("abcdef")),
        ("true_transition_1", list("abcdef")),
    ):
        table(**{column: values}).to_parquet(tmp_path / "odd.parquet")
        with pytest.raises(InputError, match=rf"odd.parquet: column '{column}' holds what is no number"):
            predictions.read([tmp_path / "odd.parquet"])
    with pytest.raises(InputError, match="no prediction, expected at least one"):
        predictions.joined(table().iloc[:0])
