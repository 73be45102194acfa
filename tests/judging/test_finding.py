"""Which folders are runs that can be asked about a video, and what is said of the others."""

import json

import pandas as pd
import pytest

from aqa_pipeline import stores
from aqa_pipeline.errors import InputError
from aqa_pipeline.judging import finding

FRAMES = {"stage": "extract_frames", "quality": 90, "version": 2}
KEYPOINTS = {"stage": "estimate_keypoints", "version": 3, "inputs": {"frames": FRAMES}}
MOTION = {"stage": "extract_features", "extractor": "body_motion", "version": 3, "inputs": {"keypoints": KEYPOINTS}}
RECIPE = {"features": {"motion": MOTION}, "draws": {"exemplars": "same_type", "n_exemplars": 2, "seed": 0}}


@pytest.fixture
def run(tmp_path):
    """Writes config.json of two folds and gives the folder above."""

    def write(system="pose_guided", adapter="simdive", recipe=RECIPE, **settings):
        folder = tmp_path / "results/runs" / f"{system}.coco" / "dives.halves"
        for fold in (0, 1):
            chosen = dict(system=system, adapter=adapter, fold=fold, seed=0, **settings)
            config = dict(settings=chosen, facts={"action_types": [f"10{fold}b", "107b"]})
            place = folder / f"fold{fold}.seed0"
            place.mkdir(parents=True, exist_ok=True)
            (place / "config.json").write_text(json.dumps(config | ({} if recipe is None else {"recipe": recipe})))
        return folder

    return write


def test_all_folds_vote_or_one(run, tmp_path):
    folder = run()
    both, one = finding.find(folder), finding.find(folder / "fold1.seed0")
    assert [path.name for path in both.folders] == ["fold0.seed0", "fold1.seed0"]
    assert [path.name for path in one.folders] == ["fold1.seed0"]
    assert both.results == one.results == tmp_path / "results"
    assert (both.row, both.dataset, both.protocol) == ("pose_guided.coco", "dives", "halves")
    assert both.action_types == ["100b", "101b", "107b"]
    assert one.action_types == ["101b", "107b"]
    assert both.compares
    assert both.is_simulated
    assert not finding.find(run(adapter="custom")).is_simulated
    assert finding.find(folder, tmp_path / "else").results == tmp_path / "else"


def test_training_videos_are_those_of_the_folds_that_vote(run, tmp_path):
    parts = [("a", 0, "train"), ("b", 0, "test"), ("b", 1, "train"), ("c", 1, "train"), ("a", 1, "test")]
    (tmp_path / "results/folds").mkdir(parents=True)
    pd.DataFrame(parts, columns=["video_id", "fold", "part"]).to_parquet(
        tmp_path / "results/folds/dives.halves.parquet"
    )
    folder = run()
    assert finding.find(folder).training == ["a", "b", "c"]
    assert finding.find(folder / "fold0.seed0").training == ["a"]


GIVEN = {**MOTION, "inputs": {"keypoints": {"stage": "import_keypoints"}}}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (dict(recipe=None), "its config.json has no recipe, train it again with this version"),
        (dict(system="judge_ceiling", recipe={"features": {}}), "judge_ceiling reads the truth"),
        (dict(system="no_video", recipe={"features": {}}), "no_video looks at no video, expected a run on features or"),
        (dict(recipe=RECIPE | {"features": {"given": GIVEN}}), r"its keypoints \(given\) came with the data set"),
        (
            dict(recipe=RECIPE | {"features": {"p3d": {"stage": "import_features"}}}),
            r"its features \(p3d\) came with the data set",
        ),
        (dict(recipe={"features": {"motion": MOTION}, "draws": {}}), "its draws do not say how exemplars were chosen"),
        (
            dict(recipe=RECIPE | {"features": {"old": MOTION | {"inputs": {}}}}),
            "its old do not say what they were made",
        ),
        (
            dict(control="permute_labels"),
            r"is a control \(permute_labels\), expected a run whose scores mean something",
        ),
    ],
)
def test_a_run_that_cannot_be_asked_says_why(run, options, said):
    with pytest.raises(InputError, match=said):
        finding.find(run(**options))


def test_a_folder_that_is_no_run_is_answered_with_those_beside_it(run):
    folder = run()
    with pytest.raises(InputError, match=r"dives.halfs is no trained run, did you mean 'dives.halves'\?"):
        finding.find(folder.with_name("dives.halfs"))


def store(path, made):
    with stores.write(path, kind="features", version=made["version"], made_by=made) as one:
        one.put("a", {})


def test_stores_must_be_those_of_the_training(run, tmp_path):
    found, place = finding.find(run()), tmp_path / "results/features/dives/motion/0000.h5"
    with pytest.raises(InputError, match=r"motion: no stores, expected those that the run was trained on; --results"):
        _ = found.files
    store(place, {**MOTION, "libraries": {"numpy": "0.1"}})
    assert found.files.features == [place]
    store(place, {**MOTION, "extractor": "positions"})
    with pytest.raises(InputError, match=r"0000.h5: was made in another way since the run was trained"):
        _ = found.files
    assert found.stores_like("features", MOTION) == []
    assert found.stores_like("features", {**MOTION, "extractor": "positions"}) == [place]
