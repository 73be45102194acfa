"""On a run of the real stages: contributions must sum to what the run predicts, and find the part that was changed."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from aqa_pipeline import stores
from aqa_pipeline.errors import InputError
from aqa_pipeline.explanation import contributions
from aqa_pipeline.explanation.contributions import Asked
from aqa_pipeline.protocols import k_fold
from aqa_pipeline.stages.extract_features import extract_features
from aqa_pipeline.training import runs
from aqa_pipeline.training.pairs import draw_pairs

N, T = 14, 30
ALTERED = "v00"
SYSTEMS = {
    "feature_ridge": dict(options={"segments": 3, "alpha": 1.0}),
    "pose_guided": dict(options={"dim": 8, "heads": 2, "layers": 1}, training={"steps": 4, "batch": 4}),
}
STEPS = [dict(sub_action=name, first_frame=first) for name, first in (("a", 0), ("b", 10), ("c", 20))]


@pytest.fixture(scope="module")
def samples():
    """The mark of each clip, and where its steps begin."""
    marks = np.random.default_rng(0).uniform(10, 28, N)
    ids = [f"v{i:02d}" for i in range(N)]
    table = pd.DataFrame(dict(video_id=ids, score=3 * marks, difficulty=3.0, first_frame=0, last_frame=T - 1))
    return table.assign(action_type="107b", judge_scores=None, steps=[STEPS] * N, group=None)


@pytest.fixture(scope="module")
def keypoints(samples, athlete, tmp_path_factory):
    """A store of athletes who bend their knees from frame 22 on: the more, the lower the mark; ALTERED most of all."""
    path = tmp_path_factory.mktemp("keypoints") / "0000.h5"
    begun, rng = np.clip((np.arange(T) - 22) / 4, 0, 1), np.random.default_rng(1)
    with stores.write(path, kind="keypoints", version=1, made_by={}) as store:
        for row in samples.itertuples():
            bent = 90 if row.video_id == ALTERED else 4 * (28 - row.score / 3)
            points = athlete(T, knee=5 + bent * begun, size=20 + 0.1 * row.score)
            points[..., :2] += rng.normal(0, 0.3, points[..., :2].shape)
            store.put(row.video_id, {"keypoints": points}, keypoint_set="coco_17", fps=25.0, width=320, height=180)
    return path


@pytest.fixture(scope="module", params=SYSTEMS)
def asked(request, samples, keypoints, tmp_path_factory):
    """A trained run that is asked about a clip of its test part; what it predicts of it, and the run."""
    folder = tmp_path_factory.mktemp("run")
    path = folder / "motion" / "0000.h5"
    extract_features([keypoints], out=path, extractor="body_motion")
    folds = k_fold.folds(samples, n_folds=3, seed=0)
    fold = int(folds.loc[(folds["video_id"] == ALTERED) & (folds["part"] == "test"), "fold"].iloc[0])
    settings = runs.Settings(
        system=request.param, adapter="simdive", fold=fold, seed=0, clips={"n_frames": 9}, **SYSTEMS[request.param]
    )
    draws = None
    if settings.is_network:
        draws = draw_pairs(samples, folds, **settings.training, n_exemplars=2)
        draws = draws[draws["fold"] == fold]
    with runs.open_inputs(runs.Files(features=[path]), threads=1) as inputs:
        run = runs.train(settings, samples, folds, inputs, draws=draws, device="cpu")
        runs.save(run, folder)
        training = samples[samples["video_id"].isin(runs.parts_of(folds, fold, inputs)["train"])]
        predicted = run.predict([ALTERED], draws, "cpu")["predicted"][0]
        best = training.nlargest(3, "score")["video_id"].tolist()
        yield Asked({folder: draws}, samples, inputs, {ALTERED: best}), predicted, run


def test_steps_sum_to_the_prediction(asked):
    about, predicted, run = asked
    (found,) = contributions.of_steps(about)
    assert found.parts == ("take_off", "flight", "entry")
    assert found.target == "execution"
    assert found.prediction == pytest.approx(predicted, abs=1e-4)
    assert found.baseline + found.values.sum() == pytest.approx(found.prediction)
    if not run.settings.is_network:  # without any of its steps the clip is another one
        of_others = run.predict(list(found.background))["predicted"]
        assert found.baseline == pytest.approx(of_others.mean(), abs=1e-4)


def test_the_step_with_bent_knees_is_the_lowest(asked):
    (found,) = contributions.of_steps(asked[0])
    if not asked[2].settings.is_network:  # four steps of training teach a network nothing
        assert found.lowest == "entry"
        assert found.values[2] < -0.5
        assert abs(found.values[:2]).max() < 0.3 * abs(found.values[2])


def test_pieces_of_steps_are_named(asked):
    (found,) = contributions.of_steps(asked[0], pieces=2)
    assert found.parts[:2] == ("take_off 1 of 2", "take_off 2 of 2")
    assert found.worth.shape == (64,)
    assert found.prediction == pytest.approx(asked[1], abs=1e-4)


def test_the_legs_are_the_lowest(asked, keypoints):
    (found,) = contributions.of_joints(asked[0], [keypoints])
    assert found.parts == ("legs", "arms", "trunk", "head")
    assert found.prediction == pytest.approx(asked[1], abs=1e-4)
    assert found.baseline + found.values.sum() == pytest.approx(found.prediction)
    if not asked[2].settings.is_network:
        assert found.lowest == "legs"
        assert abs(found.values[1:]).max() < 0.3 * abs(found.values[0])


def test_in_points_of_the_score_they_sum_as_well(asked):
    (found,) = contributions.of_steps(asked[0])
    of_score = found.of_score(lambda execution, difficulty: execution * difficulty, 3.0)
    assert of_score.prediction == pytest.approx(3 * found.prediction)
    assert of_score.values == pytest.approx(3 * found.values)
    assert of_score.baseline + of_score.values.sum() == pytest.approx(of_score.prediction)


def test_steps_that_are_not_known_are_those_of_the_background(asked):
    about = asked[0]
    edges = contributions.step_bounds(about)
    unknown = replace(about, known_steps=False)
    assert contributions.step_bounds(unknown)[ALTERED].tolist() == edges[ALTERED].tolist() == [0, 10, 20, T]
    nowhere = replace(about, samples=about.samples.assign(steps=None))
    with pytest.raises(InputError, match="steps of 'v00': not known"):
        contributions.of_steps(nowhere)


def test_what_cannot_be_explained_is_refused(asked, keypoints):
    about = asked[0]
    with pytest.raises(InputError, match="background of 'v00': no clip"):
        contributions.of_steps(replace(about, background={ALTERED: []}))
    with pytest.raises(InputError, match="keypoints of 'v00': in none of 0 stores"):
        contributions.of_joints(about, [])


def test_the_background_is_drawn_from_the_same_type(samples):
    types = ["107b"] * 7 + ["5253b"] * 7
    table = samples.assign(action_type=types)
    training = table["video_id"].tolist()[1:]
    found = contributions.background_of(table, training, ["v00", "v09"], count=4)
    assert set(found["v00"]) <= {f"v{i:02d}" for i in range(1, 7)}
    assert set(found["v09"]) <= {f"v{i:02d}" for i in range(7, 14)} - {"v09"}
    assert [len(ids) for ids in found.values()] == [4, 4]
    assert found == contributions.background_of(table, training, ["v00", "v09"], count=4)


def test_a_part_that_takes_little_away_is_not_the_lowest():
    parts = ("take_off", "flight", "entry")
    assert contributions.lowest(parts, np.array([-0.1, 2.0, 1.0])) is None
    assert contributions.lowest(parts, np.array([0.1, -2.0, 1.0])) == "flight"
