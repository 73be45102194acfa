"""What is predicted from the whole video must be what the run predicted; the beginnings must know no later frame."""

import numpy as np
import pandas as pd
import pytest

from aqa_pipeline import stores
from aqa_pipeline.protocols import k_fold
from aqa_pipeline.training import runs
from aqa_pipeline.training.pairs import draw_pairs
from aqa_pipeline.training.so_far import scores_so_far

N, T, D = 12, 30, 3
SYSTEMS = {
    "feature_ridge": dict(options={"segments": 2, "alpha": 1.0}),
    "pose_guided": dict(options={"dim": 8, "heads": 2, "layers": 1}, training={"steps": 3, "batch": 4}),
}


@pytest.fixture
def samples():
    marks = np.random.default_rng(0).uniform(10, 28, N)
    table = pd.DataFrame({"video_id": [f"v{i:02d}" for i in range(N)], "score": 3 * marks, "difficulty": 3.0})
    return table.assign(action_type="107b", judge_scores=None, steps=None, group=None)


@pytest.fixture
def features(samples, tmp_path):
    """Writes a store of features that follow the marks; `later` is added to rows 20 and up of one video."""

    def write(later=0.0, video_id=None):
        rng = np.random.default_rng(1)
        path = tmp_path / f"later{later:g}" / "motion" / "0000.h5"
        with stores.write(path, kind="features", version=1, made_by={}) as store:
            for row in samples.itertuples():
                array = (row.score / 3 + rng.normal(size=(T, D))).astype(np.float32)
                array[20:] += later * (row.video_id == video_id)
                store.put(row.video_id, {"features": array, "first_frame": np.arange(T)})
        return path

    return write


@pytest.fixture(params=SYSTEMS)
def trained(request, samples, features, tmp_path):
    """Predicted final scores of the test part, and how to ask the same run for scores so far."""
    folds = k_fold.folds(samples, n_folds=3, seed=0)
    settings = runs.Settings(
        system=request.param, adapter="simdive", fold=1, seed=0, clips={"n_frames": 8}, **SYSTEMS[request.param]
    )
    draws = draw_pairs(samples, folds, steps=3, batch=4, n_exemplars=2) if settings.is_network else None
    draws = draws[draws["fold"] == 1] if settings.is_network else None
    with runs.open_inputs(runs.Files(features=[features()]), threads=1) as inputs:
        run = runs.train(settings, samples, folds, inputs, draws=draws, device="cpu")
        runs.save(run, tmp_path / "run")
        predicted = runs.compose(run, run.predict(runs.parts_of(folds, 1, inputs)["test"], draws, "cpu"))

    def ask(video_id, path=None, **options):
        with runs.open_inputs(runs.Files(features=[path or features()]), threads=1) as inputs:
            return scores_so_far(tmp_path / "run", samples, inputs, video_id, draws=draws, n_frames=T, **options)

    return predicted.set_index("video_id")["predicted_score"], ask


def test_the_whole_video_gets_its_prediction(trained):
    predicted, ask = trained
    video_id = predicted.index[1]
    scores = ask(video_id)
    assert scores.shape == (T,)
    assert np.isnan(scores[:7]).all()
    assert np.isfinite(scores[7:]).all()
    assert scores[-1] == pytest.approx(predicted[video_id], abs=1e-4)
    changes = np.flatnonzero(np.diff(scores[7:])) + 8
    assert set(changes) <= {11, 15, 19, 23, 27, 29}  # a prediction every four rows, and at the end


def test_a_beginning_knows_no_later_frame(trained, features):
    predicted, ask = trained
    video_id = predicted.index[0]
    before, after = ask(video_id), ask(video_id, features(later=50.0, video_id=video_id))
    np.testing.assert_allclose(before[:19], after[:19], atol=1e-4)
    assert abs(after[-1] - before[-1]) > 0.1


def test_a_short_video_is_predicted_at_its_end(trained):
    predicted, ask = trained
    video_id = predicted.index[0]
    scores = ask(video_id, least=100)
    assert np.isnan(scores[:-1]).all()
    assert scores[-1] == pytest.approx(predicted[video_id], abs=1e-4)
