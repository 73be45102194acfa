"""Checks of the split: rare types, shared broadcasts, neighbours, clips of other data sets."""

import pandas as pd
import pytest

from aqa_pipeline.audit import Detail


def numbers(findings, *names):
    return [findings[name].value for name in names]


def test_rare_types_by_hand(subject, values):
    types = ["x"] * 11 + ["y"] * 3 + ["x", "y", "z", "x"] + ["w", None]
    parts = ["train"] * 14 + ["test"] * 4 + ["train", "test"]
    difficulty = [2.0] * 14 + [2.0, 2.0, 2.0, 3.0] + [2.0, 2.0]
    findings, details = values("action_types", subject(action_type=types, part=parts, difficulty=difficulty))
    kinds = ("few_in_training", "once_in_training", "missing_in_training", "test_clips_short_of_exemplars")
    assert numbers(findings, *(f"action_type.{kind}" for kind in kinds)) == [2, 1, 1, 2]  # y w; w; z; one y and the z
    assert findings["action_type.test_clips_short_of_exemplars"].n == 4  # the untyped clip has no vote
    assert findings["action_type.missing_in_training"].note == "missing: z"
    assert numbers(findings, *(f"difficulty.{kind}" for kind in kinds)) == [0, 0, 1, 1]  # nobody trains at 3.0
    assert Detail("p", "y", "3 exemplars of equal action_type") in details
    assert Detail("", "x", "13 clips, 11 train, 2 test; difficulty 2, 3") in details


def test_types_over_folds_are_counted_once_and_test_clips_every_time(subject, values):
    rows = [(v, fold, "test" if v in tested else "train") for fold, tested in enumerate(("ab", "cd")) for v in "abcd"]
    folds = pd.DataFrame(rows, columns=["video_id", "fold", "part"])
    findings, _ = values("action_types", subject(action_type=["x", "y", "y", "y"], folds=folds))
    assert findings["action_type.missing_in_training"].value == 1  # x, in fold 0
    assert findings["action_type.test_clips_short_of_exemplars"][1:3] == (4, 4)


def test_shared_broadcasts_by_hand(subject, values):
    broadcasts = ["p", "p", "q", "q", "r", None, "p", "q"]
    parts = ["train", "test", "train", "train", "test", "test", "test", "validation"]
    made = subject(broadcast=broadcasts, part=parts, subject=list("aabbccdd"))
    findings, details = values("shared_broadcasts", made)
    assert numbers(findings, "broadcasts_on_both_sides", "test_clips_of_a_shared_broadcast") == [1, 2]
    assert findings["broadcasts_on_both_sides"].n == 3
    assert findings["test_clips_of_a_shared_broadcast"].n == 4
    assert findings["subjects_on_both_sides"].value == 1  # a
    assert Detail("", "p", "broadcast: 1 train, 2 test") in details


def test_groups_stand_in_where_nothing_better_is_known(subject, values):
    findings, _ = values("shared_broadcasts", subject(group=["p", "q", "q"], part=["train", "train", "test"]))
    assert set(findings) == {"groups_on_both_sides", "test_clips_of_a_shared_group"}


def test_neighbours_by_hand(subject, values):
    # broadcast p in order of frames: b train, d test, a train, c test, f test; broadcast q: e test alone
    made = subject(
        broadcast=list("ppppqp"),
        first_frame=[300, 100, 400, 200, 0, 500],
        last_frame=[380, 180, 480, 280, 900, 580],
        part=["train", "train", "test", "test", "test", "test"],
    )
    findings, details = values("adjacent_clips", made)
    assert findings["test_clips_beside_a_training_clip"][1:3] == (2, 4)  # d and c; f's neighbour c only tests
    assert findings["test_clips_between_training_clips"].value == 1  # d
    assert findings["overlapping_pairs"].value == 0
    assert {detail.video_id: detail.other for detail in details} == {"c": "a", "d": "b"}


def test_overlapping_ranges_by_hand(subject, values):
    # a holds b and touches c by one frame; d and e are the same; f begins where a ends, in another broadcast
    made = subject(
        broadcast=list("pppqqr"),
        first_frame=[10, 20, 90, 5, 5, 90],
        last_frame=[90, 30, 99, 9, 9, 99],
        part=["train", "test", "train", "train", "test", "test"],
    )
    findings, details = values("adjacent_clips", made)
    assert findings["overlapping_pairs"].value == 3
    assert findings["overlapping_pairs_across_parts"].value == 2
    assert findings["identical_pairs"].value == 1
    assert Detail("a", "c", "1 frames in both, train and train") in details
    assert Detail("a", "b", "11 frames in both, train and test") in details
    assert Detail("d", "e", "the same frames, train and test") in details


def test_clips_of_another_data_set_by_hand(subject, values):
    other = subject(
        identity=["w/1", "w/2", "w/3", "w/9"],
        part=["train", "test", "train", "train"],
        score=[50.0, 60.0, 71.0, 1.0],
        first_frame=[11, 20, 40, 0],
        last_frame=[90, 99, 99, 9],
        action_type=["x", "y", None, "x"],
    ).samples
    here = subject(
        identity=["w/3", "w/2", "w/1", None, "h/1"],
        part=["test", "train", "train", "train", "test"],
        score=[70.0, 60.0, 50.0, 2.0, 3.0],
        first_frame=[42, 20, 10, 0, 0],
        last_frame=[99, 99, 90, 9, 9],
        action_type=["x", "z", "x", "x", "x"],
        others={"w": other},
    )
    findings, details = values("overlap", here)
    assert findings["w.shared"][1:3] == (3, 5)
    crossings = ("test_here_train_there", "train_here_test_there", "train_here_train_there")
    assert numbers(findings, *(f"w.{crossing}" for crossing in crossings)) == [1, 1, 1]
    assert findings["w.test_here_train_there"].warning
    assert not findings["w.train_here_train_there"].warning
    assert findings["w.equal_scores"][1:3] == (2, 3)
    assert findings["w.equal_frames"][1:3] == (2, 3)  # one frame apart is near enough, two are not
    assert findings["w.equal_action_types"][1:3] == (1, 2)  # where both know one
    assert details[0] == Detail("a", "w: c", "test here, train there; other scores, frames")
    assert details[1] == Detail("b", "w: b", "train here, test there; other action_types")
    assert findings["identities_twice"].value == 0


@pytest.mark.parametrize("identity", [None, ["w/1", "w/1"]])
def test_another_data_set_without_identities(subject, values, identity):
    other = subject(score=[1.0, 2.0]).samples
    findings, _ = values("overlap", subject(identity=["w/1", "w/1"], others={"w": other}))
    assert findings["w.shared"].note == "bears no identities"
    assert findings["identities_twice"].value == 1
