"""What is predicted from the whole video must be what the run predicted; the beginnings must know no later frame."""

import numpy as np
import pandas as pd
import pytest

from aqa_pipeline import stores
from aqa_pipeline.stages.draw_pairs import draw_pairs
from aqa_pipeline.stages.make_folds import make_folds
from aqa_pipeline.stages.predict import predict
from aqa_pipeline.stages.train import train
from aqa_pipeline.training import runs
from aqa_pipeline.training.so_far import scores_so_far

N, T, D = 12, 30, 3
SYSTEMS = {
    "feature_ridge": dict(options={"segments": 2, "alpha": 1.0}),
    "pose_guided": dict(options={"dim": 8, "heads": 2, "layers": 1}, training={"steps": 3, "batch": 4}),
}


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    ids = [f"v{i:02d}" for i in range(N)]
    marks = rng.uniform(10, 28, N)
    table = pd.DataFrame({"video_id": ids, "score": 3 * marks, "difficulty": 3.0, "action_type": "107b"})
    table.assign(judge_scores=None, steps=None, group=None).to_parquet(tmp_path / "samples.parquet")
    with stores.write(tmp_path / "motion" / "0000.h5", kind="features", version=1, made_by={}) as store:
        for video_id, mark in zip(ids, marks, strict=True):
            features = mark + rng.normal(size=(T, D)).astype(np.float32)
            store.put(video_id, {"features": features.astype(np.float32), "first_frame": np.arange(T)})
    make_folds(tmp_path / "samples.parquet", tmp_path / "folds.parquet", protocol="k_fold", n_folds=3)
    return [tmp_path / "samples.parquet", tmp_path / "folds.parquet"], [tmp_path / "motion" / "0000.h5"]


@pytest.fixture(params=SYSTEMS)
def trained(request, files, tmp_path):
    """A trained run with its predictions, and how to ask it for scores so far."""
    tables, features = files
    settings = dict(clips={"n_frames": 8}, **SYSTEMS[request.param])
    draws = tmp_path / "draws.parquet" if request.param == "pose_guided" else None
    if draws:
        draw_pairs(*tables, draws, features, steps=3, batch=4, n_exemplars=2)
    run = tmp_path / "run"
    train(*tables, run, features, system=request.param, adapter="simdive", fold=1, draws=draws, **settings)
    predict(*tables, run, run / "predictions.parquet", features, draws=draws)
    predicted = pd.read_parquet(run / "predictions.parquet").set_index("video_id")["predicted_score"]

    def ask(video_id, feature_files=features, **options):
        known = runs.read_table(draws, 1) if draws else None
        with runs.open_inputs(feature_files, [], threads=1) as inputs:
            samples = pd.read_parquet(tables[0])
            return scores_so_far(run, samples, inputs, video_id, draws=known, n_frames=T, **options)

    return predicted, ask


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


def test_a_beginning_knows_no_later_frame(trained, files, tmp_path):
    predicted, ask = trained
    video_id = predicted.index[0]
    changed = tmp_path / "changed" / "motion" / "0000.h5"
    with (
        stores.read(files[1][0], kind="features") as old,
        stores.write(changed, kind="features", version=1, made_by={}) as new,
    ):
        for other in old:
            arrays = old[other]
            if other == video_id:
                arrays["features"][20:] += 50
            new.put(other, arrays)
    before, after = ask(video_id), ask(video_id, [changed])
    np.testing.assert_allclose(before[:19], after[:19], atol=1e-4)
    assert abs(after[-1] - before[-1]) > 0.1


def test_a_short_video_is_predicted_at_its_end(trained):
    predicted, ask = trained
    video_id = predicted.index[0]
    scores = ask(video_id, least=100)
    assert np.isnan(scores[:-1]).all()
    assert scores[-1] == pytest.approx(predicted[video_id], abs=1e-4)
