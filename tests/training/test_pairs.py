import numpy as np
import pandas as pd
import pytest

from aqa_pipeline.errors import InputError
from aqa_pipeline.training import pairs

TYPES = ["107b"] * 6 + ["107c"] * 2 + ["105b"] * 2 + ["407c"] * 4 + ["5253b"] + ["109c"]
DIFFICULTY = {"107b": 3.0, "107c": 2.8, "105b": 2.3, "407c": 3.2, "5253b": 3.2, "109c": 3.7}


def samples() -> pd.DataFrame:
    ids = [f"v{i:02d}" for i in range(len(TYPES))]
    return pd.DataFrame(dict(video_id=ids, action_type=TYPES, difficulty=[DIFFICULTY[t] for t in TYPES]))


def folds(tested: tuple[list[int], ...] = ([0, 6, 8, 14, 15], [1, 10])) -> pd.DataFrame:
    rows = []
    for fold, test in enumerate(tested):
        for i in range(len(TYPES)):
            rows.append(dict(video_id=f"v{i:02d}", fold=fold, part="test" if i in test else "train"))
    return pd.DataFrame(rows)


def draw(**options) -> pd.DataFrame:
    return pairs.draw_pairs(samples(), folds(), **dict(dict(steps=7, batch=4, n_exemplars=3, seed=5), **options))


def test_the_table_has_its_columns_and_as_many_rows_as_were_asked_for():
    table = draw()
    assert list(table.columns) == pairs.COLUMNS
    training = table[(table["fold"] == 0) & (table["part"] == "train")]
    assert training.groupby("step").size().tolist() == [4] * 7
    assert (table.loc[table["part"] == "test", "step"] == -1).all()
    assert not (table["query"] == table["exemplar"]).any()


@pytest.mark.parametrize("exemplars", ["same_type", "same_difficulty", "any"])
def test_exemplars_are_of_the_training_part_and_drawn_once_a_test_query(exemplars):
    table = draw(exemplars=exemplars)
    for fold in (0, 1):
        drawn = table[table["fold"] == fold]
        parts = folds().groupby("fold").get_group(fold).set_index("video_id")["part"]
        assert set(parts[drawn["exemplar"]]) == {"train"}
        test = drawn[drawn["part"] == "test"]
        assert set(test["query"]) == set(parts[parts == "test"].index)
        assert not test.duplicated(["query", "exemplar"]).any()
        assert set(test.groupby("query").size()) == {3}


def test_without_steps_the_test_part_alone_is_drawn():
    table = draw(steps=0)
    assert set(table["part"]) == {"test"}
    pd.testing.assert_frame_equal(table, draw().query("part == 'test'").reset_index(drop=True))


def test_epochs_have_as_many_steps_as_the_training_part_of_their_fold_makes():
    table = draw(epochs=3, batch=4)
    for fold, of_fold in folds().groupby("fold"):
        n = (of_fold["part"] == "train").sum()
        training = table[(table["fold"] == fold) & (table["part"] == "train")]
        assert training.groupby("step").size().tolist() == [4] * round(3 * n / 4)


def test_every_training_video_is_a_query_once_an_epoch():
    queries = draw(steps=11, batch=1)
    first = queries[(queries["fold"] == 0) & (queries["part"] == "train")]["query"]
    assert sorted(first) == sorted(set(first))
    assert len(first) == len(TYPES) - 5


def test_same_type_where_there_are_three_and_the_nearest_where_there_are_fewer():
    table = draw(n_exemplars=20)
    of = table[(table["fold"] == 0) & (table["part"] == "test")].groupby("query")["exemplar"].apply(set)
    assert of["v00"] == {f"v{i:02d}" for i in range(1, 6)}  # five other 107b
    assert of["v06"] == {"v07", "v01", "v02"}  # one 107c left; 107b differs in the position alone, ties by id
    assert of["v08"] == {"v09", "v01", "v02"}  # 105b: two half somersaults more, same position
    assert of["v15"] == {"v07", "v01", "v02"}  # 109c has no other: 107c (tuck too) before 107b
    assert of["v14"] == {"v09", "v01", "v02"}  # the only twister: as many somersaults, then two halves more and pike


def test_a_training_query_falls_back_like_a_test_query():
    table = draw(steps=60, batch=8)
    training = table[(table["fold"] == 1) & (table["part"] == "train")]
    drawn = training[training["query"] == "v11"]["exemplar"]
    assert set(drawn) == {"v12", "v13", "v06"}  # v10 is tested in this fold: two are left, and one 107c is added


def test_action_types_that_are_no_dive_numbers_fall_back_on_difficulty():
    table = samples().assign(action_type=[f"exercise_{i}" for i in range(len(TYPES))])
    test = pairs.draw_pairs(table, folds(), steps=1, batch=1, n_exemplars=9, seed=0).query(
        "fold == 0 and part == 'test'"
    )
    assert set(test[test["query"] == "v14"]["exemplar"]) == {"v10", "v11", "v12"}  # difficulty 3.2
    unknown = samples().assign(action_type=None, difficulty=np.nan)
    test = pairs.draw_pairs(unknown, folds(), steps=1, batch=1, n_exemplars=20, seed=0).query(
        "fold == 0 and part == 'test'"
    )
    assert set(test.groupby("query").size()) == {11}  # without types all are of one type


def test_draws_depend_on_the_seed_and_not_on_the_order_of_rows():
    shuffled = pairs.draw_pairs(
        samples()[::-1], folds().sample(frac=1, random_state=3), steps=7, batch=4, n_exemplars=3, seed=5
    )
    pd.testing.assert_frame_equal(shuffled, draw())
    assert not draw(seed=6).equals(draw())


def test_a_fold_more_does_not_change_the_others():
    more = pairs.draw_pairs(
        samples(), folds(([0, 6, 8, 14, 15], [1, 10], [2, 3])), steps=7, batch=4, n_exemplars=3, seed=5
    )
    pd.testing.assert_frame_equal(more[more["fold"] < 2].reset_index(drop=True), draw())


def test_without_exemplars_every_query_stands_alone():
    table = draw(exemplars="none")
    assert table["exemplar"].isna().all()
    assert table[table["part"] == "test"].groupby("fold").size().tolist() == [5, 2]


def test_any_draws_all_others_alike():
    table = draw(exemplars="any", steps=500, batch=22)
    training = table[(table["fold"] == 0) & (table["part"] == "train")]
    shares = training["exemplar"].value_counts(normalize=True)
    assert shares.to_numpy() == pytest.approx([1 / 11] * 11, abs=0.012)


def test_an_empty_part_is_named():
    table = folds()
    with pytest.raises(InputError, match="fold 1: no usable test video"):
        pairs.draw_pairs(samples(), table[(table["fold"] == 0) | (table["part"] == "train")], steps=1, batch=1)
    with pytest.raises(InputError, match="fold 0: 0 usable training videos"):
        pairs.draw_pairs(samples(), table[table["part"] == "test"], steps=1, batch=1)
    with pytest.raises(InputError, match=r"exemplars\.choose: found 'same_tpye', did you mean 'same_type'"):
        draw(exemplars="same_tpye")
