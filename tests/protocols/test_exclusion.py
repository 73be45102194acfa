"""Clips that another data set tests never reach training here."""

import logging

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aqa_pipeline.errors import InputError
from aqa_pipeline.protocols import k_fold
from aqa_pipeline.protocols._exclusion import without

CLIPS = st.lists(st.integers(0, 9), min_size=1, max_size=9, unique=True)


@pytest.fixture
def samples():
    identities = ["mtl_aqa/01/007", "mtl_aqa/01/008", "mtl_aqa/01/009", None, "mtl_aqa/01/010"]
    return pd.DataFrame({"video_id": list("abcde"), "identity": identities})


@pytest.fixture
def other():
    """Tests what is `b` and `e` here, and a clip that is not here; trains on what is `a`."""
    identities = ["mtl_aqa/01/007", "mtl_aqa/01/008", "mtl_aqa/01/010", "mtl_aqa/02/001"]
    return pd.DataFrame({"part": ["train", "test", "test", "test"], "identity": identities})


@pytest.fixture
def folds():
    parts = ["train", "train", "test", "train", "validation", "test", "test", "train", "train", "train"]
    return pd.DataFrame({"video_id": list("abcde") * 2, "fold": [0] * 5 + [1] * 5, "part": parts})


def test_training_and_validation_rows_go_and_test_rows_stay(folds, samples, other, caplog):
    with caplog.at_level(logging.INFO, "aqa_pipeline"):
        left = without(folds, samples, [other])
    rows = [tuple(row) for row in left[["fold", "video_id", "part"]].to_numpy()]
    assert rows == [
        *((0, "a", "train"), (0, "c", "test"), (0, "d", "train")),
        *((1, "a", "test"), (1, "b", "test"), (1, "c", "train"), (1, "d", "train")),
    ]
    assert list(left.columns) == ["video_id", "fold", "part"]
    assert caplog.messages == ["excluded: 3 of 7 training and validation rows, 2 videos that other data sets test"]


def test_the_test_parts_of_several_data_sets_add_up(folds, samples, other):
    third = pd.DataFrame({"part": ["test"], "identity": ["mtl_aqa/01/009"]})
    left = without(folds, samples, [other, third])
    assert list(left.query("part == 'train'")["video_id"]) == ["a", "d", "d"]


def test_nothing_to_exclude_changes_nothing(folds, samples):
    assert without(folds, samples.drop(columns="identity"), []) is folds


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda samples, other: (samples.drop(columns="identity"), other), "no column 'identity' in the samples"),
        (lambda samples, other: (samples, other.rename(columns={"part": "parts"})), "did you mean 'parts'"),
        (lambda samples, other: (samples, other.assign(part="train")), "no test video of the other data set"),
        (lambda samples, other: (samples, other.assign(identity=None)), "no test video of the other data set"),
        (lambda samples, other: (samples.assign(identity="mtl_aqa/01/008"), other), "fold 0: no training video"),
    ],
)
def test_what_cannot_be_excluded_is_named(folds, samples, other, spoil, message):
    samples, other = spoil(samples, other)
    with pytest.raises(InputError, match=message):
        without(folds, samples, [other])


@given(
    here=CLIPS.filter(lambda clips: len(clips) > 1),
    there=st.lists(CLIPS, min_size=1, max_size=3),
    seed=st.integers(0, 9),
)
@settings(max_examples=60, deadline=None)
def test_no_clip_is_trained_on_that_another_tests(here, there, seed):
    samples = pd.DataFrame({"video_id": [f"v{clip}" for clip in here], "identity": [f"clip/{clip}" for clip in here]})
    folds = k_fold.folds(samples, n_folds=2, seed=seed)
    others = [pd.DataFrame({"part": "test", "identity": [f"clip/{clip}" for clip in clips]}) for clips in there]
    tested = {f"v{clip}" for clips in there for clip in clips}
    kept = folds[(folds["part"] == "train") & ~folds["video_id"].isin(tested)]
    if kept["fold"].nunique() < 2:
        with pytest.raises(InputError, match="no training video"):
            without(folds, samples, others)
        return
    left = without(folds, samples, others)
    assert not tested & set(left.loc[left["part"] != "test", "video_id"])
    gone = folds.merge(left, how="outer", indicator=True).query("_merge == 'left_only'")
    assert set(gone["video_id"]) <= tested
    assert "test" not in set(gone["part"])
