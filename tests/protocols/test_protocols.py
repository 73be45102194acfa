"""What every protocol promises, and each one's own rule."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aqa_pipeline import plugins
from aqa_pipeline.errors import InputError


def folds(protocol, samples, **options):
    return plugins.load("protocols", protocol).folds(samples, **options)


@pytest.fixture
def samples():
    """Eleven videos of five groups, six people and four events, in no order; the official split tests three."""
    return pd.DataFrame(
        {
            "video_id": ["k", "b", "c", "j", "e", "f", "g", "h", "i", "d", "a"],
            "group": ["p", "p", "q", "r", "r", "r", "s", "s", "t", "q", "t"],
            "subject": ["u", "u", "v", "w", "w", "x", "x", "y", "z", "v", "z"],
            "event": ["l", "l", "l", "m", "m", "n", "n", "n", "n", "o", "o"],
            "fold": [2, 2, 0, 1, 1, 1, 0, 0, 2, 0, 2],
            "part": ["test", "train", "train", "train", "test", "train", "train", "train", "train", "test", "train"],
        }
    )


GROUPED = {"group_k_fold": "group", "subject_held_out": "subject", "event_held_out": "event"}
OPTIONS = {
    "k_fold": dict(n_folds=4, seed=5),
    "group_k_fold": dict(n_folds=4, seed=5),
    "subject_held_out": dict(n_folds=5, seed=5),
    "event_held_out": dict(n_folds=3, seed=5),
    "repeated_random": dict(n_folds=6, seed=5, train_size=7),
    "given": dict(n_folds=3, seed=5),
    "official": dict(n_folds=1, seed=5),
}


def test_every_protocol_is_tested_here():
    assert sorted(OPTIONS) == plugins.available("protocols")


@pytest.mark.parametrize("validation", [0.0, 0.3])
@pytest.mark.parametrize("protocol", OPTIONS)
def test_each_fold_parts_every_video_once(protocol, validation, samples):
    table = folds(protocol, samples, validation=validation, **OPTIONS[protocol])
    assert list(table.columns) == ["video_id", "fold", "part"]
    assert sorted(table["fold"].unique()) == list(range(OPTIONS[protocol]["n_folds"]))
    for _, fold in table.groupby("fold"):
        assert list(fold["video_id"]) == sorted(samples["video_id"])
        assert set(fold["part"]) == {"train", "test"} | ({"validation"} if validation else set())


@pytest.mark.parametrize("protocol", ["k_fold", *GROUPED, "given"])
def test_every_video_is_tested_once(protocol, samples):
    table = folds(protocol, samples, **OPTIONS[protocol])
    tested = table.loc[table["part"] == "test", "video_id"]
    assert sorted(tested) == sorted(samples["video_id"])


@pytest.mark.parametrize("protocol", OPTIONS)
def test_the_order_of_rows_does_not_matter(protocol, samples):
    first = folds(protocol, samples, validation=0.3, **OPTIONS[protocol])
    shuffled = samples.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(first, folds(protocol, shuffled, validation=0.3, **OPTIONS[protocol]))


@pytest.mark.parametrize("protocol", ["k_fold", *GROUPED, "repeated_random"])
def test_the_seed_decides(protocol):
    samples = pd.DataFrame({"video_id": [f"v{i:02d}" for i in range(30)]})
    samples = samples.assign(**{column: [f"g{i // 2}" for i in range(30)] for column in GROUPED.values()})
    options = {**OPTIONS[protocol], "n_folds": 3, "validation": 0.2}
    assert folds(protocol, samples, **{**options, "seed": 1}).equals(folds(protocol, samples, **{**options, "seed": 1}))
    assert not folds(protocol, samples, **{**options, "seed": 1}).equals(
        folds(protocol, samples, **{**options, "seed": 2})
    )


@given(n=st.integers(2, 40), n_folds=st.integers(2, 7), seed=st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_k_fold_is_balanced(n, n_folds, seed):
    samples = pd.DataFrame({"video_id": [f"v{i:02d}" for i in range(n)]})
    if n_folds > n:
        with pytest.raises(InputError, match=f"n_folds: found {n_folds}, expected 2 to {n}"):
            folds("k_fold", samples, n_folds=n_folds, seed=seed)
        return
    table = folds("k_fold", samples, n_folds=n_folds, seed=seed)
    sizes = table[table["part"] == "test"].groupby("fold").size()
    assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize("protocol", [*GROUPED, "given"])
def test_groups_stay_together(protocol, samples):
    column = GROUPED.get(protocol, "group")
    table = folds(protocol, samples, validation=0.4, **OPTIONS[protocol]).merge(samples[["video_id", column]])
    if protocol == "given":  # its test parts are the user's choice, only validation is ours
        table = table[table["part"] != "test"]
    assert (table.groupby(["fold", column])["part"].nunique() == 1).all()


@given(
    groups=st.lists(st.integers(0, 8), min_size=4, max_size=40).filter(lambda groups: len(set(groups)) > 2),
    protocol=st.sampled_from(sorted(GROUPED)),
    seed=st.integers(0, 9),
    validation=st.sampled_from([0.0, 0.4]),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_whole_groups_are_held_out(groups, protocol, seed, validation, data):
    column, ids = GROUPED[protocol], [f"v{i:02d}" for i in range(len(groups))]
    samples = pd.DataFrame({"video_id": ids, column: [f"g{group}" for group in groups]})
    n_folds = data.draw(st.integers(3, len(set(groups))))  # two would leave one group to train and validate on
    table = folds(protocol, samples, n_folds=n_folds, seed=seed, validation=validation)
    by_group = table.merge(samples).groupby(["fold", column])["part"]
    assert (by_group.nunique() == 1).all()
    assert sorted(table.loc[table["part"] == "test", "video_id"]) == ids
    assert (table.groupby("fold").size() == len(ids)).all()


@pytest.mark.parametrize(("protocol", "column"), GROUPED.items())
def test_as_many_folds_as_groups_leave_one_out(protocol, column, samples):
    n_groups = samples[column].nunique()
    table = folds(protocol, samples, n_folds=n_groups, seed=3)
    tested = table[table["part"] == "test"].merge(samples[["video_id", column]]).groupby("fold")[column].unique()
    assert sorted(len(groups) for groups in tested) == [1] * n_groups
    assert {groups[0] for groups in tested} == set(samples[column])


@given(
    n=st.integers(2, 40),
    n_folds=st.integers(1, 12),
    more=st.integers(0, 9),
    seed=st.integers(0, 99),
    validation=st.sampled_from([0.0, 0.3]),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_repetitions_have_exact_sizes_and_do_not_depend_on_how_many_follow(n, n_folds, more, seed, validation, data):
    samples = pd.DataFrame({"video_id": [f"v{i:02d}" for i in range(n)]})
    train_size = data.draw(st.integers(1 if not validation else 2, n - 1) if n > 2 or not validation else st.just(1))
    options = dict(seed=seed, train_size=train_size, validation=validation)
    if validation and train_size == 1:
        with pytest.raises(InputError, match="no training video"):
            folds("repeated_random", samples, n_folds=n_folds, **options)
        return
    table = folds("repeated_random", samples, n_folds=n_folds, **options)
    counts = table.groupby("fold")["part"].value_counts().unstack(fill_value=0)
    assert (counts["test"] == n - train_size).all()
    assert (counts.drop(columns="test").sum(axis=1) == train_size).all()
    longer = folds("repeated_random", samples, n_folds=n_folds + more, **options)
    pd.testing.assert_frame_equal(table, longer[longer["fold"] < n_folds])


def test_repetitions_are_independent_draws():
    samples = pd.DataFrame({"video_id": [f"v{i:03d}" for i in range(171)]})
    table = folds("repeated_random", samples, n_folds=200, seed=1, train_size=100)
    assert (table[table["part"] == "train"].groupby("fold").size() == 100).all()
    assert (table[table["part"] == "test"].groupby("fold").size() == 71).all()
    parts_of_video = table.pivot(index="video_id", columns="fold", values="part").eq("train")
    assert not parts_of_video.T.duplicated().any()
    # 200 draws with chance 100/171 each: mean 117, standard deviation 7
    assert parts_of_video.sum(axis=1).between(117 - 4 * 7, 117 + 4 * 7).all()


@pytest.mark.parametrize(("share", "expected"), [(0.5, 5), (0.99, 10), (0.1, 1)])
def test_a_share_of_training_videos_is_rounded_down(samples, share, expected):
    table = folds("repeated_random", samples, n_folds=2, seed=0, train_size=share)
    assert (table[table["part"] == "train"].groupby("fold").size() == expected).all()


@pytest.mark.parametrize("size", [0, 11, -3, 1.0, 0.0, 0.05, 2.5, 1.5, float("nan"), float("inf"), True, "7", None])
def test_an_impossible_training_size_is_named(samples, size):
    with pytest.raises(InputError, match=r"train_size: found .*, expected 1 to 10 videos, or a share"):
        folds("repeated_random", samples, n_folds=1, seed=0, train_size=size)


def test_given_follows_the_column(samples):
    table = folds("given", samples, n_folds=3)
    assert list(table.query("fold == 0 and part == 'test'")["video_id"]) == ["c", "d", "g", "h"]


def test_official_follows_the_column(samples):
    table = folds("official", samples)
    assert list(table.query("part == 'test'")["video_id"]) == ["d", "e", "k"]


def test_official_keeps_its_own_validation_part(samples):
    samples.loc[samples["video_id"] == "a", "part"] = "validation"
    assert list(folds("official", samples).query("part == 'validation'")["video_id"]) == ["a"]
    with pytest.raises(InputError, match=r"validation: found 0.2, expected 0"):
        folds("official", samples, validation=0.2)


@pytest.mark.parametrize(("part", "word"), [("train", "test"), ("test", "training")])
def test_official_without_a_part_names_the_fold(samples, part, word):
    with pytest.raises(InputError, match=f"fold 0: no {word} video, found {{'{part}': 11}}"):
        folds("official", samples.assign(part=part))


def test_a_validation_part_may_not_eat_the_training_part(samples):
    two = samples[samples["video_id"].isin(["a", "b"])]
    with pytest.raises(InputError, match="fold 0: no training video"):
        folds("k_fold", two, n_folds=2, seed=0, validation=0.5)


@pytest.mark.parametrize(
    ("protocol", "change", "message"),
    [
        ("given", {"fold": np.nan}, "video 'k' has no 'fold'"),
        ("given", {"fold": 0}, "n_folds: found 3, expected 1"),
        ("group_k_fold", {"group": None}, "video 'k' has no 'group'"),
        ("group_k_fold", {"group": "p"}, "n_folds: found 4, expected 2 to 1"),
        ("subject_held_out", {"subject": None}, "video 'k' has no 'subject'"),
        ("event_held_out", {"event": "l"}, r"n_folds: found 3, expected 2 to 1 \(one event a fold"),
        ("official", {"part": "tset"}, "part 'tset', did you mean 'test'"),
    ],
)
def test_unusable_columns_are_named(samples, protocol, change, message):
    with pytest.raises(InputError, match=message):
        folds(protocol, samples.assign(**change), **OPTIONS[protocol])


def test_a_missing_column_is_named(samples):
    with pytest.raises(InputError, match="no column 'part'"):
        folds("official", samples.drop(columns="part"))
    with pytest.raises(InputError, match="fold 7: no training video"):
        folds("given", samples.assign(fold=7), n_folds=1)
