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
    found = predictions.pooled(table())
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


def test_what_is_no_number_is_left_out_for_all_seeds():
    found = predictions.pooled(table(predicted_score=[33.0, 11.0, 22.0, 12.0, np.nan, 36.0]))
    assert list(found.video_ids) == ["a", "c"]
    assert found.predicted_score.shape == (2, 2)


def test_only():
    found = predictions.pooled(table()).only(["c", "a", "z"])
    assert list(found.video_ids) == ["a", "c"]
    np.testing.assert_array_equal(found.predicted_mark, [[4, 6], [1, 3]])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (dict(video_id=["c", "a", "b", "a", "b", "d"]), "seeds 2 and 7 were not tested on the same videos, see 'c'"),
        (
            dict(video_id=["a", "a", "b", "a", "b", "c"]),
            r"video 'a' is tested in folds \[0, 1\] of seed 7, expected one",
        ),
    ],
)
def test_runs_that_do_not_fit_are_named(changed, message):
    with pytest.raises(InputError, match=message):
        predictions.pooled(table(**changed))


def test_unusable_files_are_named(tmp_path):
    with pytest.raises(InputError, match="found no file"):
        predictions.read([])
    with pytest.raises(InputError, match=r"nothing.parquet: no such predictions"):
        predictions.read([tmp_path / "nothing.parquet"])
    (tmp_path / "text.parquet").write_text("no parquet")
    with pytest.raises(InputError, match=r"text.parquet: cannot be read"):
        predictions.read([tmp_path / "text.parquet"])
    table().rename(columns={"seed": "seeds"}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(InputError, match=r"other.parquet: no column 'seed', did you mean 'seeds'"):
        predictions.read([tmp_path / "other.parquet"])
    with pytest.raises(InputError, match="no prediction, expected at least one"):
        predictions.pooled(table().iloc[:0])
