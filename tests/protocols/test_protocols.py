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
    """Eleven videos of five groups, in no order; the official split tests three of them."""
    return pd.DataFrame(
        {
            "video_id": ["k", "b", "c", "j", "e", "f", "g", "h", "i", "d", "a"],
            "group": ["p", "p", "q", "r", "r", "r", "s", "s", "t", "q", "t"],
            "fold": [2, 2, 0, 1, 1, 1, 0, 0, 2, 0, 2],
            "part": ["test", "train", "train", "train", "test", "train", "train", "train", "train", "test", "train"],
        }
    )


OPTIONS = {
    "k_fold": dict(n_folds=4, seed=5),
    "group_k_fold": dict(n_folds=4, seed=5),
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


@pytest.mark.parametrize("protocol", ["k_fold", "group_k_fold", "given"])
def test_every_video_is_tested_once(protocol, samples):
    table = folds(protocol, samples, **OPTIONS[protocol])
    tested = table.loc[table["part"] == "test", "video_id"]
    assert sorted(tested) == sorted(samples["video_id"])


@pytest.mark.parametrize("protocol", OPTIONS)
def test_the_order_of_rows_does_not_matter(protocol, samples):
    first = folds(protocol, samples, validation=0.3, **OPTIONS[protocol])
    shuffled = samples.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(first, folds(protocol, shuffled, validation=0.3, **OPTIONS[protocol]))


@pytest.mark.parametrize("protocol", ["k_fold", "group_k_fold"])
def test_the_seed_decides(protocol):
    samples = pd.DataFrame({"video_id": [f"v{i:02d}" for i in range(30)], "group": [f"g{i // 2}" for i in range(30)]})
    assert folds(protocol, samples, n_folds=3, seed=1).equals(folds(protocol, samples, n_folds=3, seed=1))
    assert not folds(protocol, samples, n_folds=3, seed=1).equals(folds(protocol, samples, n_folds=3, seed=2))


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


@pytest.mark.parametrize("protocol", ["group_k_fold", "given"])
def test_groups_stay_together(protocol, samples):
    table = folds(protocol, samples, validation=0.4, **OPTIONS[protocol]).merge(samples[["video_id", "group"]])
    if protocol == "given":  # its test parts are the user's choice, only validation is ours
        table = table[table["part"] != "test"]
    assert (table.groupby(["fold", "group"])["part"].nunique() == 1).all()


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
