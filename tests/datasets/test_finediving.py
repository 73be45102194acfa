"""The adapter on a made-up release, on parts of it, on spoilt files, and on the real one against known figures."""

import logging
import math
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aqa_pipeline.datasets import COLUMNS, finediving, mtl_aqa
from aqa_pipeline.errors import InputError
from aqa_pipeline.training.pictures import splash_masks

CUP, WORLDS = "FINADivingWorldCup2021_Men3m_final", "FINAWorldChampionships2019_Women10mSynchronised_final"
COARSE, FINE, AQA = (
    "FineDiving_coarse_annotation.pkl",
    "FineDiving_fine-grained_annotation.pkl",
    "fine-grained_annotation_aqa.pkl",
)


@pytest.fixture
def root(release):
    return release("finediving")


def change(root, name, edit):
    path = root / "Annotations" / name
    value = pickle.loads(path.read_bytes())
    path.write_bytes(pickle.dumps(edit(value) or value))


def row(table, video_id):
    return table.set_index("video_id").loc[video_id]


def test_samples(root):
    table = finediving.samples(root=root)
    assert list(table.columns) == [*COLUMNS, "event", "broadcast", "identity", "masks", "splash", "part"]
    assert len(table) == 21
    assert dict(table["part"].value_counts()) == {"train": 16, "test": 5}
    coarse = pickle.loads((root / "Annotations" / COARSE).read_bytes())["03", 2]
    dive = row(table, "03.002")
    assert dive["path"] == str(root / "FineDiving" / "03" / "2")
    assert dive["masks"] == str(root / "FineDiving_HM" / "03" / "2")
    assert dive["splash"] == str(root / "FineDiving-splash" / "03" / "2.pkl")
    assert (dive["first_frame"], dive["last_frame"]) == (coarse["start_frame"], coarse["end_frame"])
    assert (dive["score"], dive["judge_scores"]) == (coarse["dive_score"], coarse["judge_scores"])
    assert (dive["group"], dive["event"], dive["broadcast"]) == ("03", "03", "03")
    assert dive["identity"] == "mtl_aqa/03/002"


def test_the_round_is_no_part_of_the_event(root):
    table = finediving.samples(root=root)
    dive = row(table, f"{CUP}_r2.003")
    assert (dive["group"], dive["event"], dive["broadcast"]) == (CUP, CUP, f"{CUP}_r2")
    assert dive["identity"] == f"finediving/{CUP}_r2/003"
    assert table["broadcast"].nunique() == 6
    assert set(table["event"]) == {"01", "03", CUP, WORLDS, "3mMenSpringboardFinal-EuropeanChampionships2021"}


def test_a_sub_action_that_returns_is_a_further_step(root):
    steps = row(finediving.samples(root=root), "03.002")["steps"]
    labels = pickle.loads((root / "Annotations" / FINE).read_bytes())["03", 2]["frames_labels"].tolist()
    assert [s["sub_action"] for s in steps] == ["Forward", "2.5 Soms.Pike", "1 Twist", "2.5 Soms.Pike", "Entry"]
    assert [s["first_frame"] for s in steps] == [0, *(i for i in range(1, len(labels)) if labels[i] != labels[i - 1])]


def test_a_name_is_what_most_clips_call_it(root):
    assert row(finediving.samples(root=root), f"{CUP}_r1.001")["steps"][0]["sub_action"] == "Back"


def test_the_coarse_file_has_the_last_word(root):
    assert row(finediving.samples(root=root), "03.002")["difficulty"] == 2.9
    (root / "Annotations" / COARSE).unlink()
    assert row(finediving.samples(root=root), "03.002")["difficulty"] == 2.0


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ([8.0, 7.5, 8.5], 3.0 * 24.0),
        ([7.5, 9.0, 8.0, 8.0, 8.5], 3.0 * 0.6 * 41.0),
        ([9.5, 9.0, 9.5, 9.0, 8.5, 9.5, 8.5], 3.0 * 27.5),
    ],
)
def test_the_rules_of_three_panels(marks, expected):
    assert finediving.judged(marks, 3.0) == pytest.approx(expected)


@pytest.mark.parametrize("marks", [None, math.nan, [], [8.0] * 4, [8.0] * 9])
def test_no_rule_for_other_panels(marks):
    assert math.isnan(finediving.judged(marks, 3.0))


def test_scores_follow_the_rules(root):
    table = finediving.samples(root=root)
    made = [finediving.judged(marks, d) for marks, d in zip(table["judge_scores"], table["difficulty"], strict=True)]
    wrong = table.loc[~np.isclose(made, table["score"], atol=0.006), "video_id"]
    assert list(wrong) == [f"{WORLDS}_r3.001"]  # the mark of 55.5


def test_what_the_files_say_twice_and_differently(root):
    found = list(finediving.label_errors(root=root))
    assert [(video_id, kind) for video_id, kind, _ in found] == [
        ("01.002", "transitions_out_of_order"),
        ("01.002", "transitions_contradict_labels"),
        ("03.002", "difficulty_conflict"),
        ("3mMenSpringboardFinal-EuropeanChampionships2021_1.005", "frame_count"),
        (f"{CUP}_r1.000", "twists"),
        (f"{CUP}_r1.001", "sub_action_name"),
        (f"{CUP}_r1.003", "armstand"),
        (f"{CUP}_r1.004", "unnamed_label"),
        (f"{CUP}_r2.000", "position"),
        (f"{CUP}_r2.002", "take_off"),
        (f"{CUP}_r2.003", "last_step_not_entry"),
        (f"{WORLDS}_r3.001", "impossible_mark"),
        (f"{WORLDS}_r3.007", "somersaults"),
    ]
    texts = {kind: text for _, kind, text in found}
    assert texts["difficulty_conflict"] == "coarse file 2.9, fine file 2.0, aqa file 2.0"
    assert texts["take_off"] == "307c begins with Reverse, the labels with Inward"
    assert texts["impossible_mark"] == "judge's mark 55.5, expected 0 to 10 in halves"


@pytest.mark.parametrize("missing", [[COARSE], [FINE], [AQA], [FINE, AQA], [COARSE, AQA], [COARSE, FINE]], ids=str)
def test_a_part_of_the_files_is_enough(root, missing):
    whole = finediving.samples(root=root)
    for name in missing:
        (root / "Annotations" / name).unlink()
    table = finediving.samples(root=root)
    assert list(table["video_id"]) == list(whole["video_id"])
    assert list(table["score"]) == list(whole["score"])
    assert table["first_frame"].isna().all() == (COARSE in missing)
    assert table["judge_scores"].isna().all() == (COARSE in missing)
    assert table["steps"].isna().all() == ({FINE, AQA} <= set(missing))
    if not {FINE, AQA} <= set(missing):
        assert list(table["steps"]) == list(whole["steps"])  # names without the fine file, too
    assert [p.name for p in finediving.annotation_files(root=root)][:-2] == [
        name for name in (COARSE, FINE, AQA) if name not in missing
    ]
    list(finediving.label_errors(root=root))


def test_without_any_pickle_the_expected_ones_are_named(root):
    shutil.rmtree(root / "Annotations")
    assert [p.name for p in finediving.annotation_files(root=root)] == [COARSE, FINE, AQA]
    with pytest.raises(InputError, match=r"Annotations: none of FineDiving_coarse_annotation.pkl, .* is there"):
        finediving.samples(root=root)


def test_pickles_directly_in_the_root(root):
    whole = finediving.samples(root=root)
    for path in (root / "Annotations").iterdir():
        path.rename(root / path.name)
    (root / "Annotations").rmdir()
    assert finediving.samples(root=root).equals(whole)
    assert {p.parent for p in finediving.annotation_files(root=root)} == {root}


def test_without_splits_there_is_no_part(root):
    for part in ("train", "test"):
        (root / "Annotations" / f"{part}_split.pkl").unlink()
    assert "part" not in finediving.samples(root=root)


def test_a_split_may_name_more_than_the_annotations_have(root, caplog):
    change(root, "train_split.pkl", lambda keys: [*keys, ("26", 9), ("22", 4)])
    with caplog.at_level(logging.WARNING, "aqa_pipeline"):
        table = finediving.samples(root=root)
    assert len(table) == 21
    assert "names 2 clips without annotation, first ('22', 4)" in caplog.text


def test_a_clip_in_both_parts_is_named(root):
    change(root, "train_split.pkl", lambda keys: [*keys, ("01", 2)])
    with pytest.raises(InputError, match=r"test_split.pkl: clip \('01', 2\) stands in test and in train"):
        finediving.samples(root=root)


def test_folders_of_other_mirrors_are_found(root):
    (root / "Trimmed_Video_Frames" / "FineDiving").mkdir(parents=True)
    (root / "diving_mask_annotation").mkdir()
    dive = row(finediving.samples(root=root), "01.003")
    assert dive["path"] == str(root / "Trimmed_Video_Frames" / "FineDiving" / "01" / "3")
    assert dive["masks"] == str(root / "diving_mask_annotation" / "01" / "3")
    dive = row(finediving.samples(root=root, frames="mine", masks="diving_mask_annotation"), "01.003")
    assert dive["path"] == str(root / "Trimmed_Video_Frames" / "FineDiving" / "01" / "3")
    (root / "mine").mkdir()
    assert row(finediving.samples(root=root, frames="mine"), "01.003")["path"] == str(root / "mine" / "01" / "3")


def test_media_are_where_samples_say(release):
    root = release("finediving", media=True)
    table = finediving.samples(root=root)
    for _, dive in table.iterrows():
        numbers = range(dive["first_frame"], dive["last_frame"] + 1)
        for folder in (dive["path"], dive["masks"]):
            assert sorted(p.name for p in Path(folder).iterdir()) == [f"{number:05d}.jpg" for number in numbers]
        assert len(splash_masks(Path(dive["splash"]))) == len(numbers)
    media = finediving.media(root=root)
    assert {kind: [p.is_dir() for p in paths] for kind, paths in media.items()} == {
        "videos": [True, False],
        "masks": [True, False],
        "keypoints": [True],
        "splashes": [True],
    }


def test_keypoints(release):
    root = release("finediving", media=True)
    table = finediving.samples(root=root).set_index("video_id")
    found = {v: (array, facts) for v, array, facts in finediving.keypoints(set(table.index) - {"01.003"}, root=root)}
    assert sorted(found) == ["01.001", "01.002"]
    for index, (array, facts) in enumerate((found[v] for v in sorted(found)), start=1):
        given_array = np.load(root / "Pose" / "01" / f"pred_comp_{index}.npz")["pred"]
        assert array.shape == (96, 16, 3)
        assert array.dtype == np.float32
        np.testing.assert_allclose(array[:, :, :2], given_array[:, :, :2], rtol=1e-6)
        n_frames = table.loc[f"01.00{index}", "last_frame"] - table.loc[f"01.00{index}", "first_frame"] + 1
        assert facts == {"fps": pytest.approx(25.0 * 95 / (n_frames - 1)), "keypoint_set": "mpii_16"}
    assert (found["01.001"][0][:, :, 2] == 1).all()
    third = np.load(root / "Pose" / "01" / "pred_comp_2.npz")["pred"][:, :, 2]
    np.testing.assert_allclose(found["01.002"][0][:, :, 2], third, rtol=1e-6)


def test_keypoints_of_another_shape_are_named(release):
    root = release("finediving", media=True)
    np.savez(root / "Pose" / "01" / "pred_comp_1.npz", pred=np.zeros((95, 16, 2)))
    with pytest.raises(InputError, match=r"pred_comp_1.npz: 'pred' is float64 \(95, 16, 2\), expected .*\(96, 16, 2\)"):
        list(finediving.keypoints({"01.001"}, root=root))


def test_the_same_dives_stand_in_mtl_aqa(root, release):
    mine = finediving.samples(root=root).set_index("identity")
    theirs = mtl_aqa.samples(root=release("mtl_aqa")).set_index("identity")
    shared = sorted(set(mine.index) & set(theirs.index))
    assert shared == [f"mtl_aqa/{video}/00{i}" for video in ("01", "03") for i in (1, 2, 3)]
    for column in ("video_id", "score", "difficulty", "action_type", "last_frame"):
        assert list(mine.loc[shared, column]) == list(theirs.loc[shared, column])


@pytest.mark.parametrize(
    ("name", "place", "value", "expected"),
    [
        (
            COARSE,
            "dive_score",
            math.nan,
            r"coarse_annotation.pkl: clip \('01', 1\): 'dive_score' is nan, expected a num",
        ),
        (COARSE, "dive_score", "88", "'dive_score' is '88', expected a number"),
        (COARSE, "difficulty", 0.0, "'difficulty' is 0.0, expected a number above 0"),
        (COARSE, "start_frame", 7.5, "'start_frame' is 7.5, expected a frame number"),
        (COARSE, "end_frame", 1, r"frames \d+ to 1, expected the first before the last"),
        (COARSE, "judge_scores", [8.0, None], r"'judge_scores' is \[8.0, None\], expected the judges' marks"),
        (FINE, "frames_labels", np.array([]), r"'frames_labels' is array.*expected a label id for every frame"),
        (FINE, "frames_labels", np.ones((2, 3), int), "expected a label id for every frame"),
        (FINE, "sub-action_types", {"1": "Forward"}, "expected names by label id"),
    ],
)
def test_a_wrong_value_is_named(root, name, place, value, expected):
    change(root, name, lambda clips: clips["01", 1].update({place: value}))
    with pytest.raises(InputError, match=expected):
        finediving.samples(root=root)


def test_a_wrong_layout_is_named(root):
    change(root, AQA, lambda clips: clips.update({("01", 1): clips["01", 1][:4]}))
    with pytest.raises(InputError, match=r"aqa.pkl: clip \('01', 1\): no 'frames_labels', known: action_type"):
        finediving.samples(root=root)
    change(root, COARSE, lambda clips: {("../..", 1): clips["01", 1]})
    with pytest.raises(InputError, match=r"clip \('../..', 1\), expected a pair of video name and clip number"):
        finediving.samples(root=root)
    change(root, COARSE, lambda clips: [1, 2])
    with pytest.raises(InputError, match=r"coarse_annotation.pkl: holds a list, expected a dictionary of clips"):
        finediving.samples(root=root)
    (root / "Annotations" / COARSE).write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(InputError, match=r"asks for os\.system"):
        finediving.samples(root=root)


def table_or_error(root):
    try:
        list(finediving.label_errors(root=root))
        return finediving.samples(root=root), None
    except InputError as error:
        return None, str(error)


anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.lists(st.floats(), max_size=4)
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from([COARSE, FINE, "train_split.pkl"]),
    key=st.integers(0, 5),
    place=st.integers(0, 5),
    value=anything,
)
def test_whatever_stands_there_the_answer_is_a_table_or_one_line(root, name, key, place, value):
    path = root / "Annotations" / name
    whole = path.read_bytes()
    clips = pickle.loads(whole)
    if isinstance(clips, list):
        clips[key] = value
    else:
        entry = list(clips.values())[key]
        entry[list(entry)[place % len(entry)]] = value
    path.write_bytes(pickle.dumps(clips))
    table, error = table_or_error(root)
    path.write_bytes(whole)
    if error is None:
        assert len(table) == 21
        assert np.isfinite(table["score"]).all()
    else:
        assert "\n" not in error
        assert name in error


@pytest.fixture
def real(realdata):
    root = realdata / "FineDiving"
    if not (root / "Annotations").is_dir():
        pytest.skip("AQA_REALDATA has no FineDiving")
    return root


def test_real_counts(real):
    table = finediving.samples(root=real)
    found = {
        "samples": len(table),
        "train": (table["part"] == "train").sum(),
        "test": (table["part"] == "test").sum(),
        "broadcasts": table["broadcast"].nunique(),
        "events": table["event"].nunique(),
        "action_types": table["action_type"].nunique(),
        "sub_actions": len({step["sub_action"] for steps in table["steps"] for step in steps}),
        "difficulties": table["difficulty"].nunique(),
        "frames": (table["last_frame"] - table["first_frame"] + 1).sum(),
    }
    assert found == finediving.counts
    made = [finediving.judged(marks, d) for marks, d in zip(table["judge_scores"], table["difficulty"], strict=True)]
    assert (np.abs(made - table["score"]) <= 0.06).sum() == 2880


def test_real_label_errors(real):
    kinds = [kind for _, kind, _ in finediving.label_errors(root=real)]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "transitions_contradict_labels": 10,
        "transitions_out_of_order": 4,
        "difficulty_conflict": 1,
        "unnamed_label": 1,
        "sub_action_name": 1,
        "last_step_not_entry": 14,
        "impossible_mark": 3,
        "armstand": 2,
        "take_off": 6,
        "somersaults": 17,
        "twists": 12,
        "position": 7,
    }
